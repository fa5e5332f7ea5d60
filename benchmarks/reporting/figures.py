"""The figures of a report: a file for each group of benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from reporting.tables import Row

__all__ = ["draw"]

_HEIGHT = 0.22  # inches of a bar


def draw(rows: Sequence[Row], home: Path) -> list[Path]:
    """Draw the medians of each group. Returns the files."""
    from matplotlib.figure import Figure

    found = []
    for group, own in groupby(sorted(rows, key=lambda row: row.group), key=lambda row: row.group):
        bars = sorted(own, key=lambda row: -row.median)
        figure = Figure(figsize=(9, 1.2 + _HEIGHT * len(bars)), layout="constrained")
        axes: Any = figure.subplots()
        axes.barh([row.name for row in bars], [row.median * 1e3 for row in bars], color="#4477aa")
        axes.set_xlabel("ms, the median")
        axes.set_title(group or "without a group", loc="left")
        axes.set_xlim(left=0)
        path = home / f"{''.join(letter if letter.isalnum() else '-' for letter in group) or 'others'}.png"
        figure.savefig(path, dpi=120)
        found.append(path)
    return found
