"""Catch-up: a client learns which threads have changed, and then loads the missing messages of all of them.

Each part that arrives is stored together with its cursor. So after an interruption the next catch-up goes on where this
one has stopped.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress

from chatsim.chat.client.cache import Cache, LocalThread
from chatsim.chat.client.connection import Client, ClientError, RefusedError
from chatsim.chat.protocol import (
    CatchUpRequest,
    DeliveredReply,
    DeliveredRequest,
    ErrorCode,
    HistoryReply,
    HistoryRequest,
    ReadReply,
    ReadRequest,
    RevisionsReply,
    RevisionsRequest,
    ThreadStatesReply,
    ThreadStatesRequest,
    ThreadTexts,
)

__all__ = [
    "StuckError",
    "catch_up",
    "earlier",
    "fetch",
    "follow",
    "reach",
    "refresh",
    "report_delivered",
    "report_read",
]


_PAGE = 100
"""The number of messages that are loaded of a new thread."""

_SCREEN_THREADS, _SCREEN_TEXTS = 10, 20
"""The first screen: the number of messages, and the number of threads, that are loaded first."""

_THREADS = 30
"""The number of threads in a request, so that it always fits into the source's 2,048 bytes."""

_REQUESTS = 8
"""The number of requests that wait for their replies at the same time."""


class StuckError(ClientError):
    """The server says that there is more, but does not send it. Asking again would never end."""


async def refresh(connection: Client, cache: Cache) -> None:
    """Load the states of changed threads, and send read positions that the server does not know.

    Raises `ClientError`.
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
    for thread_id, seq in await cache.unreported():
        with suppress(RefusedError):  # the next refresh tries again; this one has more to do
            await report_read(connection, cache, thread_id, seq)


async def report_read(connection: Client, cache: Cache, thread_id: int, seq: int) -> None:
    """Send the user's read position. Raises `ClientError`."""
    await connection.request(ReadRequest(thread_id, seq), ReadReply)
    await cache.note_reported(thread_id, seq)


async def report_delivered(connection: Client, cache: Cache) -> bool:
    """Send how far threads are stored here, as many as fit into a request. Returns whether there are more.

    Raises `ClientError`.
    """
    marks = await cache.undelivered()
    part = marks[:_THREADS]
    if part:
        threads, seqs = zip(*part, strict=True)
        try:
            await connection.request(DeliveredRequest(threads, seqs), DeliveredReply)
        except RefusedError as error:
            if error.code != ErrorCode.NOT_A_MEMBER:
                raise
            await _report_each(connection, part)
        await cache.note_delivery_reported(part)
    return len(part) < len(marks)


async def _report_each(connection: Client, marks: Sequence[tuple[int, int]]) -> None:
    """Send marks one by one, since the user is no member of one of the threads any more."""
    for thread_id, seq in marks:
        with suppress(RefusedError):
            await connection.request(DeliveredRequest((thread_id,), (seq,)), DeliveredReply)


async def catch_up(
    connection: Client, cache: Cache, stored: Callable[[Sequence[ThreadTexts]], None] = lambda _: None
) -> None:
    """Load all missing messages of the known threads. Of a thread without stored messages, load the newest page only.

    The newest messages of the most recent threads come first. Several requests are sent at the same time. Changes of
    messages that are stored already are loaded beside them.

    Args:
        connection: the connection to the node.
        cache: the local data.
        stored: called with each part after it was stored. If a request for several threads was refused, each thread is
            loaded alone, and the part has no texts.

    Raises:
        ClientError: not everything could be loaded. A thread that is refused does not stop the others.
    """
    await cache.note_start(_PAGE)
    behind = await cache.behind()
    turns = asyncio.Semaphore(_REQUESTS)
    refused = dict[int, ClientError]()

    async def load(request: CatchUpRequest) -> None:
        async with turns:
            try:
                async with aclosing(connection.catch_up(request)) as parts:
                    async for part in parts:
                        await cache.keep_part(part.threads)
                        stored(part.threads)
            except RefusedError:  # perhaps only because of one of its threads
                refused.update(await _one_by_one(connection, cache, request.threads))
                stored([ThreadTexts(thread_id, ()) for thread_id in request.threads])

    async def load_changes(thread_id: int) -> None:
        async with turns:
            refused.update(await _changes_of_one(connection, cache, thread_id, stored))

    try:
        async with asyncio.TaskGroup() as group:
            for request in _requests(behind):
                group.create_task(load(request))
            for thread in await cache.outdated():
                group.create_task(load_changes(thread.thread_id))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    for thread_id, error in refused.items():  # the first of them says enough
        raise ClientError(f"thread {thread_id}: {error}") from error
    await _check_reached(cache, behind)


async def _check_reached(cache: Cache, behind: Sequence[LocalThread]) -> None:
    """Raise `StuckError` if something is still missing of what was missing before a catch-up."""
    reached = {thread.thread_id: thread.last_seq for thread in behind}
    for thread in await cache.behind():
        if thread.cursor < reached.get(thread.thread_id, 0):
            raise StuckError(f"the history of thread {thread.thread_id} does not go on after number {thread.cursor}")
        if thread.floor > thread.start:
            raise StuckError(f"the history of thread {thread.thread_id} does not go on before number {thread.floor}")


async def _changes(
    connection: Client, cache: Cache, thread_id: int, stored: Callable[[Sequence[ThreadTexts]], None] = lambda _: None
) -> None:
    """Load the messages of a thread that have been changed since the last change that is here. Raises `ClientError`."""
    more = True
    while more:
        thread = await _known(cache, thread_id)
        page = await connection.request(RevisionsRequest(thread_id, thread.revision), RevisionsReply)
        more = page.load_more
        reached = max((text.revision for text in page.texts), default=0)
        if more and reached <= thread.revision:
            raise StuckError(f"the changes of thread {thread_id} do not go on after number {thread.revision}")
        # changes of messages that the user may not read are left out: on the last page, they are passed over
        await cache.keep_changes(thread_id, page.texts, reached if more else max(reached, thread.last_revision))
        stored([ThreadTexts(thread_id, page.texts)])


async def _changes_of_one(
    connection: Client, cache: Cache, thread_id: int, stored: Callable[[Sequence[ThreadTexts]], None]
) -> dict[int, ClientError]:
    """`_changes` of one of several threads. Returns its error, if there is one that does not concern the others."""
    try:
        await _changes(connection, cache, thread_id, stored)
    except (RefusedError, StuckError) as error:
        return {thread_id: error}
    return {}


async def _one_by_one(connection: Client, cache: Cache, threads: Sequence[int]) -> dict[int, ClientError]:
    """Load each thread alone. Returns the threads that could not be loaded, with their errors."""
    refused = dict[int, ClientError]()
    for thread_id in threads:
        try:
            await fetch(connection, cache, thread_id)
        except (RefusedError, StuckError) as error:
            refused[thread_id] = error
    return refused


def _requests(behind: Sequence[LocalThread]) -> Iterator[CatchUpRequest]:
    """The requests for missing messages: the first screen, then the rest, with as many threads as fit into each."""
    screen, rest = [], []
    for rank, thread in enumerate(behind):
        if thread.cursor >= thread.floor > thread.start:  # an earlier catch-up was interrupted
            rest.append((thread.thread_id, thread.start - 1, thread.floor))
        start = thread.cursor if thread.cursor >= thread.floor else thread.start - 1
        if start >= thread.last_seq:
            continue
        newest = max(start, thread.last_seq - _SCREEN_TEXTS)
        if rank >= _SCREEN_THREADS:
            rest.append((thread.thread_id, start, 0))
            continue
        screen.append((thread.thread_id, newest, 0))
        if start < newest:
            rest.append((thread.thread_id, start, newest + 1))
    for places in (screen, rest):
        for at in range(0, len(places), _THREADS):
            yield CatchUpRequest(*zip(*places[at : at + _THREADS], strict=True))


async def follow(connection: Client, cache: Cache, thread_id: int) -> None:
    """Load the state of a thread that has changed, and then its missing messages, if there are any.

    Raises `ClientError`.
    """
    await refresh(connection, cache)
    thread = await cache.thread(thread_id)
    if thread is not None and thread.cursor < thread.last_seq:
        await fetch(connection, cache, thread_id)


async def fetch(connection: Client, cache: Cache, thread_id: int) -> None:
    """Load all messages of a thread that are newer than the stored ones; if none are stored, the newest page only.

    Nothing is loaded of a group that the user is no member of any more. Raises `ClientError`.
    """
    if await cache.thread(thread_id) is None:
        await refresh(connection, cache)
    try:
        await _fetch(connection, cache, thread_id)
    except RefusedError as error:
        if error.code != ErrorCode.NOT_A_MEMBER:
            raise
        await refresh(connection, cache)  # the user was removed meanwhile
        if not (await _known(cache, thread_id)).left:
            raise


async def _fetch(connection: Client, cache: Cache, thread_id: int) -> None:
    thread = await cache.thread(thread_id)
    if thread is None or thread.left:
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
    while (thread := await _known(cache, thread_id)).floor > thread.start:
        if not await earlier(connection, cache, thread_id) and (await _known(cache, thread_id)).floor > thread.start:
            raise StuckError(f"the history of thread {thread_id} does not go on before number {thread.floor}")
    if thread.revision < thread.last_revision:
        await _changes(connection, cache, thread_id)


async def reach(connection: Client, cache: Cache, thread_id: int, seq: int) -> None:
    """Load a thread from message number ``seq`` up to the stored messages, as one stream. Raises `ClientError`."""
    thread = await cache.thread(thread_id)
    if thread is None or thread.cursor < thread.floor:
        await fetch(connection, cache, thread_id)
        thread = await _known(cache, thread_id)
    if seq >= thread.floor:
        return
    async with aclosing(connection.catch_up(CatchUpRequest((thread_id,), (seq - 1,), (thread.floor,)))) as parts:
        async for part in parts:
            await cache.keep_part(part.threads)
    if (await _known(cache, thread_id)).floor > seq:
        raise StuckError(f"the history of thread {thread_id} does not go on before number {thread.floor}")


async def earlier(connection: Client, cache: Cache, thread_id: int) -> bool:
    """Load a page of a thread before the stored messages. Returns whether there may be more. Raises `ClientError`."""
    thread = await cache.thread(thread_id)
    if thread is None or thread.left or thread.floor <= thread.first:
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
