"""The view of a client, for any user interface: the thread list, and the open conversation.

It consists of rows, follows the cache, and notifies its listeners of changes. Only `View.older` waits for a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chatsim.chat.client.cache import Cache
from chatsim.chat.client.event import Event
from chatsim.chat.client.view.rows import Changed, Inserted, Removed, Reset, RowChange, RowList
from chatsim.chat.client.view.schemes import SCHEMES, Conversation, Incremental, Pool, Scheme, StartAfresh
from chatsim.chat.client.view.threads import ThreadList, ThreadRow
from chatsim.chat.ports import LocalStoreUnavailableError

__all__ = [
    "PAGE",
    "SCHEMES",
    "Changed",
    "Conversation",
    "Incremental",
    "Inserted",
    "Pool",
    "Removed",
    "Reset",
    "RowChange",
    "RowList",
    "Scheme",
    "StartAfresh",
    "ThreadList",
    "ThreadRow",
    "View",
]

PAGE = 50
"""The number of messages that are shown when a conversation is opened, and that `View.older` adds."""

_END = 2**62
_PAUSE = 1.0
"""The seconds until another look at a local store that was unavailable."""


class View:
    """A user's view of their messages.

    Args:
        cache: the data to show.
        scheme: how the rows of the open conversation follow the cache.
        page: see `PAGE`.

    Attributes:
        threads: the thread list; the thread with the newest message is first.
        conversation: the messages of the open thread. A text that the user writes belongs to its ``thread_id``.
        names: from the id of each friend to the name to show.
    """

    def __init__(
        self, cache: Cache, scheme: Callable[[Cache, Conversation], Scheme] = Incremental, page: int = PAGE
    ) -> None:
        self.threads = ThreadList()
        self.conversation = Conversation()
        self.names: dict[int, str] = {}
        self._cache = cache
        self._scheme = scheme(cache, self.conversation)
        self._page = page
        self._open: int | None = None
        self._member_names: dict[int, str] = {}
        self._named: tuple[int, int] | None = None  # the thread and the roster that they belong to
        self._first: dict[int, int] = {}  # the smallest number that is shown of each thread that was ever open
        self._dirty: dict[int, None] = {}
        self._all_dirty = True
        self._changes = asyncio.Event()
        self._changes.set()

    def note(self, event: Event) -> None:
        """Note a change. Pass this method to a messenger as ``changed``."""
        if event.thread_id is None:
            self._all_dirty = True
        else:
            self._dirty[event.thread_id] = None
        self._changes.set()

    def open(self, thread_id: int) -> None:
        """Show this thread from the next update on. Pending texts of the previous thread stay in the cache."""
        self._open = thread_id
        self._changes.set()

    async def older(self, fetch: Callable[[int], Awaitable[bool]]) -> bool:
        """Show one more page of the open thread from the next update on. Returns whether there may be more.

        Args:
            fetch: `Messenger.earlier`. It is called when all stored messages are shown. Its errors are raised.
        """
        thread_id = self.conversation.thread_id
        if thread_id is None:
            return False
        if first := self._first[thread_id]:
            self._first[thread_id] = await self._cache.page_start(thread_id, self._page, first)
            self.note(Event(thread_id))
            return True
        return await fetch(thread_id)

    async def show_from(self, thread_id: int, seq: int) -> None:
        """Show a thread at least from message number ``seq`` on, from the next update on."""
        first = self._first.get(thread_id)
        if first is None:
            first = await self._cache.page_start(thread_id, self._page, _END)
        self._first[thread_id] = min(first, seq)
        self.note(Event(thread_id))

    async def run(self) -> None:
        """Follow the cache until cancelled. Raises `LocalStoreError`, but waits while the store is unavailable."""
        while True:
            await self._changes.wait()
            try:
                await self.update()
            except LocalStoreUnavailableError:
                self.note(Event())
                await asyncio.sleep(_PAUSE)

    async def update(self) -> None:
        """Show all changes that were noted so far. Only one update runs at a time. Raises `LocalStoreError`."""
        self._changes.clear()
        dirty: list[int | None] = [None] if self._all_dirty else [*self._dirty]
        wanted = self._open
        self._dirty, self._all_dirty = {}, False
        if None in dirty:
            self.names = await self._cache.friends()
        for each in dirty:
            self.threads.place(await self._cache.heads(each), self._cache.uid, self.names, each)
            self._scheme.forget(each)
        if wanted is not None and (wanted != self.conversation.thread_id or {wanted, None} & {*dirty}):
            if wanted not in self._first:
                self._first[wanted] = await self._cache.page_start(wanted, self._page, _END)
            await self._scheme.show(wanted, self._first[wanted])
            if (row := self.threads.row(wanted)) is not None and not row.other:
                await self._name_members(wanted)

    def name_of(self, uid: int) -> str:
        """The name to show for a user: that of a friend, or of a member of the open group, or else the id."""
        return self.names.get(uid) or self._member_names.get(uid) or f"user {uid}"

    def has_names(self) -> bool:
        """Whether there is a name for each author in the open conversation, other than the user."""
        authors = {text.sender for text in self.conversation} - {self._cache.uid}
        return authors <= self.names.keys() | self._member_names.keys()

    async def _name_members(self, thread_id: int) -> None:
        """Read the names of the members of the open group, if they have been loaded since they were last read."""
        if self._named != (now := (thread_id, await self._cache.listed(thread_id))):
            self._member_names = await self._cache.names(thread_id)
            self._named = now
