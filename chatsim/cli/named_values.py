"""``NAME=VALUE`` on the command line: a parameter of an experiment, or a cost of the model."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence

from chatsim.worlds.world import BadParameterError

__all__ = ["pairs", "value_of", "values_of"]


def pairs(option: str, given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The names and the texts of an option that was given several times. Raises `BadParameterError`."""
    for each in given:
        name, equals, text = each.partition("=")
        if not (name.strip() and equals and text.strip()):
            raise BadParameterError(f"{option} {each}: write NAME=VALUE")
        yield name.strip(), text.strip()


def values_of(experiment: str, name: str, text: str) -> list[object]:
    """The values of what varies: between commas that are in no brackets."""
    parts = re.split(r",(?![^{\[]*[}\]])", text)
    return [value_of(experiment, name, each.strip()) for each in parts if each.strip()]


def value_of(experiment: str, name: str, text: str) -> object:
    """A value as it stands on the command line: of a parameter by its declaration, of a cost as in a TOML file."""
    from chatsim.experiments.parameters import parameters
    from chatsim.experiments.sweeping.setting import experiment_class

    if "." in name:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            raise BadParameterError(f"{name} is {text!r}; it must be a value as in a file of costs") from None
    declared = {each.name: each for each in parameters(experiment_class(experiment))}
    if name not in declared:
        return text  # which is refused, with the names that there are
    return declared[name].domain.parse(text)
