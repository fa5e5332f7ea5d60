"""The gate of a result: what must be safe, and is not, or has not been tested."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.experiments.checks import Word

if TYPE_CHECKING:
    from chatsim.experiments.base import Experiment
    from chatsim.experiments.result import Result
    from chatsim.experiments.variant import Variant

__all__ = ["Gate", "gate"]


@dataclass(frozen=True)
class Gate:
    """What of a result must be safe, and is not, or has not been tested.

    Attributes:
        unsafe: the variants that are unsafe or have errors.
        untested: the variants that have not been tested.
        absent: the names that no variant is about.
        column: the column whose values are judged; empty if all variants are.
    """

    unsafe: Sequence[Variant]
    untested: Sequence[Variant]
    absent: Sequence[str]
    column: str

    def sentences(self) -> list[str]:
        """Why it is closed; empty if it is open."""
        found = [f"Not safe: {_listed(self.column, self.unsafe)}"] if self.unsafe else []
        for why in dict.fromkeys(_why(each) for each in self.untested):
            those = [each for each in self.untested if _why(each) == why]
            found.append(f"Not tested: {_listed(self.column, those)}: {why}")
        return [*found, *([f"Not tested: {', '.join(self.absent)}: no row is about it"] if self.absent else [])]


def gate(experiment: Experiment, result: Result, musts: Collection[str]) -> Gate:
    """The gate of a result.

    Nothing that it judges may be unsafe or have errors. And what differs in more than the circumstances (`Experiment`)
    must have been tested, under one of them at least.

    Args:
        experiment: says which column is judged, and which columns are circumstances.
        result: the finished variants.
        musts: the values of that column that must be safe. If the experiment has no such column, all variants must be.
    """
    column = experiment.judged[0] if experiment.judged else ""
    judged = [each for each in result.variants if each.verdict and (not column or each.key[column] in musts)]
    tested = {_identity(experiment, each) for each in judged if _word(each) is not Word.NOT_TESTED}
    return Gate(
        unsafe=[each for each in judged if _word(each).is_worse_than(Word.NOT_TESTED)],
        untested=[each for each in judged if _identity(experiment, each) not in tested],
        absent=sorted({*musts} - {str(each.key[column]) for each in judged}) if column else [],
        column=column,
    )


def _why(variant: Variant) -> str:
    return variant.verdict.why if variant.verdict else ""


def _word(variant: Variant) -> Word:
    assert variant.verdict is not None
    return variant.verdict.word


def _identity(experiment: Experiment, variant: Variant) -> tuple[object, ...]:
    return tuple(value for name, value in variant.key.items() if name not in experiment.circumstances)


def _listed(column: str, variants: Iterable[Variant]) -> str:
    """The names, each with what tells its rows from its others."""
    rows: dict[str, list[str]] = {}
    for each in variants:
        if not column:
            rows[each.name] = []
            continue
        others = [str(value) for name, value in each.key.items() if name != column]
        rows.setdefault(str(each.key[column]), []).append(", ".join(others))
    return ", ".join(f"{name} ({'; '.join(where)})" if where else name for name, where in rows.items())
