"""Costs as counts, compared with what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TypeAlias, TypeVar

from chatsim.experiments.result import Result
from chatsim.pytest.own_schema import Measured
from chatsim.worlds.world import BadParameterError, Costs

__all__ = ["Expected", "wrong_costs"]

T = TypeVar("T")

Expected: TypeAlias = "int | float | range"
"""Exactly so many; or as many as a range has."""

_KNOWN = tuple(Costs.__dataclass_fields__)


def wrong_costs(result: Measured[T] | Result, expected: Mapping[str, Expected]) -> str | None:
    """Which costs are not those that are expected; None if all are.

    Raises:
        BadParameterError: nothing is expected, there is no such cost, or ``result`` has none.
    """
    if not expected:
        raise BadParameterError(f"no cost is named; there are: {', '.join(_KNOWN)}")
    for name, value in expected.items():
        if name not in _KNOWN:
            raise BadParameterError(f"there is no cost {name!r}; there are: {', '.join(_KNOWN)}")
        if isinstance(value, bool) or not isinstance(value, int | float | range):
            raise BadParameterError(f"{name} is {value!r}; it can be a number, or a range such as range(1, 101)")
    if isinstance(result, Measured):
        return _of_one(result, expected)
    if isinstance(result, Result):
        return _of_variants(result, expected)
    raise BadParameterError(f"{result!r} has no costs; give what OwnSchema.run returns, or the result of an experiment")


def _of_one(measured: Measured[T], expected: Mapping[str, Expected]) -> str | None:
    if not measured.costs.round_trips:
        return "not tested: no statement was sent"
    found = _differences(asdict(measured.costs), expected)
    if not found:
        return None
    read = ", ".join(f"{name} {count:,}" for name, count in (measured.reads.by_index or {}).items())
    return "; ".join(found) + (f"\n  rows read, by index: {read}" if read else "")


def _of_variants(result: Result, expected: Mapping[str, Expected]) -> str | None:
    if not result.variants:
        return "not tested: nothing was measured"
    lines = []
    for variant in result.variants:
        costs = {name: variant.measures.get(name, variant.measures.get(f"{name}_per_op")) for name in expected}
        if found := _differences(costs, expected):
            lines.append(f"{variant.name}: {'; '.join(found)}")
    return "\n".join(lines) or None


def _differences(costs: Mapping[str, object], expected: Mapping[str, Expected]) -> list[str]:
    return [
        f"{name} is not tested: it was not counted"
        if (value := costs[name]) is None
        else f"{name} is {_number(value)}, and not {_words(wanted)}"
        for name, wanted in expected.items()
        if costs[name] is None or not _is(costs[name], wanted)
    ]


def _is(value: object, wanted: Expected) -> bool:
    return value in wanted if isinstance(wanted, range) else value == wanted


def _words(wanted: Expected) -> str:
    if isinstance(wanted, range):
        return f"from {wanted[0]:,} to {wanted[-1]:,}" if wanted else "in the empty range"
    return f"{wanted:,}"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
