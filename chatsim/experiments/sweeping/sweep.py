"""A sweep: many settings of an experiment in the model, and where each strategy reaches its limit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.statistics import mean_interval
from chatsim.experiments.surroundings import describe_machine
from chatsim.experiments.sweeping import record, running
from chatsim.experiments.sweeping.measuring import Row
from chatsim.experiments.sweeping.setting import Setting, experiment_class, settings
from chatsim.progress import Progress
from chatsim.worlds.choice import choose
from chatsim.worlds.model.settings import Model
from chatsim.worlds.notebook import in_one_message, starts_when_awaited

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Sweep", "sweep"]

_FALLEN = 0.9
"""A measure below this share of its peak has fallen."""

_HEADLINES = (
    "verdict",
    "goodput_per_s",
    "p50_ms",
    "p99_ms",
    "deadlocks_per_op",
    "bottleneck",
    "bottleneck_utilisation",
)


@dataclass(repr=False)
class Sweep:
    """The result of a sweep.

    Attributes:
        experiment: the experiment's name.
        varied: the names of what varies, in order.
        config: what is needed to repeat it.
        environment: the machine and the software.
        measured: the rows, one for each setting, seed and variant, in the order of the settings.
        failed: the settings that could not be run, with the reasons.
    """

    experiment: str
    varied: Sequence[str]
    config: Mapping[str, object]
    environment: Mapping[str, object] = field(default_factory=dict)
    measured: list[Row] = field(default_factory=list)
    failed: list[tuple[Setting, str]] = field(default_factory=list)

    @property
    def rows(self) -> pd.DataFrame:
        """A table with a row for each setting, seed and variant: what varies, the seed, the key, the measures."""
        import pandas as pd

        return pd.DataFrame(self.measured)

    @property
    def keys(self) -> list[str]:
        """The columns that distinguish the variants of one setting, such as the strategy."""
        shown = experiment_class(self.experiment).shown
        words = [name for name in shown if any(isinstance(row.get(name), str) for row in self.measured)]
        return [name for name in words if name not in (*self.varied, "verdict", "bottleneck")]

    def summary(self) -> pd.DataFrame:
        """A table with a row for each setting and variant: means over the seeds, with intervals of 95 % of the mean.

        The ends of an interval are in the columns with ``_low`` and ``_high``; they are empty with a single seed. The
        verdict is the worst of the seeds, and the bottleneck the most frequent one.
        """
        import pandas as pd

        return pd.DataFrame(self._summarised())

    def _summarised(self) -> list[Row]:
        by = [*self.varied, *self.keys]
        return [
            {**dict(zip(by, key, strict=True)), **_over_seeds(rows, but=by)}
            for key, rows in _grouped(self.measured, by).items()
        ]

    def limits(self, along: str | None = None, of: str = "goodput_per_s") -> pd.DataFrame:
        """Where each curve ends to grow: a row for each combination of everything else that distinguishes the rows.

        ``peak`` is the largest mean of a measure, and ``at`` the value at which it is reached. ``falls_from`` is the
        first value behind it at which the measure is below nine tenths of the peak, if there is one. ``bottleneck`` is
        the resource that has worked for the largest share of the window at the peak.

        Args:
            along: the name of what varies along a curve; the first that has numbers, if it is not given.
            of: the measure.

        Raises:
            BadParameterError: nothing varies of this name, it has no numbers, or there is no such measure.
        """
        import pandas as pd

        along, rows = self._curves(along, of)
        others = [name for name in [*self.varied, *self.keys] if name != along]
        found = []
        for key, curve in _grouped(rows, others).items():
            peak = max(curve, key=lambda row: _number(row[of]))
            behind = [row for row in curve if _number(row[along]) > _number(peak[along])]
            fallen = [_number(row[along]) for row in behind if _number(row[of]) < _FALLEN * _number(peak[of])]
            named = {name: peak.get(name) for name in ("bottleneck", "bottleneck_utilisation")}
            at = {"at": peak[along], "peak": peak[of], "falls_from": min(fallen, default=None)}
            found.append({**dict(zip(others, key, strict=True)), **at, **named})
        return pd.DataFrame(found)

    def plot(self, along: str | None = None, of: str = "goodput_per_s") -> Figure:
        """Draw a measure along what varies: a line for each variant, with the intervals of its means.

        Raises:
            BadParameterError: as `limits`.
        """
        from chatsim import figures

        along, _ = self._curves(along, of)
        others = [name for name in [*self.varied, *self.keys] if name != along]
        return figures.curves(self.summary(), along=along, of=of, lines=others, caption=self.conditions())

    def _curves(self, along: str | None, of: str) -> tuple[str, list[Row]]:
        """What varies along a curve, and the means that have the measure."""
        if not self.measured:
            raise BadParameterError("nothing of this sweep has finished")
        numbers = [name for name in self.varied if all(_is_number(row[name]) for row in self.measured)]
        if along is None and numbers:
            along = numbers[0]
        if along not in numbers:
            raise BadParameterError(f"along is {along!r}; numbers that vary here: {', '.join(numbers) or 'none'}")
        means = self._summarised()
        rows = [row for row in means if _is_number(row.get(of))]
        if not rows:
            measures = dict.fromkeys(name for row in means for name in row if _is_number(row[name]))
            raise BadParameterError(f"of is {of!r}; the measures are: {', '.join(measures)}")
        return along, rows

    def conditions(self) -> str:
        """What was varied and what was fixed, in words."""
        fixed = self.config["fixed"]
        assert isinstance(fixed, Mapping)
        parts = [f"{name} {value}" for name, value in fixed.items()]
        seeds = self.config["seeds"]
        assert isinstance(seeds, list)
        return ", ".join([f"{self.experiment} in the model", *parts, f"{len(seeds)} seeds"])

    def save(self, folder: Path | str) -> Path:
        """Write ``rows.csv``, ``summary.csv`` and ``sweep.json``, with what is needed to repeat it, into a folder."""
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        self.rows.to_csv(home / "rows.csv", index=False)
        self.summary().to_csv(home / "summary.csv", index=False)
        failed = [{"setting": dict(each.varied), "seed": each.seed, "reason": why} for each, why in self.failed]
        text = json.dumps({**self.config, "environment": self.environment, "failed": failed}, indent=2)
        (home / "sweep.json").write_text(f"{text}\n", encoding="utf-8")
        return home

    def headlines(self) -> pd.DataFrame:
        """The columns of `summary` that matter first."""
        table = self.summary()
        shown = [*self.varied, *self.keys, "seeds", *_HEADLINES]
        return table[[name for name in shown if name in table.columns and not table[name].isna().all()]]

    def __repr__(self) -> str:
        return f"{self.conditions()}\n{self.headlines().to_string(index=False)}"

    def _repr_html_(self) -> str:
        table = self.headlines().to_html(index=False, float_format="{:,.4g}".format)
        return f"<p>{escape(self.conditions())}</p>{table}"


def _grouped(rows: Iterable[Row], by: Sequence[str]) -> dict[tuple[object, ...], list[Row]]:
    """The rows by the values of some columns, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        key = tuple(tuple(value) if isinstance(value := row.get(name), list) else value for name in by)
        groups.setdefault(key, []).append(row)
    return groups


def _over_seeds(rows: Sequence[Row], but: Collection[str]) -> Row:
    """The measures of one variant, with a row for each seed, as one row; without the columns ``but``."""
    found: Row = {"seeds": len(rows)}
    for name in dict.fromkeys(name for row in rows for name in row if name != "seed" and name not in but):
        values = [row[name] for row in rows if row.get(name) is not None]
        numbers = [_number(value) for value in values if _is_number(value)]
        if numbers:
            found[name] = sum(numbers) / len(numbers)
            if name in _HEADLINES:
                found[f"{name}_low"], found[f"{name}_high"] = mean_interval(numbers) or (None, None)
        elif name == "verdict":
            found[name] = next((word for word in values if word != "safe"), "safe")
        elif values:
            found[name] = Counter(map(str, values)).most_common(1)[0][0]
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


@starts_when_awaited
async def sweep(
    experiment: str = "race",
    *,
    vary: Mapping[str, Sequence[object]],
    seeds: int | Iterable[int] = 3,
    world: str | Model = "model",
    executor: Executor | None = None,
    workers: int | None = None,
    dask: str | None = None,
    out: Path | str | None = None,
    progress: bool = True,
    on_finished: Callable[[Setting, list[Row]], None] = lambda _setting, _rows: None,
    **fixed: Any,
) -> Sweep:
    """Run an experiment in the model with all combinations of some values, each with several seeds.

    Args:
        experiment: the experiment's name.
        vary: the values of what varies: parameters of the experiment, and costs of the model by their place in a file
            of costs, such as ``"database.flush": [50e-6, 10e-3]``.
        seeds: the seeds, or how many there are, from 1 on.
        world: ``"model"``, or a `Model` with costs and settings that don't vary.
        executor: where the settings are measured, any of `concurrent.futures`.
        workers: how many processes of this machine measure them; as many as it has processors, if nothing is said.
        dask: the address of a Dask scheduler, whose workers measure them.
        out: a folder that keeps each setting when it is finished, and the table at the end. A sweep that was stopped
            goes on there.
        progress: whether to show a progress bar.
        on_finished: called with each setting and its rows when it is finished, also if it was before.
        fixed: the other parameters of the experiment, and costs.

    Raises:
        BadParameterError: a parameter is invalid, or more than one of executor, workers and dask is given.
        WorldError: there is no such cluster.
    """
    where = choose(world)
    if not isinstance(where, Model):
        raise BadParameterError("a sweep runs in the model: virtual time does not depend on the machine")
    chosen = _executor(executor, workers, dask)
    which = [*range(1, seeds + 1)] if isinstance(seeds, int) else [*seeds]
    wanted = settings(experiment, vary=vary, fixed=fixed, world=where, seeds=which)
    config = {"experiment": experiment, "vary": {name: [*values] for name, values in vary.items()}, "fixed": fixed}
    found = Sweep(experiment, [*vary], {**config, "seeds": which}, describe_machine())
    with record.opened(out) as kept, Progress(shown=progress).bar(len(wanted), "setting", experiment) as bar:
        for setting in wanted:
            if setting in kept:
                bar.update()
                on_finished(setting, kept.rows(setting))
        pending = [setting for setting in wanted if setting not in kept]
        failed: dict[str, str] = {}
        with in_one_message(partial=lambda: _collected(found, wanted, kept, failed)):
            if pending:
                with chosen as pool:
                    async for setting, outcome in running.finished(pending, pool):
                        bar.update()
                        if isinstance(outcome, Exception):
                            failed[setting.key] = str(outcome)
                        else:
                            kept.add(setting, outcome)
                            on_finished(setting, kept.rows(setting))
        _collected(found, wanted, kept, failed)
    if out is not None:
        found.save(out)
    return found


def _executor(executor: Executor | None, workers: int | None, dask: str | None) -> AbstractContextManager[Executor]:
    if sum(each is not None for each in (executor, workers, dask)) > 1:
        raise BadParameterError("executor, workers and dask say where a sweep runs; give one of them")
    if executor is not None:
        return nullcontext(executor)
    if dask is not None:
        return running.dask_cluster(dask)
    if workers is not None and workers < 1:
        raise BadParameterError(f"workers is {workers}; it must be a whole number of at least 1")
    return running.processes(workers)


def _collected(
    found: Sweep, wanted: Collection[Setting], kept: record.Record, failed: Mapping[str, str]
) -> Sweep | None:
    """The sweep with what has finished, in the order of its settings; None if nothing has."""
    found.measured = [{**setting.varied, **row} for setting in wanted if setting in kept for row in kept.rows(setting)]
    found.failed = [(setting, failed[setting.key]) for setting in wanted if setting.key in failed]
    return found if found.measured else None
