"""The result of an experiment: a table of samples, a summary, and everything that is needed to repeat the run."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.experiments import history
from chatsim.experiments.variant import Variant
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from chatsim.db.deadlock import Deadlock

__all__ = ["Result", "describe_machine"]

_OURS = ("note-*.txt", "deadlock-*")
"""The files in a result's folder of which there may be any number."""


@dataclass(repr=False)
class Result:
    """The result of an experiment. Variants are added when they are finished, so an interrupted run has a valid part.

    Attributes:
        config: the experiment's parameters, with its name and the world.
        title: the title of its table.
        setting: the experiment's conditions in words.
        shown: the columns that are shown, with their headings.
        draw: draws the summary. It gets the table and a caption.
        environment: the world, the machine and the software.
        variants: what was compared.
        notes: longer texts by name, such as the plan of a query.
    """

    config: dict[str, object]
    title: str
    setting: str
    shown: Mapping[str, str]
    draw: Callable[[pd.DataFrame, str], Figure] = field(compare=False)
    environment: dict[str, object] = field(default_factory=dict)
    variants: list[Variant] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def clear(self) -> None:
        """Remove all variants and notes."""
        self.variants.clear()
        self.notes.clear()

    @property
    def samples(self) -> pd.DataFrame:
        """A table with a row for each operation, with the key of its variant."""
        import pandas as pd

        tables = []
        for variant in (each for each in self.variants if each.operations):
            table = history.frame(variant.operations)
            table = table.drop(columns=[*variant.key], errors="ignore")  # what was asked may say it once more
            for place, (column, value) in enumerate(variant.key.items()):
                table.insert(place, column, str(value))
            tables.append(table)
        return pd.concat(tables, ignore_index=True) if tables else history.frame(())

    def rows(self) -> list[dict[str, object]]:
        """A dict for each variant: its key, its conditions, its measures, its verdict."""
        one = {name: value for name, value in self.config.items() if not isinstance(value, list)}
        server = {name: self.environment.get(name) for name in ("engine", "server_version", "profile")}
        return [{**each.key, **one, **server, **each.row()} for each in self.variants]

    def summary(self) -> pd.DataFrame:
        """One row per variant."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def deadlock(self, name: str | None = None) -> Deadlock | None:
        """A deadlock of the variant with this name, such as a strategy (any if None); None if there is none.

        Raises:
            BadParameterError: no variant has that name.
        """
        names = dict.fromkeys(str(value) for variant in self.variants for value in variant.key.values())
        if name is not None and name not in names:
            raise BadParameterError(f"the result has no {name!r}; it has: {', '.join(names)}")
        for variant in self.variants:
            if variant.deadlock and (name is None or name in map(str, variant.key.values())):
                return variant.deadlock
        return None

    @property
    def warnings(self) -> list[str]:
        """What made the server slower than it is by itself, at the beginning or at the end of the run."""
        found = self.environment.get("warnings", [])
        return [f"the server was not by itself: {each}" for each in found] if isinstance(found, list) else []

    def conditions(self) -> str:
        """The conditions of the run, in one line."""
        settings = self.environment.get("settings")
        log_bin = "?" if not isinstance(settings, Mapping) else "on" if settings.get("log_bin") else "off"
        server = f"{self.environment.get('engine')} {self.environment.get('server_version')}"
        return f"{server}, profile {self.environment.get('profile')}, binary log {log_bin}; {self.setting}"

    def plot(self) -> Figure:
        """Draw the summary."""
        return self.draw(self.summary(), self.conditions())

    def table(self) -> pd.DataFrame:
        """The columns that are shown, with their headings."""
        summary = self.summary().reindex(columns=[*self.shown])  # a column may be known of no variant
        # a column of nothing but None has no type of its own
        numbers = {name: float for name in self.shown if summary[name].isna().all()}
        return summary.astype(numbers).rename(columns=dict(self.shown))

    def __repr__(self) -> str:
        if not self.variants:
            return "nothing was measured"
        table = self.table().round(2).to_string(index=False, na_rep="–")
        return "\n".join([table, self.conditions(), *(f"Warning: {each}" for each in self.warnings)])

    def _repr_html_(self) -> str:
        if not self.variants:
            return "<p>nothing was measured</p>"
        table = self.table().style.format(precision=2, thousands=",", na_rep="–").hide(axis="index")
        warned = "".join(f"<p><b>Warning: {escape(each)}</b></p>" for each in self.warnings)
        return f"{table.to_html()}<p><small>{self.conditions()}</small></p>{warned}"

    def save(self, directory: Path | str) -> Path:
        """Write the result into a folder, which is created if needed. Returns the folder.

        The files are samples.parquet, summary.json, environment.json, config.toml, history.jsonl, summary.png, a
        note-NAME.txt for each note, and a deadlock-VARIANT.txt and .png for each deadlock.
        """
        import tomli_w

        home = Path(directory)
        home.mkdir(parents=True, exist_ok=True)
        for pattern in _OURS:
            for stale in home.glob(pattern):  # of an earlier result in the same folder
                stale.unlink()
        self.samples.to_parquet(home / "samples.parquet")
        (home / "summary.json").write_text(json.dumps(self.rows(), indent=1) + "\n")
        (home / "environment.json").write_text(json.dumps(self.environment, indent=1, default=str) + "\n")
        config = {name: value for name, value in self.config.items() if value is not None}  # TOML knows no null
        (home / "config.toml").write_text(tomli_w.dumps(config))
        records = ((variant.key, operation) for variant in self.variants for operation in variant.operations)
        history.write(home / "history.jsonl", records)
        for name, text in self.notes.items():
            (home / f"note-{name}.txt").write_text(text + "\n")
        if self.variants:
            self.plot().savefig(home / "summary.png", dpi=150)
            self._save_deadlocks(home)
        return home

    def _save_deadlocks(self, home: Path) -> None:
        from chatsim import figures

        for variant in self.variants:
            if variant.deadlock:
                name = "-".join(["deadlock", *map(str, variant.key.values())])
                (home / f"{name}.txt").write_text(variant.deadlock.raw)
                figures.wait_for_graph(variant.deadlock).savefig(home / f"{name}.png", dpi=150)


def describe_machine() -> dict[str, object]:
    """The machine and the software, for a result's environment."""
    return {
        "chatsim": version("chatsim"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
