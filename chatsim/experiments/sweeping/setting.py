"""The settings of a sweep: all combinations of the values that vary, each with several seeds.

A setting is plain data, so that it can be sent to another process or machine, and found again in a file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatsim.experiments.base import Experiment
from chatsim.experiments.functions import EXPERIMENTS
from chatsim.experiments.parameters import BadParameterError, parameters
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.settings import Model
from chatsim.worlds.world import WorldError

__all__ = ["Setting", "experiment_class", "settings", "with_cost"]

_NOT_SWEPT = ("seed", "repeats")


@dataclass(frozen=True)
class Setting:
    """One run of an experiment in the model.

    Attributes:
        experiment: its name.
        parameters: its parameters that are not the defaults.
        costs: what things cost in the model, as in a file of costs, where that differs from the defaults.
        server: system variables of the modelled server.
        seed: of everything that is drawn.
        varied: the values that this setting has of what the sweep varies.
    """

    experiment: str
    parameters: Mapping[str, object]
    costs: Mapping[str, object]
    server: tuple[tuple[str, str], ...]
    seed: int
    varied: Mapping[str, object]

    @property
    def key(self) -> str:
        """A digest of all but ``varied``: two settings with the same key have the same rows."""
        plain = {name: value for name, value in asdict(self).items() if name != "varied"}
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]

    def prepare(self) -> tuple[Experiment, Model]:
        """The experiment, and its world. Raises `BadParameterError`, or a `WorldError` for the costs."""
        given: dict[str, Any] = {**self.parameters, "seed": self.seed}
        experiment = experiment_class(self.experiment)(**given)
        ModelCosts.read(self.costs)
        return experiment, Model(costs=self.costs, settings=self.server)


def experiment_class(name: str) -> type[Experiment]:
    """The experiment of this name. Raises `BadParameterError` if there is none."""
    by_name = {each.name: each for each in EXPERIMENTS}
    if name not in by_name:
        raise BadParameterError(f"unknown experiment {name!r}; there are: {', '.join(by_name)}")
    return by_name[name]


def settings(
    experiment: str,
    *,
    vary: Mapping[str, Sequence[object]],
    fixed: Mapping[str, object],
    world: Model,
    seeds: Sequence[int],
) -> list[Setting]:
    """All settings of a sweep, each checked as far as that goes without a run.

    Args:
        experiment: the experiment's name.
        vary: the values of what varies. A name with dots is that of a cost, such as ``database.flush``; another one is
            a parameter of the experiment.
        fixed: the parameters that are the same in all settings.
        world: the model, with the costs that don't vary.
        seeds: the seeds of each combination.

    Raises:
        BadParameterError: a name is unknown, a value is invalid, there are no values, or one can't be written as JSON.
        WorldError: the costs can't be read.
    """
    known = [each.name for each in parameters(experiment_class(experiment)) if each.name not in _NOT_SWEPT]
    for name in [*vary, *fixed]:
        if "." not in name and name not in known:
            raise BadParameterError(f"{experiment} has no parameter {name!r}; there are: {', '.join(known)}; or costs")
    for name, values in vary.items():
        if name in fixed:
            raise BadParameterError(f"{name} can't be fixed and varied")
        if not values:
            raise BadParameterError(f"there are no values of {name}")
    if not seeds:
        raise BadParameterError("there are no seeds")
    found = list(_all(experiment, vary, fixed, world, seeds))
    for each in found:
        _check(each)
    return found


def _all(
    experiment: str,
    vary: Mapping[str, Sequence[object]],
    fixed: Mapping[str, object],
    world: Model,
    seeds: Sequence[int],
) -> Iterator[Setting]:
    base = _costs(world)
    for values in itertools.product(*vary.values()):
        varied = dict(zip(vary, values, strict=True))
        own = {name: value for name, value in {**fixed, **varied}.items() if "." not in name}
        costs = base
        for name, value in {**fixed, **varied}.items():
            if "." in name:
                costs = with_cost(costs, name.split("."), value)
        for seed in seeds:
            yield Setting(experiment, own, costs, world.settings, seed, varied)


def _check(setting: Setting) -> None:
    try:
        json.dumps(asdict(setting))
    except (TypeError, ValueError):
        odd = next(name for name, value in setting.parameters.items() if not _is_plain(value))
        raise BadParameterError(
            f"{odd} is {setting.parameters[odd]!r}; a sweep takes names, numbers and lists of these"
        ) from None
    try:
        setting.prepare()
    except WorldError as error:
        raise BadParameterError(str(error)) from error


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _costs(world: Model) -> dict[str, Any]:
    """The costs that a model does not have by default, as plain values."""
    if world.costs is None:
        return {}
    if isinstance(world.costs, Mapping):
        return dict(world.costs)
    ModelCosts.read(world.costs)  # its errors are clearer
    return tomllib.loads(Path(world.costs).read_text(encoding="utf-8"))


def with_cost(costs: Mapping[str, Any], path: Sequence[str], value: object) -> dict[str, Any]:
    """The costs with another value at a place."""
    name, *rest = path
    if not rest:
        return {**costs, name: value}
    inner = costs.get(name, {})
    return {**costs, name: with_cost(inner if isinstance(inner, Mapping) else {}, rest, value)}
