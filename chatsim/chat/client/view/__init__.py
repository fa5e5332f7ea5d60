"""What a client shows, for any user interface: the list of threads, and the conversation that is open.

It is made of rows, follows the cache, and tells what changes. Nothing here waits for a server but `View.older`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chatsim.chat.client.cache import Cache
from chatsim.chat.client.messenger import Event
from chatsim.chat.client.view.rows import Changed, Inserted, Notice, Removed, Reset, RowList
from chatsim.chat.client.view.schemes import SCHEMES, Conversation, Incremental, Pool, Scheme, StartAfresh
from chatsim.chat.client.view.threads import ThreadList, ThreadRow

__all__ = [
    "PAGE",
    "SCHEMES",
    "Changed",
    "Conversation",
    "Incremental",
    "Inserted",
    "Notice",
    "Pool",
    "Removed",
    "Reset",
    "RowList",
    "Scheme",
    "StartAfresh",
    "ThreadList",
    "ThreadRow",
    "View",
]

PAGE = 50
"""So many messages are shown of a conversation when it is opened first, and so many more when older ones are wanted."""

_END = 2**62


class View:
    """A user's view of their messages.

    Args:
        cache: what it shows.
        scheme: how the open conversation's rows are kept.
        page: see `PAGE`.

    Attributes:
        threads: the threads, the one that was written into last first.
        conversation: the messages of the open one. What a user writes is for its ``thread_id``, never for another.
        names: what each friend is called here.
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
        self._first: dict[int, int] = {}  # the least number that is shown of each thread that was ever open
        self._dirty: dict[int, None] = {}
        self._all_dirty = True
        self._news = asyncio.Event()
        self._news.set()

    def note(self, event: Event) -> None:
        """Something has changed: what a messenger's ``changed`` is to call."""
        if event.thread_id is None:
            self._all_dirty = True
        else:
            self._dirty[event.thread_id] = None
        self._news.set()

    def open(self, thread_id: int) -> None:
        """Have the next update show this thread; what is pending in the one before stays in the cache."""
        self._open = thread_id
        self._news.set()

    async def older(self, fetch: Callable[[int], Awaitable[bool]]) -> bool:
        """Have the next update show a page more of the open thread; returns whether there may be still more.

        Args:
            fetch: `Messenger.earlier`: asks the server when all that is here is shown. What it raises is raised.
        """
        thread_id = self.conversation.thread_id
        if thread_id is None:
            return False
        if first := self._first[thread_id]:
            self._first[thread_id] = await self._cache.page_start(thread_id, self._page, first)
            self.note(Event(thread_id))
            return True
        return await fetch(thread_id)

    async def run(self) -> None:
        """Follow the cache for ever. Raises a `LocalStoreError`."""
        while True:
            await self._news.wait()
            await self.update()

    async def update(self) -> None:
        """Show what has been noted so far; one at a time. Raises a `LocalStoreError`."""
        self._news.clear()
        dirty: list[int | None] = [None] if self._all_dirty else [*self._dirty]
        wanted = self._open
        self._dirty, self._all_dirty = {}, False
        if None in dirty:
            self.names = await self._cache.friends()
        for each in dirty:
            self.threads.place(await self._cache.heads(each), self._cache.uid, self.names)
            self._scheme.forget(each)
        if wanted is not None and (wanted != self.conversation.thread_id or {wanted, None} & {*dirty}):
            if wanted not in self._first:
                self._first[wanted] = await self._cache.page_start(wanted, self._page, _END)
            await self._scheme.show(wanted, self._first[wanted])
