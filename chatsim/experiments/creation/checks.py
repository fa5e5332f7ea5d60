"""The checks of a race, on its history and on the final tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chatsim.experiments.checks import Anomaly, Verdict, judge, overlapped
from chatsim.experiments.history import Operation, Outcome
from chatsim.worlds.world import TableContents

__all__ = ["TWO_THREADS", "PrivateChats", "check_creation", "pair_of"]

_UNTESTED = (
    "no two operations on one pair overlapped, so none could collide;"
    " ask for the pattern same_pair, more clients or more rounds"
)

TWO_THREADS = "two threads"
"""The anomaly of a pair that has more than one thread."""


@dataclass(frozen=True)
class PrivateChats:
    """The final tables, as far as the checks need them.

    Attributes:
        rows: (thread_id, user1_id, user2_id) of every private_chat.
        orphans: the number of rows of chat_thread that no private_chat refers to.
        dangling: the thread ids in ``rows`` that are not private threads in chat_thread.
    """

    rows: Sequence[tuple[int, int, int]]
    orphans: int
    dangling: frozenset[int] = frozenset()

    @classmethod
    def of(cls, contents: Mapping[str, TableContents]) -> PrivateChats | None:
        """What is there, in tables as chatsim creates them; None if these have been dropped or have other columns."""
        chats, threads = contents.get("private_chat"), contents.get("chat_thread")
        if not (_begins(chats, "thread_id", "user1_id", "user2_id") and _begins(threads, "id", "type")):
            return None
        assert chats is not None
        assert threads is not None
        rows = [(int(str(thread)), int(str(one)), int(str(other))) for thread, one, other, *_ in chats.rows]
        private = {int(str(thread)) for thread, kind, *_ in threads.rows if kind == "private"}
        used = {thread for thread, _, _ in rows}
        return cls(rows, len(private - used), frozenset(used - private))


def pair_of(operation: Operation) -> tuple[int, int]:
    """The two users of a creation, smaller id first."""
    uid, other = operation.asked["uid"], operation.asked["other"]
    return (min(uid, other), max(uid, other))


def _begins(table: TableContents | None, *columns: str) -> bool:
    """Whether these are the first columns of a table."""
    if table is None:
        return False
    named = [line.split("`")[1] for line in table.definition if line.startswith("`")]
    return named[: len(columns)] == [*columns]


def check_creation(
    history: Sequence[Operation],
    final: PrivateChats | None,
    *,
    asked: int = 0,
    others: Sequence[Anomaly] = (),
    limits: str = "",
) -> Verdict:
    """Check that each unordered pair has one thread, every caller got it, and no acknowledged pair is missing.

    An operation with an unknown outcome may have happened or not. None of the ``asked`` operations may be missing. If
    no two operations on one pair overlapped, this tests nothing.

    Args:
        history: the operations.
        final: the final tables; None if they can't be read any more, which is one of the other anomalies then.
        asked: the number of operations that were to be carried out.
        others: what other checks have found.
        limits: what a safe verdict does not say.
    """
    threads: dict[tuple[int, int], list[int]] = defaultdict(list)
    for thread, user1, user2 in final.rows if final else ():
        threads[min(user1, user2), max(user1, user2)].append(thread)
    calls: dict[tuple[int, int], list[Operation]] = defaultdict(list)
    for operation in sorted(history, key=lambda each: each.start):
        calls[pair_of(operation)].append(operation)
    verdict = judge(
        history,
        [
            *others,
            *(
                anomaly
                for pair, steps in (calls.items() if final else ())
                for anomaly in _of_pair(pair, steps, sorted(threads[pair]), final.dangling if final else frozenset())
            ),
        ],
        safe=f"{len(history):,} operations on {len(calls):,} pairs: one thread each, and all got it{limits}",
        refused="callers got no thread",
        asked=asked,
        untested="" if overlapped(history, pair_of) else _UNTESTED,
    )
    return replace(verdict, remark=f"{final.orphans:,} threads without a chat") if final and final.orphans else verdict


def _of_pair(
    pair: tuple[int, int], steps: Sequence[Operation], threads: Sequence[int], dangling: frozenset[int]
) -> Iterator[Anomaly]:
    answered = tuple(step for step in steps if step.outcome is Outcome.OK)
    name = f"the pair {pair}"
    if len(threads) > 1:
        sentence = f"{name} has {len(threads)} threads: {', '.join(map(str, threads))}"
        yield Anomaly(TWO_THREADS, pair, sentence, tuple(_first_of_each(answered)))
    elif dangling.intersection(threads):
        sentence = f"{name} has thread {threads[0]}, which chat_thread has not"
        yield Anomaly("no such thread", pair, sentence, tuple(steps))
    elif answered and not threads:
        yield Anomaly("lost pair", pair, f"{name} has no thread, though a caller was given one", answered)
    elif wrong := tuple(step for step in answered if step.value["thread"] not in threads):
        got = ", ".join(sorted({str(step.value["thread"]) for step in wrong}))
        yield Anomaly("wrong thread", pair, f"{name} has thread {threads[0]}, but callers were given {got}", wrong)


def _first_of_each(answered: Iterable[Operation]) -> Iterable[Operation]:
    """The first operation that returned each thread."""
    firsts: dict[int, Operation] = {}
    for step in answered:
        firsts.setdefault(step.value["thread"], step)
    return firsts.values()
