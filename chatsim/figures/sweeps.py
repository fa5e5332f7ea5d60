"""A measure along what a sweep varies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chatsim.figures.style import POINTS, add_caption, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["curves"]

_MARKERS = "osv^D<>PX*dph"
_DECADE = 10
"""Values that are this far apart are drawn on a logarithmic scale."""


def curves(table: pd.DataFrame, *, along: str, of: str, lines: Sequence[str], caption: str = "") -> Figure:
    """Draw a line for each combination of the columns ``lines``, with the intervals over the seeds as bands.

    A point whose verdict is not ``safe`` is hollow.

    Args:
        table: the summary of a sweep.
        along: the column of the x axis; its values are numbers.
        of: the measure of the y axis.
        lines: the columns that distinguish the lines.
        caption: the conditions, printed beneath.
    """
    figure = new_figure(8, 4.5, layout="constrained")
    ax = figure.subplots()
    groups = table.groupby([*lines], sort=False, dropna=False) if lines else [((), table)]
    shades = np.linspace(0.0, 0.65, max(1, len(groups)))
    for number, (key, group) in enumerate(groups):
        part = group.sort_values(along)
        x, y = part[along].astype(float), part[of].astype(float)
        color, marker = str(shades[number]), _MARKERS[number % len(_MARKERS)]
        ax.plot(x, y, color=color, linewidth=1, marker=marker, markersize=5, label=", ".join(map(str, key)) or of)
        if "verdict" in part:
            hollow = (part["verdict"] != "safe").to_numpy()
            ax.plot(
                x[hollow], y[hollow], linestyle="", marker=marker, markersize=5, color=color, markerfacecolor="white"
            )
        if f"{of}_low" in part and part[f"{of}_low"].notna().any():
            low, high = part[f"{of}_low"].astype(float), part[f"{of}_high"].astype(float)
            ax.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
    positive = table[along].astype(float)
    if positive.min() > 0 and positive.max() >= _DECADE * positive.min():
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:,g}")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter("{x:,g}")
    ax.set_xlabel(along)
    ax.set_ylabel(of)
    ax.grid(color="0.9")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=POINTS)
    add_caption(figure, caption, 125)
    return figure
