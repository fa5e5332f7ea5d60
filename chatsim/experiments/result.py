"""The result of an experiment: a table of samples, a summary, and everything that is needed to repeat the run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING

from chatsim.experiments import history, tables
from chatsim.experiments.statistics import mean_interval
from chatsim.experiments.variant import Variant, combined, number, verdict_words
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

    from chatsim.db.deadlock import Deadlock

__all__ = ["Result"]


@dataclass(repr=False)
class Result:
    """The result of an experiment. Variants are added when they are finished, so an interrupted run has a valid part.

    Attributes:
        config: the experiment's parameters, with its name and the world.
        title: the title of its table.
        setting: the experiment's conditions in words.
        shown: the columns that are shown, with their headings.
        draw: draws the summary. It gets the table and a caption.
        totals: the measures that are added up over repetitions. Of the others there is a mean with an interval.
        only: for a parameter that does something in some rows only, the columns that say so, with their values there;
            no column if it does nothing in any.
        shared: by column of a variant's key, the measures that do not depend on it: a table shows them once.
        units: the units of parameters, as they are added to the names of their columns.
        environment: the world with what things cost in it, the machine with its other load, the software, the command.
        variants: what was compared, each with its repetitions so far.
        notes: longer texts by name, such as the plan of a query.
        seed: the seed of the repetition that is being measured.
    """

    config: dict[str, object]
    title: str
    setting: str
    shown: Mapping[str, str]
    draw: Callable[[pd.DataFrame, str], Figure] = field(compare=False)
    totals: Collection[str] = ()
    only: Mapping[str, Mapping[str, Collection[object]]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, Collection[str]] = field(default_factory=dict)
    environment: dict[str, object] = field(default_factory=dict)
    variants: list[Variant] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    seed: int | None = field(default=None, compare=False)

    def add(self, *variants: Variant) -> None:
        """Add variants that are finished. One that is there already gets another repetition."""
        for each in variants:
            measured = replace(each, seed=self.seed if each.seed is None else each.seed)
            places = [place for place, other in enumerate(self.variants) if other.key == each.key]
            if places:
                self.variants[places[0]] = combined([*self.variants[places[0]].runs, measured], self.totals)
            else:
                self.variants.append(measured)

    def clear(self) -> None:
        """Remove all variants and notes."""
        self.variants.clear()
        self.notes.clear()

    @property
    def samples(self) -> pd.DataFrame:
        """A table with a row for each operation, with the key of its variant, and its repetition, from 1."""
        import pandas as pd

        tables = []
        for variant in self.variants:
            for repeat, run in enumerate(variant.runs, start=1):
                if run.operations:
                    table = history.frame(run.operations)
                    table = table.drop(columns=[*variant.key], errors="ignore")  # what was asked may say it once more
                    for place, (column, value) in enumerate(variant.key.items()):
                        table.insert(place, column, str(value))
                    table.insert(len(variant.key), "repeat", repeat)
                    tables.append(table)
        return pd.concat(tables, ignore_index=True) if tables else history.frame(())

    def per_second(self) -> pd.DataFrame:
        """A table with a row for each second of each variant and repetition: how its operations went in time.

        ``second`` counts from the beginning of the run, from 0, and an operation is of the second in which it ended.
        ``ok`` and ``failed`` count the operations, ``p50_ms`` is the median latency of those that succeeded.
        """
        import pandas as pd

        keys = [*dict.fromkeys(name for each in self.variants for name in each.key), "repeat", "second"]
        samples = self.samples
        if samples.empty:
            return pd.DataFrame(columns=[*keys, "ok", "failed", "p50_ms"])
        samples["second"] = samples["end"].astype(float).astype(int)
        good = samples["outcome"] == "ok"
        samples = samples.assign(ok=good, failed=~good, p50_ms=samples["latency_ms"].astype(float).where(good))
        groups = samples.groupby(keys, sort=False, observed=True)
        table = groups.agg(ok=("ok", "sum"), failed=("failed", "sum"), p50_ms=("p50_ms", "median"))
        return table.reset_index().sort_values(keys[-2:], kind="stable", ignore_index=True)

    def plot_per_second(self) -> Figure:
        """Draw how the operations went in time, second by second."""
        from chatsim import figures

        warm_up, ramp = (number(self.config.get(name)) or 0.0 for name in ("warm_up", "ramp"))
        return figures.per_second(self.per_second(), self.conditions(), warm_up=warm_up, ramp=ramp)

    def rows(self) -> list[dict[str, object]]:
        """A dict for each variant: its key, its conditions, its measures, its verdict.

        A condition that does nothing for the variant is None. With several repetitions, a measure that is shown and not
        added up has an interval of 95 % for its mean: the columns with ``_low`` and ``_high`` behind its name.
        """
        return [self._row(each) for each in self.variants]

    def _row(self, variant: Variant) -> dict[str, object]:
        one = {
            name: value if self._applies(name, variant) else None
            for name, value in self.config.items()
            if not isinstance(value, list)
        }
        server = {name: self.environment.get(name) for name in ("engine", "server_version", "profile")}
        row = {**variant.key, **one, "repeats": len(variant.runs), **server, **variant.row()}
        return row if self.repeated is None else self._with_intervals(row, variant)

    def _applies(self, parameter: str, variant: Variant) -> bool:
        """Whether a parameter does something for a variant."""
        columns = self.only.get(parameter)
        return columns is None or any(variant.key.get(name) in values for name, values in columns.items())

    def _with_intervals(self, row: dict[str, object], variant: Variant) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in row.items():
            found[name] = value
            if name in self.shown and name not in self.totals and any(each.numbers(name) for each in self.variants):
                low, high = mean_interval(variant.numbers(name)) or (None, None)
                found |= {f"{name}_low": low, f"{name}_high": high}
        return found

    def said_above(self) -> list[set[str]]:
        """For each row, the measures that a row above has said, since they do not depend on what differs."""
        seen: set[tuple[object, ...]] = set()
        found = []
        for variant in self.variants:
            said: set[str] = set()
            for column, names in self.shared.items():
                others = (column, *(value for name, value in variant.key.items() if name != column))
                if others in seen:
                    said.update(names)
                seen.add(others)
            found.append(said)
        return found

    @property
    def repeated(self) -> str | None:
        """How often everything was measured, in words; None if once."""
        fewest, most = (choose((len(each.runs) for each in self.variants), default=1) for choose in (min, max))
        if most == 1:
            return None
        return f"{most} repetitions" if fewest == most else f"{fewest} to {most} repetitions"

    def summary(self) -> pd.DataFrame:
        """One row per variant, with typed columns: those that are shown first, then the others.

        The names of parameters have their units here: ``rate_per_s``.
        """
        return tables.summary(self.rows(), self.shown, self.units)

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
        server += " in the background" if self.environment.get("rung") == "background" else ""
        server += f", profile {self.environment.get('profile')}, binary log {log_bin}; "
        return server + ", ".join(filter(None, (self.setting, self.repeated)))

    def plot(self) -> Figure:
        """Draw the summary."""
        return self.draw(self.summary(), self.conditions())

    def table(self) -> pd.DataFrame:
        """The columns that are shown, with their headings."""
        summary = self.summary().reindex(columns=[*self.shown])  # a column may be known of no variant
        if "verdict" in summary:
            summary["verdict"] = [verdict_words(row) for row in self.rows()]
        return summary.rename(columns=dict(self.shown))

    def __repr__(self) -> str:
        if not self.variants:
            return "nothing was measured"
        text = self._cells().to_string(index=False)
        return "\n".join([text, self.conditions(), *(f"Warning: {each}" for each in self.warnings)])

    def _cells(self) -> pd.DataFrame:
        """The table as texts."""
        table = self.table()
        cells = table.astype(object).where(table.notna(), "–")
        for name in table.select_dtypes("float"):
            cells[name] = [each if isinstance(each, str) else tables.in_digits(each) for each in cells[name]]
        for at, blank in enumerate(self._blank()):
            cells.loc[cells.index[at], blank] = ""
        return cells

    def _blank(self) -> list[list[str]]:
        """For each row, the headings under which nothing is shown, since a row above says it."""
        return [[self.shown[name] for name in self.shown if name in said] for said in self.said_above()]

    def _repr_html_(self) -> str:
        if not self.variants:
            return "<p>nothing was measured</p>"
        warned = "".join(f"<p><b>Warning: {escape(each)}</b></p>" for each in self.warnings)
        return f"{tables.html(self.table(), blank=self._blank())}<p><small>{self.conditions()}</small></p>{warned}"

    def save(self, directory: Path | str) -> Path:
        """Write the result into a folder, which is created if needed. Returns the folder. `chatsim.load` reads it.

        The files are result.json, samples.parquet, summary.json, environment.json, config.toml, history.jsonl,
        summary.png, per-second.csv, per-second.png if there are operations, a note-NAME.txt for each note, and a
        deadlock-VARIANT.txt and .png for each deadlock. Those of an earlier result of the same experiment are replaced.

        Raises:
            BadParameterError: the folder has the result of another experiment.
        """
        from chatsim.experiments.saved import save

        return save(self, directory)
