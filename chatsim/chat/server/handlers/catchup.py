"""Catch-up: one request for the missing messages of many threads, which is answered in many parts."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import msgspec

from chatsim.chat.protocol import (
    LARGEST_BODY,
    CatchUpPart,
    CatchUpReply,
    CatchUpRequest,
    ErrorCode,
    Message,
    NumberedText,
    ThreadTexts,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store import members

__all__ = ["catch_up"]

_AT_ONCE = 16
"""Threads that are read in one round trip to the database."""

_ROWS = 250
"""Messages that are read of each thread at a time."""

_ENVELOPE = 64
"""The size of a part, and of each thread in it, without the messages, in bytes."""


async def catch_up(context: HandlerContext, session: ClientSession, request: CatchUpRequest) -> Message:
    """Send the missing messages of many threads, in parts that fill a frame. Each message is sent once."""
    context.require_numbers()
    if not request.threads or not len(request.threads) == len(request.after) == len(request.below):
        raise RefusalError(ErrorCode.BAD_CONTENT, "threads, after and below are not of one length, or empty")
    async with context.lease(session.uid) as tx:
        first = await members.require(tx, session.uid, request.threads)
    asked = zip(request.threads, request.after, request.below, strict=True)
    left = deque(_once((thread, max(after, first[thread] - 1), below) for thread, after, below in asked))
    while left:
        places = [left.popleft() for _ in range(min(_AT_ONCE, len(left)))]
        groups = {thread: first[thread] for thread, *_ in places if first[thread]}
        # returned before the parts are sent, since a client may read slowly
        async with context.lease(session.uid) as tx:
            found = await context.texts.between(tx, places, _ROWS)
            if groups:  # who was removed meanwhile, and has perhaps been added again, gets nothing of what was written
                await members.require_still(tx, session.uid, groups)
        left.extendleft(
            (thread, texts[-1].seq, below)
            for (thread, _, below), texts in zip(reversed(places), reversed(found), strict=True)
            if len(texts) == _ROWS
        )
        for part in _parts([(thread, texts) for (thread, *_), texts in zip(places, found, strict=True)]):
            await session.send(part)
    return CatchUpReply(ErrorCode.SUCCESS)


def _once(places: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """The same threads and bounds, with bounds of one thread that overlap put together."""
    by_thread: dict[int, list[tuple[int, int, int]]] = {}
    for place in places:
        by_thread.setdefault(place[0], []).append(place)
    for thread, of_thread in by_thread.items():
        spans: list[tuple[int, float]] = []
        for after, below in sorted((after, below or math.inf) for _, after, below in of_thread):
            if spans and after < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], below))
            else:
                spans.append((after, below))
        yield from ((thread, after, 0 if below == math.inf else int(below)) for after, below in spans)


def _parts(found: Sequence[tuple[int, Sequence[NumberedText]]]) -> Iterator[CatchUpPart]:
    """The smallest number of parts. Each message is encoded once, to know its length, and put into a part as it is."""
    threads: list[ThreadTexts] = []
    room = LARGEST_BODY - _ENVELOPE
    for thread, texts in found:
        raw: list[msgspec.Raw] = []
        for text in texts:
            encoded = msgspec.json.encode(text)
            if room < len(encoded) + 1 + _ENVELOPE:
                yield CatchUpPart((*threads, _as_they_are(thread, raw)))
                threads, raw, room = [], [], LARGEST_BODY - _ENVELOPE
            raw.append(msgspec.Raw(encoded))
            room -= len(encoded) + 1  # and a comma
        if raw:
            threads.append(_as_they_are(thread, raw))
            room -= _ENVELOPE
    if threads:
        yield CatchUpPart(tuple(threads))


def _as_they_are(thread: int, texts: Sequence[msgspec.Raw]) -> ThreadTexts:
    return ThreadTexts(thread, cast(tuple[NumberedText, ...], tuple(texts)))
