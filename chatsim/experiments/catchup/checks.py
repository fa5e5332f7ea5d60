"""The checks of a reader that follows writers: it has found every message once, in its thread and in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chatsim.db.session import Session
from chatsim.experiments.checks import Anomaly, disordered, missing, repeated, unexpected
from chatsim.experiments.history import Operation

__all__ = ["StoredText", "check_found", "check_local_store", "check_written", "stored_texts", "text_of"]


@dataclass(frozen=True, slots=True)
class StoredText:
    """A message in the tables."""

    message_id: int
    thread_id: int
    content: str


async def stored_texts(admin: Session) -> list[StoredText]:
    """All messages in the tables."""
    rows = await admin.execute("SELECT message_id, thread_id, content FROM chat_message ORDER BY message_id")
    return [StoredText(int(str(number)), int(str(thread)), str(content)) for number, thread, content in rows.rows]


def text_of(writer: int, turn: int, attempt: int, at: int) -> str:
    """The content of a writer's message: its place in the batch that was written in some try of some turn."""
    return f"text {writer}-{turn}-{attempt}-{at}"


def check_written(written: Iterable[Operation], stored: Sequence[StoredText]) -> Iterator[Anomaly]:
    """Check that acknowledged ids are those of the texts that were written, and that no text is stored twice.

    Args:
        written: the acknowledged transactions, each with the ids of its messages in the order of its texts.
        stored: the messages of the tables.
    """
    by_id = {each.message_id: each for each in stored}
    for step in written:
        for at, number in enumerate(step.value["messages"]):
            there = by_id.get(number)
            wanted = StoredText(number, step.asked["thread"], text_of(step.client, step.round, step.attempts - 1, at))
            if there is None:
                yield Anomaly("not stored", number, f"message {number} was acknowledged, and is not stored", (step,))
            elif there != wanted:
                sentence = (
                    f"message {number} was acknowledged as {wanted.content!r} of thread {wanted.thread_id},"
                    f" and is {there.content!r} of thread {there.thread_id}"
                )
                yield Anomaly("wrong text", number, sentence, (step,))
    for content in repeated(each.content for each in stored):
        yield Anomaly("stored twice", content, f"{content!r} is stored more than once")


def check_found(
    looks: Sequence[Operation],
    written: Sequence[Operation],
    threads: Mapping[int, int],
    *,
    rereads: bool = False,
    by_id: bool = True,
) -> Iterator[Anomaly]:
    """Check that what a reader has found exists, in the thread in which it has found it, once and in order.

    Args:
        looks: the looks that found something, each with ids and their threads.
        written: the acknowledged transactions, each with the ids of its messages in order.
        threads: the thread of each message in the tables, by the message's id.
        rereads: whether a later look may find again what an earlier one has found.
        by_id: whether the messages of a thread are found in the order of their ids.
    """
    found = [(thread, number, look) for look in looks for thread, number in _entries(look)]
    for _, number, look in found:
        if number not in threads:
            yield Anomaly("forged", number, f"message {number} was found, and is not stored", (look,))
    for thread, number, look in found:
        if threads.get(number, thread) != thread:
            sentence = f"message {number} of thread {threads[number]} was found in thread {thread}"
            yield Anomaly("wrong thread", number, sentence, (look,))
    yield from _doubled(looks, rereads=rereads)
    yield from _out_of_order(looks, written, threads, rereads=rereads, by_id=by_id)


def _entries(look: Operation) -> Iterable[tuple[int, int]]:
    return zip(look.value["threads"], look.value["messages"], strict=True)


def _doubled(looks: Sequence[Operation], *, rereads: bool) -> Iterator[Anomaly]:
    parts = [[look] for look in looks] if rereads else [looks]
    for part in parts:
        for number in repeated(number for look in part for _, number in _entries(look)):
            steps = tuple(look for look in part if number in look.value["messages"])
            yield Anomaly("doubled", number, f"message {number} was found more than once", steps)


def _out_of_order(
    looks: Sequence[Operation],
    written: Sequence[Operation],
    threads: Mapping[int, int],
    *,
    rereads: bool,
    by_id: bool,
) -> Iterator[Anomaly]:
    """Within a thread: each writer's messages as they were written, and all by their ids, if the kind reads so."""
    first_seen = list(dict.fromkeys(number for look in looks for _, number in _entries(look)))
    orders: dict[tuple[int, int], list[int]] = {}
    for step in written:
        orders.setdefault((step.client, step.asked["thread"]), []).extend(step.value["messages"])
    for (writer, thread), order in orders.items():
        for number in disordered(order, first_seen):
            sentence = f"message {number} of thread {thread} was found behind one that writer {writer} wrote later"
            yield Anomaly("disordered", number, sentence)
    if not by_id:
        return
    for part in [[look] for look in looks] if rereads else [looks]:
        seen: dict[int, list[int]] = {}
        for number in dict.fromkeys(number for look in part for _, number in _entries(look)):
            seen.setdefault(threads.get(number, 0), []).append(number)
        for thread, numbers in seen.items():
            for number in disordered(sorted(numbers), numbers):
                sentence = f"message {number} of thread {thread} was found behind one with a larger id"
                yield Anomaly("disordered", number, sentence)


def check_local_store(
    stored: Sequence[StoredText], kept: Sequence[StoredText], wanted: Iterable[int]
) -> Iterator[Anomaly]:
    """Check that a reader's local store has every wanted message once, as it is stored, in the order of the ids.

    Args:
        stored: the messages of the tables.
        kept: the messages of the local store, in the order in which it shows those of each thread.
        wanted: the ids of the messages that it must have.
    """
    wanted = list(wanted)
    ids = [each.message_id for each in kept]
    if gone := missing(wanted, ids):
        first = f"{len(gone):,} of {len(wanted):,} acknowledged messages are not in the reader's store, the first is"
        yield Anomaly("lost", gone[0], f"{first} {gone[0]}")
    for kind, numbers, words in (
        ("forged", [each.message_id for each in unexpected(stored, kept)], "is not stored like that"),
        ("doubled", repeated(ids), "is there more than once"),
    ):
        for number in numbers:
            yield Anomaly(kind, number, f"message {number} is in the reader's store, and {words}")
    shown: dict[int, list[int]] = {}
    for each in kept:
        shown.setdefault(each.thread_id, []).append(each.message_id)
    for thread, numbers in shown.items():
        for number in disordered(sorted(numbers), numbers):
            sentence = f"message {number} of thread {thread} is behind one with a larger id in the reader's store"
            yield Anomaly("disordered", number, sentence)
