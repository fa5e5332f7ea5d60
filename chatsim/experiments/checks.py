"""Verdicts, and the checks that they are made of.

A check is given what happened and what is there in the end, and gives anomalies: each names what must not be, with the
operations that prove it. `judge` makes a verdict of a history and the anomalies that all its checks have found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from chatsim.experiments.history import Operation, Outcome

__all__ = ["Anomaly", "Verdict", "Word", "disordered", "judge", "missing", "repeated", "unexpected"]

H = TypeVar("H", bound=Hashable)


class Word(StrEnum):
    """The verdict in a word, from the best to the worst.

    ``safe``: every operation succeeded and nothing is wrong. ``errors``: nothing is wrong, but callers were refused.
    ``unsafe``: something that must hold does not.
    """

    SAFE = "safe"
    ERRORS = "errors"
    UNSAFE = "unsafe"

    def is_worse_than(self, other: Word) -> bool:
        """Whether it stands behind another."""
        order = [*Word]
        return order.index(self) > order.index(other)


@dataclass(frozen=True)
class Anomaly:
    """Something that must not be.

    Attributes:
        kind: what, in a few words.
        subject: of whom or what, such as a pair of users.
        sentence: what is wrong, in one sentence.
        steps: the operations that prove it, by start.
    """

    kind: str
    subject: Hashable
    sentence: str
    steps: tuple[Operation, ...] = ()

    def explain(self) -> str:
        """The sentence, then one line per operation."""
        return "\n".join([self.sentence, *(f"  {step}" for step in self.steps)])


@dataclass(frozen=True)
class Verdict:
    """What the checks found.

    Attributes:
        word: the verdict.
        why: one sentence.
        anomalies: the proof, when it is ``unsafe``.
    """

    word: Word
    why: str
    anomalies: tuple[Anomaly, ...] = ()

    def explain(self) -> str:
        """The sentence and the first anomalies with their operations."""
        return "\n".join([f"{self.word}: {self.why}", *(anomaly.explain() for anomaly in self.anomalies[:3])])

    def count(self, kind: str) -> int:
        """How many anomalies are of a kind."""
        return sum(anomaly.kind == kind for anomaly in self.anomalies)


def judge(history: Sequence[Operation], anomalies: Iterable[Anomaly], *, safe: str, refused: str) -> Verdict:
    """The verdict on a history.

    Args:
        history: what happened; an operation whose outcome is unknown is allowed to have happened or not.
        anomalies: what the checks found.
        safe: why nothing is wrong, in one sentence, if nothing is.
        refused: what the callers that were refused did not get, such as ``callers got no thread``.
    """
    found = tuple(anomalies)
    if found:
        more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        return Verdict(Word.UNSAFE, found[0].sentence + more, found)
    if failed := [operation for operation in history if operation.outcome is not Outcome.OK]:
        causes = Counter(operation.reason.partition(":")[0] for operation in failed)
        by = ", ".join(f"{count:,} by {cause}" for cause, count in causes.most_common())
        return Verdict(Word.ERRORS, f"{len(failed):,} of {len(history):,} {refused}: {by}; for one, {failed[0]}")
    return Verdict(Word.SAFE, safe)


# --- lists that somebody reads: what should be seen, and what has been seen, in their orders


def missing(expected: Iterable[H], seen: Iterable[H]) -> list[H]:
    """What should have been seen and was not."""
    there = set(seen)
    return [each for each in expected if each not in there]


def unexpected(allowed: Collection[H], seen: Iterable[H]) -> list[H]:
    """What was seen and should not be there."""
    known = set(allowed)
    return [each for each in dict.fromkeys(seen) if each not in known]


def repeated(seen: Iterable[H]) -> list[H]:
    """What was seen more than once, each named once."""
    return [each for each, times in Counter(seen).items() if times > 1]


def disordered(expected: Sequence[H], seen: Iterable[H]) -> list[H]:
    """What was seen for the first time behind something that belongs behind it; what is not expected is passed over."""
    place = {each: at for at, each in enumerate(expected)}
    found, furthest, known = [], -1, set[H]()
    for each in seen:
        if each not in place:
            continue
        if place[each] < furthest and each not in known:
            found.append(each)
        furthest = max(furthest, place[each])
        known.add(each)
    return found
