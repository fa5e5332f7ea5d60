"""Clients that were away: each has stored what it has seen, and catches up by a protocol."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache
from chatsim.chat.client.connection import Client
from chatsim.chat.ports import LocalStore
from chatsim.chat.protocol import NumberedText, Thread, ThreadState, ThreadTexts
from chatsim.experiments.catchup import by_message_id
from chatsim.experiments.catchup.checks import StoredText
from chatsim.experiments.catchup.tables import READER, Tables

__all__ = ["CacheReader", "FirstScreen", "LedgerReader"]


class LedgerReader:
    """A reader that uses message ids, like the source's client."""

    def __init__(self, tables: Tables, store: LocalStore) -> None:
        self._tables = tables
        self._ledger = by_message_id.Ledger(store)

    async def fill(self) -> None:
        """Store what the reader has seen before."""
        await self._ledger.open()
        await self._ledger.note_threads([Thread(thread, "private", 0, 0) for thread in self._tables.all])
        for thread in self._tables.all:
            await self._ledger.keep(thread, (), self._tables.seen(thread))

    async def catch_up(self, client: Client, at_once: int, screen: FirstScreen) -> None:
        """Catch up with the source's messages."""
        await by_message_id.catch_up(client, self._ledger, at_once=at_once, stored=screen.stored)

    async def messages(self) -> Sequence[StoredText]:
        """The stored messages, in the order in which a thread shows them."""
        return await self._ledger.messages()


class CacheReader:
    """A reader that works like chatsim's own client.

    Attributes:
        cache: its local data.
    """

    def __init__(self, tables: Tables, store: LocalStore) -> None:
        self._tables = tables
        self._store = store
        self.cache = Cache(store, READER)

    async def fill(self) -> None:
        """Store what the reader has seen before."""
        await self.cache.open()
        seen = self._tables.history
        states = [
            ThreadState(thread, "private", READER, READER + thread, seen, seen, 0, thread, 0)
            for thread in self._tables.all
        ]
        await self.cache.note_threads(states)
        parts = [
            ThreadTexts(thread, (NumberedText(seen, self._tables.seen(thread), 0, "", 0, "", 0, ""),))
            for thread in self._tables.all
        ]
        await self.cache.keep_part(parts)
        await self.cache.note_version(len(self._tables.all))

    async def catch_up(self, client: Client, _: int, screen: FirstScreen) -> None:
        """Catch up with `chatsim.chat.client.sync`."""

        def stored(threads: Sequence[ThreadTexts]) -> None:
            screen.stored([text.message_id for each in threads for text in each.texts])

        await sync.refresh(client, self.cache)
        await sync.catch_up(client, self.cache, stored)

    async def messages(self) -> Sequence[StoredText]:
        """The stored messages, in the order in which a thread shows them, without the one that `fill` has stored."""
        rows = await self._store.execute(
            "SELECT message_id, thread_id, content FROM message WHERE seq > ? ORDER BY thread_id, seq",
            (self._tables.history,),
        )
        return [StoredText(int(str(number)), int(str(thread)), str(content)) for number, thread, content in rows.rows]


class FirstScreen:
    """Notes when the first screen was complete in the store, and how often each message has arrived."""

    def __init__(self, wanted: set[int]) -> None:
        self._wanted = wanted
        self._clock = asyncio.get_running_loop().time
        self._came: Counter[int] = Counter()
        self.at: float | None = None

    def stored(self, ids: Sequence[int]) -> None:
        """Note the ids of messages that were stored."""
        self._came.update(ids)
        self._wanted.difference_update(ids)
        if not self._wanted and self.at is None:
            self.at = self._clock()

    def repeated(self) -> int:
        """How many messages have arrived repeatedly."""
        return self._came.total() - len(self._came)
