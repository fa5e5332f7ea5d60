"""What an experiment found, as rows: for those whose outcome is a table of settings and measures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Report"]


@dataclass(repr=False)
class Report:
    """Rows that are added as they are measured, so that an interrupted run has a valid part.

    Attributes:
        config: the experiment's parameters, ``experiment`` and ``world`` among them.
        shown: the columns that are shown, with their headings; all of them are in `rows`.
        draw: draws the table; it is given the frame and a caption.
        environment: the world, the machine and the software.
        rows: plain dicts, one for each setting.
        notes: longer texts by name, the proof of a verdict, the plan of a query.
    """

    config: dict[str, object]
    shown: Mapping[str, str]
    draw: Callable[[pd.DataFrame, str], Figure]
    environment: dict[str, object] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def summary(self) -> pd.DataFrame:
        """One row per setting."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def conditions(self) -> str:
        """The conditions that a headline must carry, in one line."""
        server = f"{self.environment.get('engine')} {self.environment.get('server_version')}"
        said = [f"{name.replace('_', ' ')} {_plain(value)}" for name, value in self.config.items() if value is not None]
        return f"{server}, profile {self.environment.get('profile')}; {', '.join(said)}"

    def plot(self) -> Figure:
        """The table, drawn."""
        return self.draw(self.summary(), self.conditions())

    def __repr__(self) -> str:
        if not self.rows:
            return "nothing was measured"
        shown = self._shown().round(2).astype(object)  # a column of nothing but None has no NaN
        return f"{shown.where(shown.notna(), '–').to_string(index=False)}\n{self.conditions()}"

    def _repr_html_(self) -> str:
        if not self.rows:
            return "<p>nothing was measured</p>"
        table = self._shown().style.format(precision=2, thousands=",", na_rep="–").hide(axis="index")
        return f"{table.to_html()}<p><small>{self.conditions()}</small></p>"

    def _shown(self) -> pd.DataFrame:
        return self.summary()[list(self.shown)].rename(columns=dict(self.shown))

    def save(self, directory: Path | str) -> Path:
        """Write samples.parquet, summary.json, environment.json, config.toml, notes and summary.png."""
        import tomli_w

        home = Path(directory)
        home.mkdir(parents=True, exist_ok=True)
        for stale in home.glob("note-*.txt"):  # of an earlier report in the same folder
            stale.unlink()
        self.summary().to_parquet(home / "samples.parquet")
        (home / "summary.json").write_text(json.dumps(self.rows, indent=1) + "\n")
        (home / "environment.json").write_text(json.dumps(self.environment, indent=1, default=str) + "\n")
        config = {name: value for name, value in self.config.items() if value is not None}  # TOML knows no null
        (home / "config.toml").write_text(tomli_w.dumps(config))
        for name, text in self.notes.items():
            (home / f"note-{name}.txt").write_text(text + "\n")
        if self.rows:
            self.plot().savefig(home / "summary.png", dpi=150)
        return home


def _plain(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
