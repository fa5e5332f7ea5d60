"""The comparison of two results: by how much do they differ, and could that be chance?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.experiments import tables
from chatsim.experiments.result import Result
from chatsim.experiments.statistics import ratio_interval
from chatsim.experiments.variant import Variant, number
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "compare"]

_OWN = ("started", "command", "other_load", "warnings")
"""What of an environment is of one run only, and makes no difference between two."""

ONE_EACH = "one run each: no interval"


@dataclass(frozen=True)
class Comparison:
    """How a result differs from another one.

    Attributes:
        rows: a dict for each measure of each common variant: the variant's key, the measure, its mean in both results,
            the quotient of the geometric means (other by base), the ends of its interval, and a note in words. What is
            not known is None.
        differences: how the conditions of the two results differ, and verdicts that do, a sentence each.
        confidence: the level of each interval.
    """

    rows: list[dict[str, object]]
    differences: list[str]
    confidence: float = 0.95

    def table(self) -> pd.DataFrame:
        """The rows as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def __repr__(self) -> str:
        return "\n".join(
            [self.table().to_string(index=False, na_rep="–", float_format="{:,.3g}".format), *self.lines()]
        )

    def _repr_html_(self) -> str:
        return tables.html(self.table(), precision=3) + "".join(
            f"<p><small>{escape(each)}</small></p>" for each in self.lines()
        )

    def lines(self) -> list[str]:
        """What is to be said of the table, in sentences."""
        level = f"{self.confidence:.0%}".replace("%", " %")
        sure = sum(row["low"] is not None for row in self.rows)
        chance = [f"Of {sure} intervals of {level}, about {sure * (1 - self.confidence):.1g} exclude 1 by chance."]
        return [*(chance if sure else []), *self.differences]


def compare(base: Result | Path | str, other: Result | Path | str, *, confidence: float = 0.95) -> Comparison:
    """Compare ``other`` with ``base``: for each common variant, and each measure that is shown, a quotient.

    The interval of a quotient is over repetitions: operations of one run depend on each other, and whole runs differ
    more than their operations tell. So measure with ``repeats``; one run has no interval. It is Welch's, of the
    logarithms, and keeps its level with few repetitions (`chatsim.experiments.statistics.ratio_interval`). Measures
    that are added up, such as lost messages, have no quotient.

    Args:
        base: the result to compare with, or the folder where it is saved.
        other: the result that is compared, or its folder.
        confidence: the level of each interval.

    Raises:
        BadParameterError: the results have no variant in common, or a folder has none; or the level is not between
            0 and 1.
    """
    if not 0 < confidence < 1:
        raise BadParameterError(f"confidence is {confidence!r}; it must be between 0 and 1")
    one, two = (_loaded(each) for each in (base, other))
    common = [(each, twin) for each in one.variants for twin in two.variants if each.key == twin.key]
    if not common or one.config["experiment"] != two.config["experiment"]:
        raise BadParameterError(
            f"the results have nothing in common: one has {_named(one)}; the other has {_named(two)}"
        )
    rows = [row for each, twin in common for row in _rows(one, each, twin, confidence)]
    return Comparison(rows, [*_differences(one, two), *_verdicts(common)], confidence)


def _loaded(result: Result | Path | str) -> Result:
    from chatsim.experiments.saved import load

    return result if isinstance(result, Result) else load(result)


def _named(result: Result) -> str:
    return f"{result.config['experiment']}: {'; '.join(each.name for each in result.variants) or 'nothing'}"


def _rows(result: Result, base: Variant, other: Variant, confidence: float) -> Iterator[dict[str, object]]:
    for name in result.shown:
        one, two = base.numbers(name), other.numbers(name)
        if name in base.key or name in result.totals or not (one and two):
            continue
        row = {"measure": name, "base": number(base.measures[name]), "other": number(other.measures[name])}
        yield {**base.key, **row, **_quotient(one, two, confidence)}


def _quotient(base: list[float], other: list[float], confidence: float) -> dict[str, object]:
    if min(*base, *other) <= 0:
        return {"ratio": None, "low": None, "high": None, "note": "zero somewhere: no quotient"}
    ratio, low, high = ratio_interval(base, other, confidence)
    if low is None or high is None:
        few = ONE_EACH if len(base) == len(other) == 1 else "one run on one side: no interval"
        return {"ratio": ratio, "low": None, "high": None, "note": few}
    note = "higher" if low > 1 else "lower" if high < 1 else "equal" if low == high else "no difference shown"
    return {"ratio": ratio, "low": low, "high": high, "note": note}


def _differences(one: Result, two: Result) -> Iterator[str]:
    """How the conditions differ: parameters, costs, versions, machine."""
    for what, a, b in (("parameters", one.config, two.config), ("environment", one.environment, two.environment)):
        ours, theirs = _flat(a), _flat(b)
        for name in dict.fromkeys([*ours, *theirs]):
            if name.partition(".")[0] not in _OWN and ours.get(name) != theirs.get(name):
                yield f"Not the same {what}: {name} is {_said(ours, name)} there, {_said(theirs, name)} here."


def _said(values: Mapping[str, object], name: str) -> str:
    return str(values[name]) if name in values else "not recorded"


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested values by the path of their names, with dots."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _verdicts(common: list[tuple[Variant, Variant]]) -> Iterator[str]:
    for each, twin in common:
        if each.verdict and twin.verdict and each.verdict.word is not twin.verdict.word:
            yield f"{each.name} is {each.verdict.word} there, {twin.verdict.word} here."
