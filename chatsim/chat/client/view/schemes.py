"""How the rows of the open conversation follow the cache: the source's three plans (docs/source.md, V3 to V5).

All schemes show the same rows. They differ in what they read, and in the notices that they send, when another
conversation is opened and when the open one has changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from chatsim.chat.client.cache import Cache, Excerpt, LocalText, LocalThread, State
from chatsim.chat.client.view.rows import RowList

__all__ = ["SCHEMES", "Conversation", "Incremental", "Pool", "Scheme", "StartAfresh"]

_END = 2**63
"""A number that is larger than every message number."""


class Conversation(RowList[LocalText]):
    """The messages of one thread, by number, and after them those without a number, in the order of sending.

    Attributes:
        thread_id: the thread; None until one has been opened.
    """

    def __init__(self) -> None:
        super().__init__()
        self.thread_id: int | None = None

    def turn_to(self, thread_id: int, texts: Sequence[LocalText]) -> None:
        """Show another thread. ``thread_id`` and the rows always belong together."""
        self.thread_id = thread_id
        self.reset(texts)


class Scheme(Protocol):
    """A way to keep a conversation's rows up to date. Its methods are never called at the same time."""

    async def show(self, thread_id: int, first: int) -> None:
        """Show this thread from number ``first`` on, as it is in the cache now.

        It is called for another thread than before, or if the thread has changed. Raises `LocalStoreError`.
        """
        ...

    def forget(self, thread_id: int | None) -> None:
        """Note that a thread has changed, or that any thread may have (None). Data kept of it is out of date."""
        ...


class StartAfresh:
    """V3: one model that is filled again at each change.

    It bets that few messages are shown, since a user loads few pages. Then reading all of them costs less than finding
    out what has changed. It is the simplest code.
    """

    def __init__(self, cache: Cache, conversation: Conversation) -> None:
        self._cache = cache
        self._conversation = conversation

    async def show(self, thread_id: int, first: int) -> None:
        """See `Scheme.show`."""
        self._conversation.turn_to(thread_id, await _all(self._cache, thread_id, first))

    def forget(self, thread_id: int | None) -> None:
        """See `Scheme.forget`. This scheme keeps nothing."""


class Pool:
    """V4: a model for each of the last opened conversations. It is dropped when the thread changes.

    It bets that a user switches between a few quiet conversations: switching back reads nothing. It costs memory, and
    fills a model again at each message, like `StartAfresh`.

    Args:
        cache: the data to read.
        conversation: the rows to keep up to date.
        most: the number of models. If there are more, the one that was shown longest ago is dropped (the source's pool
            never shrinks: B9).
    """

    def __init__(self, cache: Cache, conversation: Conversation, most: int = 8) -> None:
        self._cache = cache
        self._conversation = conversation
        self._most = most
        self._kept: OrderedDict[int, list[LocalText]] = OrderedDict()

    async def show(self, thread_id: int, first: int) -> None:
        """See `Scheme.show`."""
        if thread_id not in self._kept:
            self._kept[thread_id] = await _all(self._cache, thread_id, first)
        self._kept.move_to_end(thread_id)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        self._conversation.turn_to(thread_id, self._kept[thread_id])

    def forget(self, thread_id: int | None) -> None:
        """See `Scheme.forget`."""
        if thread_id is None:
            self._kept.clear()
        else:
            self._kept.pop(thread_id, None)


class Incremental:
    """V5: one model that is filled when a conversation is opened. After that, only what can have changed is read.

    It bets that conversations are long and active: a message costs the same after ten others as after ten thousand,
    and the interface keeps what it has drawn. It costs code: it must know that messages between a thread's floor and
    its cursor change only in known ways. They are delivered and read, which is known from the marks of the thread, they
    are recalled and edited, which is known from the numbers of these changes, and attachments are loaded.
    """

    def __init__(self, cache: Cache, conversation: Conversation) -> None:
        self._cache = cache
        self._conversation = conversation
        self._thread: LocalThread | None = None  # as it was last read
        self._held = range(0)  # the numbers of the rows that do not change
        self._attached: set[int] = set()  # the numbers of rows with attachments

    async def show(self, thread_id: int, first: int) -> None:
        """See `Scheme.show`."""
        rows, known = self._conversation, self._thread
        if known is None or known.thread_id != thread_id:
            await self._open(thread_id, first)
            return
        found = await self._cache.excerpt(thread_id, first, but=self._held, revision=known.revision)
        assert found is not None  # no thread goes away
        start = bisect_left(rows, self._held.start, key=_number)
        for text in found.revised:
            rows.change(start + (text.seq or 0) - self._held.start, text)
        self._note_marks(found.thread, known, start)
        await self._note_moved(thread_id, start)
        rows.replace(start + len(self._held), len(rows), found.above + found.on_their_way)
        rows.replace(0, start, found.below)
        self._note_attached(found)
        self._look_at(found.thread, first)

    def forget(self, thread_id: int | None) -> None:
        """See `Scheme.forget`. The next `show` updates the rows."""

    async def _open(self, thread_id: int, first: int) -> None:
        found = await self._cache.excerpt(thread_id, first)
        if found is None:
            self._thread = None
            self._conversation.turn_to(thread_id, [])
        else:
            self._conversation.turn_to(thread_id, found.above + found.on_their_way)
            self._attached.clear()
            self._note_attached(found)
            self._look_at(found.thread, first)

    def _look_at(self, thread: LocalThread, first: int) -> None:
        self._thread = thread
        self._held = range(max(first, thread.floor), thread.cursor + 1) or range(0)

    def _note_attached(self, found: Excerpt) -> None:
        self._attached |= {text.seq for text in found.below + found.above if text.file is not None and text.seq}

    async def _note_moved(self, thread_id: int, start: int) -> None:
        """Change the rows with attachments of which more has been loaded."""
        held = [seq for seq in self._attached if seq in self._held]
        files = await self._cache.files(thread_id, min(held)) if held else {}
        for seq in held:
            at = start + seq - self._held.start
            if self._conversation[at].state is not State.RECALLED:
                self._conversation.change(at, replace(self._conversation[at], file=files.get(seq)))

    def _note_marks(self, thread: LocalThread, known: LocalThread, start: int) -> None:
        """Change the rows that either user has got or read since ``known``."""
        rows, uid = self._conversation, self._cache.uid
        for mark in ("delivered1", "delivered2", "read1", "read2"):
            before, now = getattr(known, mark), getattr(thread, mark)
            for seq in range(max(before + 1, self._held.start), min(now + 1, self._held.stop)):
                at = start + seq - self._held.start
                recalled = rows[at].state is State.RECALLED
                rows.change(at, replace(rows[at], state=thread.state(uid, rows[at].sender, seq, recalled=recalled)))


async def _all(cache: Cache, thread_id: int, first: int) -> list[LocalText]:
    found = await cache.excerpt(thread_id, first)
    return [] if found is None else found.above + found.on_their_way


def _number(text: LocalText) -> int:
    return _END if text.seq is None else text.seq


SCHEMES: Mapping[str, Callable[[Cache, Conversation], Scheme]] = MappingProxyType(
    {"reset": StartAfresh, "pool": Pool, "incremental": Incremental}
)
"""The schemes by name."""
