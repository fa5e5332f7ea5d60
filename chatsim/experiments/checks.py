"""What must hold after a race, checked on its history and the final tables, with the operations that prove it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chatsim.experiments.history import Operation, Outcome

__all__ = ["Anomaly", "PrivateChats", "Verdict", "Word", "check_creation"]


class Word(StrEnum):
    """The verdict in a word.

    ``safe``: every operation succeeded and nothing is wrong. ``errors``: nothing is wrong, but callers were refused.
    ``unsafe``: something that must hold does not. They are here from the best to the worst.
    """

    SAFE = "safe"
    ERRORS = "errors"
    UNSAFE = "unsafe"


@dataclass(frozen=True)
class Anomaly:
    """Something that must not be.

    Attributes:
        kind: ``two threads``, ``no such thread``, ``wrong thread`` or ``lost pair``.
        pair: the two users.
        steps: the operations that prove it, by start.
        sentence: what is wrong, in one sentence.
    """

    kind: str
    pair: tuple[int, int]
    steps: tuple[Operation, ...]
    sentence: str

    def explain(self) -> str:
        """The sentence, then one line per operation."""
        return "\n".join([self.sentence, *(f"  {step}" for step in self.steps)])


@dataclass(frozen=True)
class PrivateChats:
    """The final tables, as far as the checks need them.

    Attributes:
        rows: (thread_id, user1_id, user2_id) of every private_chat whose pair was asked for.
        orphans: how many rows of chat_thread no private_chat refers to.
        dangling: the thread ids in ``rows`` that chat_thread does not have as a private thread.
    """

    rows: Sequence[tuple[int, int, int]]
    orphans: int
    dangling: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """What the checks found.

    Attributes:
        word: the verdict.
        why: one sentence.
        anomalies: the proof, when it is ``unsafe``.
        duplicate_pairs: how many pairs have more than one thread.
    """

    word: Word
    why: str
    anomalies: tuple[Anomaly, ...] = ()
    duplicate_pairs: int = 0

    def explain(self) -> str:
        """The sentence and the first anomalies with their operations."""
        return "\n".join([f"{self.word}: {self.why}", *(anomaly.explain() for anomaly in self.anomalies[:3])])


def check_creation(history: Sequence[Operation], final: PrivateChats) -> Verdict:
    """One thread per unordered pair; every caller got that thread; no acknowledged pair is missing.

    An operation whose outcome is unknown is allowed to have happened or not.
    """
    threads: dict[tuple[int, int], list[int]] = defaultdict(list)
    for thread, user1, user2 in final.rows:
        threads[min(user1, user2), max(user1, user2)].append(thread)
    calls: dict[tuple[int, int], list[Operation]] = defaultdict(list)
    for operation in sorted(history, key=lambda each: each.start):
        calls[operation.pair].append(operation)

    anomalies = [
        anomaly
        for pair, steps in calls.items()
        for anomaly in _of_pair(pair, steps, sorted(threads[pair]), final.dangling)
    ]
    duplicates = sum(len(threads[pair]) > 1 for pair in calls)
    if anomalies:
        more = f" (and {len(anomalies) - 1} more)" if len(anomalies) > 1 else ""
        return Verdict(Word.UNSAFE, anomalies[0].sentence + more, tuple(anomalies), duplicates)
    if refused := [operation for operation in history if operation.outcome is not Outcome.OK]:
        return Verdict(Word.ERRORS, _refusals(refused, len(history)))
    shared = sum(len({step.client for step in steps}) > 1 for steps in calls.values())
    limits = "" if shared else "; no two callers asked for the same pair, so this says nothing of duplicates"
    said = f"{len(history):,} operations on {len(calls):,} pairs: one thread each, and all got it"
    return Verdict(Word.SAFE, said + limits)


def _of_pair(
    pair: tuple[int, int], steps: Sequence[Operation], threads: Sequence[int], dangling: frozenset[int]
) -> Iterable[Anomaly]:
    answered = [step for step in steps if step.outcome is Outcome.OK]
    name = f"the pair {pair}"
    if len(threads) > 1:
        proof = tuple(_first_of_each(answered))
        yield Anomaly("two threads", pair, proof, f"{name} has {len(threads)} threads: {', '.join(map(str, threads))}")
    elif dangling.intersection(threads):
        yield Anomaly(
            "no such thread", pair, tuple(steps), f"{name} has thread {threads[0]}, which chat_thread has not"
        )
    elif answered and not threads:
        yield Anomaly("lost pair", pair, tuple(answered), f"{name} has no thread, though a caller was given one")
    elif wrong := tuple(step for step in answered if step.thread not in threads):
        got = ", ".join(sorted({str(step.thread) for step in wrong}))
        yield Anomaly("wrong thread", pair, wrong, f"{name} has thread {threads[0]}, but callers were given {got}")


def _first_of_each(answered: Iterable[Operation]) -> Iterable[Operation]:
    """The first operation for each thread that was given out."""
    firsts: dict[int | None, Operation] = {}
    for step in answered:
        firsts.setdefault(step.thread, step)
    return firsts.values()


def _refusals(refused: Sequence[Operation], total: int) -> str:
    causes = Counter(step.reason.partition(":")[0] for step in refused)
    said = ", ".join(f"{count:,} by {cause}" for cause, count in causes.most_common())
    return f"{len(refused):,} of {total:,} callers got no thread: {said}; for one, {refused[0]}"
