"""Experiments that are run for an assertion: what is not safe in their results, in text; or nothing."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, TypeVar

from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.gate import gate
from chatsim.experiments.parameters import parameters
from chatsim.experiments.runner import run
from chatsim.pytest.drawing import WIDTH, limited, wrapped
from chatsim.pytest.loops import in_no_loop
from chatsim.pytest.own_schema import OwnSchema
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chatsim.experiments.base import Experiment
    from chatsim.experiments.result import Result
    from chatsim.experiments.variant import Variant

__all__ = ["catch_up", "judged", "race"]

E = TypeVar("E", bound="Experiment")

_SHAPE = {"clients": 8, "rounds": 20}
_ABSENCE = {"threads": 2, "missed": 10, "writers": 6, "rtt": 5.0}
"""There are more writers than threads, so that some write into the same thread at the same time."""


def race(strategy: object, given: Mapping[str, object]) -> Race:
    """The race of a strategy. Raises as `chatsim.race`."""
    return _made(Race, _SHAPE | {**given, "strategies": strategy})


def catch_up(protocol: str, given: Mapping[str, object]) -> CatchUp:
    """The catch-up by a protocol, while others write. Raises as `chatsim.catchup`."""
    return _made(CatchUp, _ABSENCE | {**given, "protocols": protocol})


def _made(kind: type[E], given: dict[str, Any]) -> E:
    known = [each.name for each in parameters(kind)]
    if unknown := [name for name in given if name not in known]:
        raise BadParameterError(f"there is no parameter {unknown[0]!r}; {kind.name} has: {', '.join(known)}")
    return kind(**given)


def judged(experiment: Experiment, world: object) -> tuple[Result, str | None]:
    """The result of an experiment that is run in a world, and what in it is not safe.

    Raises:
        BadParameterError, StrategyError, WorldError: as the functions of experiments.
    """
    where = _where(world)
    result = in_no_loop(lambda: asyncio.run(run(experiment, where, progress=False)))
    if not result.variants:
        return result, "not tested: nothing was measured"
    (column, _) = experiment.judged or ("", "")
    found = gate(experiment, result, {str(each.key[column]) for each in result.variants})
    if not (wrong := [*found.unsafe, *found.untested]):
        return result, None
    return result, "\n".join([*map(_said, wrong), *wrapped(f"({result.conditions()})")])


def _where(world: object) -> object:
    """The world that is meant: the named server, or else the model; that of a schema of a test's own is enough."""
    if isinstance(world, OwnSchema):
        return Servers(mysql_url=world.url.rpartition("/")[0]) if world.url else "model"
    if world is None:
        return "mysql" if os.environ.get(Servers().service().variable) else "model"
    return world


def _said(variant: Variant) -> str:
    """What is wrong with one row of a result, with its proof."""
    assert variant.verdict is not None
    first, *proof = variant.verdict.explain().splitlines()
    deadlock = [] if variant.deadlock is None else ["A deadlock of it:", *variant.deadlock.ring(WIDTH - 2).splitlines()]
    return limited([*wrapped(f"{variant.name} is {first}", indent=""), *(f"  {line}" for line in [*proof, *deadlock])])
