"""A variant: one of the things that an experiment compares, with its measures, of one repetition or of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from chatsim.experiments.checks import Verdict, Word
from chatsim.experiments.history import Operation

if TYPE_CHECKING:
    from chatsim.db.deadlock import Deadlock

__all__ = ["Variant", "combined", "number", "verdict_words"]


@dataclass(frozen=True)
class Variant:
    """One of the things that an experiment compares, with its measures.

    Attributes:
        key: what distinguishes it from other variants of the result, by column, such as a strategy and a pattern.
        measures: the measures, by column; None if unknown.
        verdict: the verdict, if there are checks.
        operations: the history.
        window_s: the length of the measured window, in seconds.
        deadlock: its last deadlock, if there was one and the server has reported it.
        seed: the seed of its repetition, if it is of one.
        repetitions: those that it combines; empty if it is one itself.
    """

    key: Mapping[str, object]
    measures: Mapping[str, object]
    verdict: Verdict | None = None
    operations: Sequence[Operation] = ()
    window_s: float = 0.0
    deadlock: Deadlock | None = None
    seed: int | None = None
    repetitions: Sequence[Variant] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", [*self.operations])  # so that a loaded one is equal

    def __getitem__(self, column: str) -> object:
        return self.row()[column]

    @property
    def name(self) -> str:
        """The values of its key, in words."""
        return ", ".join(str(value) for value in self.key.values())

    @property
    def runs(self) -> Sequence[Variant]:
        """Its repetitions; itself if it is one."""
        return self.repetitions or (self,)

    def numbers(self, column: str) -> list[float]:
        """The values of a measure in all repetitions, as far as they are known."""
        values = (number(each.measures.get(column)) for each in self.runs)
        return [each for each in values if each is not None]

    def row(self) -> dict[str, object]:
        """Its key, its measures and its verdict."""
        row = {**self.key, **self.measures}
        if self.verdict is not None:
            row |= {"verdict": self.verdict.word.value, "why": self.verdict.why, "remark": self.verdict.remark}
        return row


def number(value: object) -> float | None:
    """A measure as a number; None if it is none."""
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def verdict_words(row: Mapping[str, object]) -> str | None:
    """The verdict of a row for a table: the word, and the remark that goes with it; None if there is no verdict."""
    word, remark = row.get("verdict"), row.get("remark")
    return None if word is None else f"{word}, but {remark}" if remark else str(word)


def combined(runs: Sequence[Variant], totals: Collection[str]) -> Variant:
    """Several repetitions of a variant as one.

    Args:
        runs: the repetitions.
        totals: the measures that are added up. Of other numbers it has the mean.
    """
    if len(runs) == 1:
        return runs[0]
    names = dict.fromkeys(chain.from_iterable(each.measures for each in runs))
    return Variant(
        key=runs[0].key,
        measures={name: _together([each.measures.get(name) for each in runs], name in totals) for name in names},
        verdict=_decisive(runs),
        operations=[*chain.from_iterable(each.operations for each in runs)],
        window_s=sum(each.window_s for each in runs),
        deadlock=next((each.deadlock for each in runs if each.deadlock), None),
        repetitions=tuple(runs),
    )


def _together(values: Sequence[object], added: bool) -> object:  # noqa: FBT001 - of one call
    known = [each for each in values if each is not None]
    if not known:
        return None
    if all(isinstance(each, Mapping) for each in known):  # counts by name
        return dict(sum((Counter(each) for each in known if isinstance(each, Mapping)), Counter[str]()))
    numbers = [each for each in map(number, known) if each is not None]
    if len(numbers) < len(known):
        return known[0]
    if added:
        return sum(numbers)
    return known[0] if len({*numbers}) == 1 else float(np.mean(numbers))


def _decisive(runs: Sequence[Variant]) -> Verdict | None:
    """The worst verdict of those that have tested something, with the anomalies of all repetitions."""
    judged = [(each, each.verdict) for each in runs if each.verdict is not None]
    if not judged:
        return None
    tested = [each for each in judged if each[1].word is not Word.NOT_TESTED] or judged
    worst, verdict = tested[0]
    for each, other in tested:
        if other.word.is_worse_than(verdict.word):
            worst, verdict = each, other
    anomalies = tuple(chain.from_iterable(each.anomalies for _, each in judged))
    return replace(verdict, why=_where(worst, verdict, runs), anomalies=anomalies, remark=_remark(judged))


def _remark(judged: Sequence[tuple[Variant, Verdict]]) -> str:
    remarks = [each.remark for _, each in judged if each.remark]
    return f"{remarks[0]}, in the first of {len(remarks)} such repetitions" if remarks else ""


def _where(worst: Variant, verdict: Verdict, runs: Sequence[Variant]) -> str:
    """Why the verdict is so, and in how many of the repetitions."""
    if verdict.word is Word.NOT_TESTED:
        return verdict.why
    such = sum(each.verdict is not None and each.verdict.word is verdict.word for each in runs)
    return f"{such} of {len(runs)} repetitions, the first with seed {worst.seed}: {verdict.why}"
