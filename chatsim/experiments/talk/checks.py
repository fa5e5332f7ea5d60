"""The checks of a conversation: every text is stored once, and every member has it once, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chatsim.chat.client.cache import LocalText, State
from chatsim.chat.protocol import MessageStatus
from chatsim.experiments.checks import Anomaly, disordered, missing, repeated, unexpected

__all__ = ["SentText", "check_stored", "check_stores"]


@dataclass(frozen=True, slots=True)
class SentText:
    """A text: in the history, in the tables or in a local store. Its status is a `MessageStatus`."""

    thread_id: int
    sender: int
    unique_id: str
    content: str
    status: int = 0

    def __str__(self) -> str:
        content = "that was recalled" if self.status == MessageStatus.RECALLED else repr(self.content)
        return f"the text {content} of user {self.sender} in thread {self.thread_id} ({self.unique_id})"


def check_stored(sent: Sequence[SentText], stored: Sequence[SentText]) -> Iterator[Anomaly]:
    """Check that the tables have each sent text once, an author's in the order of sending, and no other."""
    for kind, texts, words in (
        ("doubled", repeated(stored), "is stored more than once"),
        ("lost", missing(sent, stored), "was sent, and is not stored"),
        ("invented", unexpected(sent, stored), "is stored, and nobody sent it"),
    ):
        for text in texts:
            yield Anomaly(kind, text, f"{text} {words}")
    there = _by_author(stored)
    for author, own in _by_author(sent).items():
        for text in disordered(own, there.get(author, ())):
            yield Anomaly("overtaken", text, f"{text} is stored behind one that its author sent later")


def _by_author(texts: Iterable[SentText]) -> dict[tuple[int, int], list[SentText]]:
    """Texts by thread and sender."""
    found: dict[tuple[int, int], list[SentText]] = {}
    for each in texts:
        found.setdefault((each.thread_id, each.sender), []).append(each)
    return found


def check_stores(
    stores: Mapping[int, Mapping[int, Sequence[LocalText]]],
    stored: Sequence[SentText],
    first: Mapping[tuple[int, int], int] | None = None,
) -> Iterator[Anomaly]:
    """Check that each user's local store has all texts of the user's threads, once, in the order of the tables.

    Args:
        stores: by user and thread, the texts of the local store in the order in which they are shown.
        stored: the texts of the tables, in the order of their numbers.
        first: by user and thread, the number of the first text that the user may read, if it is not 1.
    """
    for uid, threads in stores.items():
        for thread, texts in threads.items():
            for each in texts:
                if each.seq is None or each.state in {State.SENDING, State.FAILED}:
                    yield Anomaly("unsent", (uid, each.unique_id), f"user {uid}: {each.content!r} is {each.state}")
            yield from _of_thread(
                f"user {uid} has not what is stored of thread {thread}",
                [_seen(each) for each in texts],
                [each for each in stored if each.thread_id == thread][(first or {}).get((uid, thread), 1) - 1 :],
            )


def _seen(text: LocalText) -> SentText:
    status = MessageStatus.RECALLED if text.state is State.RECALLED else MessageStatus.SENT
    return SentText(text.thread_id, text.sender, text.unique_id, text.content, int(status))


def _of_thread(sentence: str, seen: Sequence[SentText], stored: Sequence[SentText]) -> Iterator[Anomaly]:
    for kind, texts, words in (
        ("missing", missing(stored, seen), "is missing"),
        ("repeated", repeated(seen), "is there more than once"),
        ("unknown", unexpected(stored, seen), "is in no table"),
        ("disordered", disordered(stored, seen), "is out of order"),
    ):
        if texts:
            yield Anomaly(kind, texts[0], f"{sentence}: {texts[0]} {words}")
