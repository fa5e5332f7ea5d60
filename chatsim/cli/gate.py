"""The gate of an experiment's command: what must be safe, and is not, or has not been tested."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from chatsim.experiments.checks import Word

if TYPE_CHECKING:
    from chatsim.experiments.base import Experiment
    from chatsim.experiments.result import Result, Variant

__all__ = ["gate"]


def gate(experiment: Experiment, result: Result, musts: Collection[str]) -> list[str]:
    """The sentences that say why the gate is closed; empty if it is open.

    Nothing that it judges may be unsafe or have errors. And what differs in more than the circumstances (`Experiment`)
    must have been tested, under one of them at least.

    Args:
        experiment: says which column is judged, and which columns are circumstances.
        result: the finished variants.
        musts: the values of that column that must be safe. If the experiment has no such column, all variants must be.
    """
    column = experiment.judged[0] if experiment.judged else ""
    judged = [each for each in result.variants if each.verdict and (not column or each.key[column] in musts)]
    unsafe = [each for each in judged if _word(each).is_worse_than(Word.NOT_TESTED)]
    tested = {_identity(experiment, each) for each in judged if _word(each) is not Word.NOT_TESTED}
    untested = [each for each in judged if _identity(experiment, each) not in tested]
    sentences = [f"Not safe: {_listed(column, unsafe)}"] if unsafe else []
    for why in dict.fromkeys(each.verdict.why for each in untested if each.verdict):
        those = [each for each in untested if each.verdict and each.verdict.why == why]
        sentences.append(f"Not tested: {_listed(column, those)}: {why}")
    absent = sorted({*musts} - {str(each.key[column]) for each in judged}) if column else []
    return [*sentences, *([f"Not tested: {', '.join(absent)}: no row is about it"] if absent else [])]


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
