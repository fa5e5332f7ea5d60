"""Bringing a client up to date: which threads there are, and of each what is missing.

A request at a time; what arrives is stored with its cursor page by page, so that whatever breaks it off, the next
sync goes on where this one stopped.
"""

from __future__ import annotations

import math
from contextlib import suppress

from chatsim.chat.client.cache import Cache, LocalThread
from chatsim.chat.client.connection import Client, ClientError, RefusedError
from chatsim.chat.protocol import (
    HistoryReply,
    HistoryRequest,
    ReadReply,
    ReadRequest,
    ThreadStatesReply,
    ThreadStatesRequest,
)

__all__ = ["StuckError", "earlier", "fetch", "refresh", "tell_read"]


class StuckError(ClientError):
    """The server says there is more, but does not give it: asking again would go on for ever."""


async def refresh(connection: Client, cache: Cache) -> list[LocalThread]:
    """Learn what has happened to which threads, and say what has been read meanwhile; returns those with more messages.

    Raises a `ClientError`.
    """
    since = await cache.version()
    head, before, more = since, 0, True
    while more:
        page = await connection.request(ThreadStatesRequest(since, before), ThreadStatesReply)
        more = page.load_more
        if more and not (page.threads and since < page.threads[-1].version < (before or math.inf)):
            raise StuckError(f"the list of threads does not go on before version {before}")
        await cache.note_threads(page.threads)
        for state in page.threads:
            head, before = max(head, state.version), state.version
    await cache.note_version(head)
    for thread_id, seq in await cache.untold():
        with suppress(RefusedError):  # the next refresh tries again; this one has more to do
            await tell_read(connection, cache, thread_id, seq)
    return [thread for thread in await cache.threads() if thread.cursor < thread.last_seq]


async def tell_read(connection: Client, cache: Cache, thread_id: int, seq: int) -> None:
    """Say how far the user has read. Raises a `ClientError`."""
    await connection.request(ReadRequest(thread_id, seq), ReadReply)
    await cache.note_told(thread_id, seq)


async def fetch(connection: Client, cache: Cache, thread_id: int) -> None:
    """Have all of a thread that is newer than what is here; the newest page only if nothing is.

    Raises a `ClientError`.
    """
    if await cache.thread(thread_id) is None:
        await refresh(connection, cache)
    thread = await cache.thread(thread_id)
    if thread is None:
        return  # it is no thread of this user's
    if thread.cursor < thread.floor and thread.last_seq:
        page = await connection.request(HistoryRequest(thread_id, thread.last_seq + 1, backward=True), HistoryReply)
        await cache.keep_newest(thread_id, page.texts)
    more = True
    while more:
        thread = await _known(cache, thread_id)
        page = await connection.request(HistoryRequest(thread_id, thread.cursor, backward=False), HistoryReply)
        await cache.keep(thread_id, page.texts)
        more = page.load_more
        now = await _known(cache, thread_id)
        if now.cursor <= thread.cursor and (more or page.texts or now.cursor < thread.last_seq):
            raise StuckError(f"the history of thread {thread_id} does not go on after number {thread.cursor}")


async def earlier(connection: Client, cache: Cache, thread_id: int) -> bool:
    """Have a page of a thread from before what is here; returns whether there may be more. Raises a `ClientError`."""
    thread = await cache.thread(thread_id)
    if thread is None or thread.floor <= 1:
        return False
    page = await connection.request(HistoryRequest(thread_id, thread.floor, backward=True), HistoryReply)
    await cache.keep(thread_id, page.texts)
    if page.load_more and (await _known(cache, thread_id)).floor >= thread.floor:
        raise StuckError(f"the history of thread {thread_id} does not go on before number {thread.floor}")
    return page.load_more


async def _known(cache: Cache, thread_id: int) -> LocalThread:
    thread = await cache.thread(thread_id)
    assert thread is not None
    return thread
