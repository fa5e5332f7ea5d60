"""What a device keeps of its user's threads, and how it catches up: as chatsim's client does, or as the source's.

Both load whole threads, so that everything that is not there is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache
from chatsim.chat.client.connection import Client
from chatsim.chat.ports import LocalStore
from chatsim.chat.protocol import ThreadTexts
from chatsim.experiments.catchup import by_message_id
from chatsim.experiments.catchup.checks import StoredText

__all__ = ["LocalData", "local_data"]


class LocalData(Protocol):
    """The local data of a device."""

    async def open(self) -> None:
        """Make the tables of the local store."""
        ...

    async def catch_up(self, client: Client) -> list[int]:
        """Load everything that is missing. Returns the ids of the messages that came. Raises `ClientError`."""
        ...

    async def messages(self) -> Sequence[StoredText]:
        """The messages, in the order in which a thread shows them."""
        ...


def local_data(store: LocalStore, uid: int, schema: str) -> LocalData:
    """The local data of a device of a user, for nodes on this schema."""
    return _Numbered(store, uid) if schema == "hardened" else _ById(store)


class _Numbered:
    """By versions and numbers, which the hardened tables have: chatsim's own client."""

    def __init__(self, store: LocalStore, uid: int) -> None:
        self._store = store
        self._cache = Cache(store, uid)

    async def open(self) -> None:
        await self._cache.open()

    async def catch_up(self, client: Client) -> list[int]:
        came: list[int] = []
        alone = False

        def stored(threads: Sequence[ThreadTexts]) -> None:
            nonlocal alone
            came.extend(text.message_id for each in threads for text in each.texts)
            alone = alone or not all(each.texts for each in threads)  # of these it is not told what came

        await sync.refresh(client, self._cache)
        await sync.catch_up(client, self._cache, stored)
        for thread in await self._cache.threads():
            if 1 < thread.floor <= thread.cursor:
                alone = True
                while await sync.earlier(client, self._cache, thread.thread_id):
                    pass
        return [each.message_id for each in await self.messages()] if alone else came

    async def messages(self) -> Sequence[StoredText]:
        rows = await self._store.execute("SELECT message_id, thread_id, content FROM message ORDER BY thread_id, seq")
        return [StoredText(int(str(number)), int(str(thread)), str(content)) for number, thread, content in rows.rows]


class _ById:
    """By the ids of threads and messages, which is all that the source's tables have: the source's client."""

    def __init__(self, store: LocalStore) -> None:
        self._ledger = by_message_id.Ledger(store)

    async def open(self) -> None:
        await self._ledger.open()

    async def catch_up(self, client: Client) -> list[int]:
        came: list[int] = []
        await by_message_id.catch_up(client, self._ledger, stored=came.extend)
        return came

    async def messages(self) -> Sequence[StoredText]:
        return await self._ledger.messages()
