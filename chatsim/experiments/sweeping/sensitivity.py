"""Which cost matters for which figure: each cost of the model is changed, one at a time."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.statistics import mean_interval
from chatsim.experiments.sweeping import running
from chatsim.experiments.sweeping.measuring import Row
from chatsim.experiments.sweeping.setting import Setting, settings, with_cost
from chatsim.experiments.variant import number
from chatsim.progress import Progress
from chatsim.worlds.choice import choose
from chatsim.worlds.model.costs import defaults
from chatsim.worlds.model.settings import Model
from chatsim.worlds.notebook import in_one_message, starts_when_awaited

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sensitivity", "sensitivity"]

MEASURES = ("goodput_per_s", "p50_ms", "p99_ms", "deadlocks_per_op")
CHANGE = 0.2
SEEDS = 5

_NOT_SCALED = ("cores", "connections", "misses", "sigma", "kind")
"""The names of values that are no cost: numbers of things, shares, shapes."""


@dataclass(frozen=True, repr=False)
class Sensitivity:
    """How figures change with each cost.

    Attributes:
        experiment: the experiment's name.
        change: how far each cost was changed, as a share of it.
        changes: by cost and measure, the change of the measure from the smaller to the larger cost, relative to the
            mean of both: the mean over variants, for each seed. A measure that was 0 in both is left out.
    """

    experiment: str
    change: float
    changes: Mapping[str, Mapping[str, Sequence[float]]]

    @property
    def table(self) -> pd.DataFrame:
        """A row for each cost: the mean change of each measure, None where its interval of 95 % has 0 in it.

        The cost that changes one of them most comes first. The ends of the intervals are in the columns with ``_low``
        and ``_high``.
        """
        import pandas as pd

        rows = [{"cost": cost, **_row(measures)} for cost, measures in self.changes.items()]
        rows.sort(key=lambda row: -max((abs(number(row.get(name)) or 0.0) for name in MEASURES), default=0.0))
        names = [name for name in MEASURES if any(name in row for row in rows)]
        ends = [f"{name}_{end}" for name in names for end in ("low", "high")]
        return pd.DataFrame(rows, columns=["cost", *names, *ends])

    def conditions(self) -> str:
        """What was changed, in words."""
        return f"{self.experiment} in the model, each cost from {1 - self.change:.0%} to {1 + self.change:.0%} of it"

    def headlines(self) -> pd.DataFrame:
        """The table in percent, without the ends of the intervals."""
        table = self.table
        names = [name for name in MEASURES if name in table]
        return table[["cost"]].join(
            table[names].astype(float).map(lambda share: round(100 * share, 1)).add_suffix(" %")
        )

    def __repr__(self) -> str:
        return f"{self.conditions()}\n{self.headlines().to_string(index=False, na_rep='')}"

    def _repr_html_(self) -> str:
        table = self.headlines().to_html(index=False, na_rep="", float_format="{:+.1f}".format)
        return f"<p>{escape(self.conditions())}</p>{table}"


def _row(measures: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, changes in measures.items():
        low, high = mean_interval([1 + each for each in changes]) or (1.0, 1.0)
        mean = float(np.mean(changes))
        alone = len(changes) == 1
        found[name] = mean if alone or low > 1 or high < 1 else None
        found[f"{name}_low"], found[f"{name}_high"] = (None, None) if alone else (low - 1, high - 1)
    return found


@starts_when_awaited
async def sensitivity(
    experiment: str = "race",
    *,
    world: str | Model = "model",
    change: float = CHANGE,
    seeds: int = SEEDS,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: bool = True,
    **parameters: Any,
) -> Sensitivity:
    """Change each cost of the model, one at a time, and say how throughput, p50, p99 and deadlocks change with it.

    Each cost is made smaller and larger by the same share, with the same seeds. Those that are 0, and numbers of
    things such as cores, are left as they are.

    Args:
        experiment: the experiment's name.
        world: ``"model"``, or a `Model` with calibrated costs: only the costs that it gives are changed. With the
            defaults, all are.
        change: how far, as a share of the cost.
        seeds: how many runs there are with each cost.
        executor: where they are run, any of `concurrent.futures`.
        workers: how many processes of this machine run them; as many as it has processors, if nothing is said.
        progress: whether to show a progress bar.
        parameters: those of the experiment.

    Raises:
        BadParameterError: a parameter is invalid, or there is no cost to be changed.
        WorldError: the costs can't be read, or a run is not possible.
    """
    where = choose(world)
    if not isinstance(where, Model):
        raise BadParameterError("costs are those of the model: a real server can't be made slower")
    if not 0 < change < 1:
        raise BadParameterError(f"change is {change}; it must be between 0 and 1")
    if seeds < 1:
        raise BadParameterError(f"seeds is {seeds}; it must be a whole number of at least 1")
    if executor is not None and workers is not None:
        raise BadParameterError("executor and workers say where it runs; give one of them")
    base = settings(experiment, vary={}, fixed=parameters, world=where, seeds=[*range(1, seeds + 1)])
    scalable = dict(_scalable(base[0].costs or tomllib.loads(defaults())))
    if not scalable:
        raise BadParameterError("there is no cost above 0 that could be changed")
    pairs = {
        ".".join(path): [[_scaled(each, path, value, factor) for factor in (1 - change, 1 + change)] for each in base]
        for path, value in scalable.items()
    }
    wanted = [setting for found in pairs.values() for pair in found for setting in pair]
    chosen: AbstractContextManager[Executor] = running.processes(workers) if executor is None else nullcontext(executor)
    rows: dict[str, list[Row]] = {}
    with in_one_message(), Progress(shown=progress).bar(len(wanted), "run", experiment) as bar, chosen as pool:
        async for setting, outcome in running.finished(wanted, pool):
            if isinstance(outcome, Exception):
                raise outcome
            rows[setting.key] = outcome
            bar.update()
    changes = {
        name: _over_seeds([_changes(rows[low.key], rows[high.key]) for low, high in found])
        for name, found in pairs.items()
    }
    return Sensitivity(experiment, change, changes)


def _scalable(costs: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """The costs above 0, by their places. A distribution is one cost."""
    for name, value in costs.items():
        if isinstance(value, Mapping) and "kind" not in value:
            yield from _scalable(value, (*at, name))
        elif name not in _NOT_SCALED and _times(value, 2.0) != value:
            yield (*at, name), value


def _times(value: object, factor: float) -> object:
    """A cost, or a distribution of it, times a factor."""
    if isinstance(value, Mapping):
        return {name: each if name in _NOT_SCALED else _times(each, factor) for name, each in value.items()}
    if isinstance(value, list):
        return [_times(each, factor) for each in value]
    known = number(value)
    return value if known is None else known * factor


def _scaled(setting: Setting, path: Sequence[str], value: object, factor: float) -> Setting:
    return replace(setting, costs=with_cost(setting.costs, path, _times(value, factor)))


def _changes(low: Sequence[Row], high: Sequence[Row]) -> dict[str, float]:
    """The mean over variants of each measure's change between two runs, relative to the mean of both."""
    found = {}
    for name in MEASURES:
        pairs = [(number(one.get(name)), number(other.get(name))) for one, other in zip(low, high, strict=True)]
        known = [(one, other) for one, other in pairs if one is not None and other is not None and one + other > 0]
        if known:
            found[name] = float(np.mean([2 * (other - one) / (one + other) for one, other in known]))
    return found


def _over_seeds(changes: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    names = [name for name in MEASURES if any(name in each for each in changes)]
    return {name: [each[name] for each in changes if name in each] for name in names}
