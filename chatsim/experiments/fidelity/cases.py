"""The cases that are predicted and measured: an experiment with parameters, of which each variant has measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chatsim.experiments.base import Experiment
from chatsim.experiments.result import Result
from chatsim.experiments.sweeping.setting import experiment_class
from chatsim.experiments.variant import number
from chatsim.worlds.model.settings import Model
from chatsim.worlds.world import World

__all__ = ["COUNTS", "MEASURES", "Case", "Point", "Values", "measured", "predicted", "race_cases"]

MEASURES = ("goodput_per_s", "p50_ms", "p95_ms", "p99_ms", "deadlocks_per_op", "retries_per_op", "lock_waits_per_op")
"""What is compared."""

COUNTS = ("round_trips_per_op", "statements_per_op", "rows_examined_per_op")
"""What an operation asks of the database."""

Point = tuple[str, tuple[str, ...]]
"""A case and one of its variants: the case's name, and the values of the variant's key."""

Values = dict[Point, dict[str, float]]
"""The measures of one run of a case, by point; those that are known."""


@dataclass(frozen=True)
class Case:
    """An experiment with parameters.

    Attributes:
        name: in words, such as ``race, 12 clients``.
        clients: how many clients it has.
        experiment: the experiment's name.
        parameters: those that are not the defaults.
    """

    name: str
    clients: int
    experiment: str
    parameters: Mapping[str, object] = field(repr=False)

    def made(self, seed: int) -> Experiment:
        """The experiment, with a seed. Raises `BadParameterError`."""
        return experiment_class(self.experiment)(**{**self.parameters, "seed": seed})  # type: ignore[arg-type]


def race_cases(
    *, strategies: Sequence[str], patterns: Sequence[str], clients: Sequence[int], operations: int
) -> list[Case]:
    """A race straight on the database for each number of clients: about so many operations of each variant."""
    return [
        Case(
            f"race, {count} clients",
            count,
            "race",
            {
                "strategies": ",".join(strategies),
                "pattern": [*patterns],
                "clients": count,
                "rounds": max(4, operations // max(1, count)),
            },
        )
        for count in clients
    ]


async def measured(world: World, case: Case, seed: int) -> Values:
    """Run a case in a world."""
    experiment = case.made(seed)
    result = experiment.result(world.name)
    await experiment.run(world, result)
    return _values(case, result)


def predicted(case: Case, costs: Mapping[str, object], seed: int) -> Values:
    """Run a case in the model with these costs."""
    experiment = case.made(seed)
    result = experiment.result("model")
    Model(costs=costs).run(lambda there: experiment.run(there, result), seed=seed)
    return _values(case, result)


def _values(case: Case, result: Result) -> Values:
    return {
        (case.name, tuple(map(str, each.key.values()))): {
            name: value for name in (*MEASURES, *COUNTS) if (value := number(each.measures.get(name))) is not None
        }
        for each in result.variants
    }
