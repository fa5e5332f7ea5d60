"""The source's way to catch up: the thread list page by page, then one thread after another, by message ids.

See docs/source.md, 1.6 and S9. The experiment compares `chatsim.chat.client.sync` with it: it asks for every thread,
also for those without anything new, and it loses the messages that every reader of message ids loses.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from chatsim.chat.client.connection import Client
from chatsim.chat.client.sync import StuckError
from chatsim.chat.ports import LocalStore, Many
from chatsim.chat.protocol import (
    HistoryText,
    LoadMessagesReply,
    LoadMessagesRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    Thread,
)
from chatsim.experiments.catchup.checks import StoredText

__all__ = ["Ledger", "catch_up"]

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS thread (thread_id INTEGER PRIMARY KEY, cursor INTEGER NOT NULL DEFAULT 0)",
    """CREATE TABLE IF NOT EXISTS message (
        message_id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, sender INTEGER NOT NULL, content TEXT NOT NULL,
        chat_time TEXT NOT NULL)""",
)


class Ledger:
    """A client's messages by their ids, as in the source's plan. Its methods raise `LocalStoreError`."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store

    async def open(self) -> None:
        """Create the tables, if they do not exist."""
        await self._store.transaction([(statement, ()) for statement in _SCHEMA])

    async def cursors(self) -> list[tuple[int, int]]:
        """The known threads, ordered by id, with the largest message id of each."""
        rows = (await self._store.execute("SELECT thread_id, cursor FROM thread ORDER BY thread_id")).rows
        return [(int(str(thread)), int(str(cursor))) for thread, cursor in rows]

    async def note_threads(self, threads: Sequence[Thread]) -> None:
        """Store threads."""
        rows = [(thread.thread_id,) for thread in threads]
        await self._store.transaction([Many("INSERT OR IGNORE INTO thread (thread_id) VALUES (?)", rows)])

    async def keep(self, thread_id: int, texts: Sequence[HistoryText], cursor: int) -> None:
        """Store a page together with its cursor."""
        rows = [(text.msg_id, thread_id, text.sender, text.msg_content, text.chat_time) for text in texts]
        await self._store.transaction(
            [
                Many("INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?)", rows),
                ("UPDATE thread SET cursor = MAX(cursor, ?) WHERE thread_id = ?", (cursor, thread_id)),
            ]
        )

    async def messages(self) -> list[StoredText]:
        """All messages, in the order of their ids."""
        rows = (
            await self._store.execute("SELECT message_id, thread_id, content FROM message ORDER BY message_id")
        ).rows
        return [StoredText(int(str(number)), int(str(thread)), str(content)) for number, thread, content in rows]


async def catch_up(
    connection: Client,
    ledger: Ledger,
    *,
    at_once: int = 1,
    stored: Callable[[Sequence[int]], None] = lambda _: None,
) -> None:
    """Load the threads with a larger id than the known ones, and then the messages after the cursor of each thread.

    Args:
        connection: the connection to the node.
        ledger: the local data.
        at_once: the number of threads that are loaded at the same time; the source has 1.
        stored: called with the message ids of each page after it was stored.

    Raises:
        ClientError: not everything could be loaded.
    """
    assert connection.uid is not None, "log in first"
    last = max((thread for thread, _ in await ledger.cursors()), default=0)
    more = True
    while more:
        page = await connection.request(LoadThreadsRequest(connection.uid, last), LoadThreadsReply)
        await ledger.note_threads(page.threads)
        more, last = page.load_more, page.next_last_id
    left = deque(await ledger.cursors())

    async def work() -> None:
        while left:
            await _thread(connection, ledger, *left.popleft(), stored)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _thread(
    connection: Client, ledger: Ledger, thread_id: int, cursor: int, stored: Callable[[Sequence[int]], None]
) -> None:
    more = True
    while more:
        page = await connection.request(LoadMessagesRequest(thread_id, cursor), LoadMessagesReply)
        await ledger.keep(thread_id, page.chat_datas, page.last_message_id)
        stored([text.msg_id for text in page.chat_datas])
        more = page.load_more
        if more and page.last_message_id <= cursor:  # this would never end: docs/source.md, P11
            raise StuckError(f"the history of thread {thread_id} does not go on after message {cursor}")
        cursor = page.last_message_id
