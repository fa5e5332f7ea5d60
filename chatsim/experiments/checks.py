"""Checks and verdicts.

A check gets the history and the final state, and returns anomalies. Each anomaly names something that must not happen,
with the operations that prove it. `judge` makes a verdict of a history and of the anomalies of all checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from chatsim.experiments.history import Operation, Outcome

__all__ = ["Anomaly", "Verdict", "Word", "disordered", "judge", "missing", "overlapped", "repeated", "unexpected"]

H = TypeVar("H", bound=Hashable)


class Word(StrEnum):
    """The verdict in one word, from the best to the worst.

    ``safe``: every operation has succeeded, and there is no anomaly. ``not tested``: so it is, but nothing could have
    gone wrong, for instance because no two operations overlapped. ``errors``: there is no anomaly, but callers were
    refused, or operations have not been carried out. ``unsafe``: there is an anomaly.
    """

    SAFE = "safe"
    NOT_TESTED = "not tested"
    ERRORS = "errors"
    UNSAFE = "unsafe"

    def is_worse_than(self, other: Word) -> bool:
        """Whether it is worse than another one."""
        order = [*Word]
        return order.index(self) > order.index(other)


@dataclass(frozen=True)
class Anomaly:
    """Something that must not happen.

    Attributes:
        kind: the kind of the anomaly, in a few words.
        subject: what it concerns, such as a pair of users.
        sentence: what is wrong, in one sentence.
        steps: the operations that prove it, ordered by start.
    """

    kind: str
    subject: Hashable
    sentence: str
    steps: tuple[Operation, ...] = ()

    def explain(self) -> str:
        """The sentence, and a line for each operation."""
        return "\n".join([self.sentence, *(f"  {step}" for step in self.steps)])


@dataclass(frozen=True)
class Verdict:
    """The result of all checks.

    Attributes:
        word: the verdict in one word.
        why: the reason, in one sentence.
        anomalies: the proof, if it is ``unsafe``.
        remark: what one has to know of a good verdict, such as rows that are left over, in a few words; may be empty.
    """

    word: Word
    why: str
    anomalies: tuple[Anomaly, ...] = ()
    remark: str = ""

    def explain(self) -> str:
        """The sentence and the first anomalies with their operations."""
        return "\n".join([f"{self.word}: {self.why}", *(anomaly.explain() for anomaly in self.anomalies[:3])])

    def count(self, kind: str) -> int:
        """The number of anomalies of a kind."""
        return sum(anomaly.kind == kind for anomaly in self.anomalies)


def judge(
    history: Sequence[Operation],
    anomalies: Iterable[Anomaly],
    *,
    safe: str,
    refused: str,
    asked: int = 0,
    untested: str = "",
) -> Verdict:
    """The verdict on a history.

    Args:
        history: the operations. An operation with an unknown outcome may have happened or not.
        anomalies: the anomalies of all checks.
        safe: the sentence for a safe verdict.
        refused: what refused callers did not get, such as ``callers got no thread``.
        asked: the number of operations that were to be carried out, if it is known; none of them may be missing.
        untested: why nothing could have gone wrong, and what to ask for instead; empty if something could.
    """
    found = tuple(anomalies)
    if found:
        more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        return Verdict(Word.UNSAFE, found[0].sentence + more, found)
    left = f"{asked - len(history):,} of {asked:,} operations have not been carried out" if len(history) < asked else ""
    if failed := [operation for operation in history if operation.outcome is not Outcome.OK]:
        causes = Counter(operation.reason.partition(":")[0] for operation in failed)
        by = ", ".join(f"{count:,} by {cause}" for cause, count in causes.most_common())
        more = f"; {left}" if left else ""
        return Verdict(Word.ERRORS, f"{len(failed):,} of {len(history):,} {refused}: {by}; for one, {failed[0]}{more}")
    if left:
        return Verdict(Word.ERRORS, left)
    if not history or untested:
        return Verdict(Word.NOT_TESTED, untested or "there was not a single operation")
    return Verdict(Word.SAFE, safe)


def overlapped(history: Iterable[Operation], subject: Callable[[Operation], Hashable]) -> bool:
    """Whether two operations on the same subject overlapped in time, so that they could collide.

    Args:
        history: the operations. Those of one client follow each other.
        subject: what an operation is about, such as a pair of users.
    """
    ends: dict[Hashable, float] = {}
    for each in sorted(history, key=lambda operation: operation.start):
        about = subject(each)
        if about in ends and each.start < ends[about]:
            return True
        ends[about] = max(each.end, ends.get(about, each.end))
    return False


# --- lists that a client reads: the expected entries, and the seen ones, in order


def missing(expected: Iterable[H], seen: Iterable[H]) -> list[H]:
    """Expected entries that were not seen."""
    there = set(seen)
    return [each for each in expected if each not in there]


def unexpected(allowed: Collection[H], seen: Iterable[H]) -> list[H]:
    """Seen entries that should not exist."""
    known = set(allowed)
    return [each for each in dict.fromkeys(seen) if each not in known]


def repeated(seen: Iterable[H]) -> list[H]:
    """Entries that were seen more than once, each listed once."""
    return [each for each, times in Counter(seen).items() if times > 1]


def disordered(expected: Sequence[H], seen: Iterable[H]) -> list[H]:
    """Entries that were first seen after an entry that belongs after them. Unexpected entries are ignored."""
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
