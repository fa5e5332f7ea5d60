"""The texts that a client has to send. They stay here, in order, until they are acknowledged, refused, or too late."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from chatsim.chat.client.cache import Cache, Pending, State
from chatsim.chat.client.connection import Client, ClientError, RefusedError
from chatsim.chat.protocol import REQUEST_LIMIT, ErrorCode, OutgoingText, TextReply, TextRequest

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Outbox", "TextTooLongError", "WrongAcknowledgementError", "unique_id"]

_AGAIN = {ErrorCode.SEND_FAILED, ErrorCode.RPC_FAILED}
"""Errors of the server after which the same texts may be accepted later."""

_SMALLEST = len(msgspec.json.encode(OutgoingText("", "")))
"""The smallest size of a text in a request, in bytes."""


class WrongAcknowledgementError(ClientError):
    """The server has acknowledged other texts than those that were sent. Whether these were stored is unknown."""


class TextTooLongError(ValueError):
    """A text is too long: the request would be larger than the server accepts."""


def unique_id(rng: np.random.Generator) -> str:
    """A unique id for a text: a random UUID in braces, as in the source (docs/source.md, C20)."""
    raw = bytearray(rng.bytes(16))
    raw[6] = raw[6] & 0x0F | 0x40  # RFC 9562: version 4
    raw[8] = raw[8] & 0x3F | 0x80  # and its variant
    text = raw.hex()
    return "{" + "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])) + "}"


class Outbox:
    """The texts that one user has to send. They are stored in the cache, so they survive a restart.

    Args:
        uid: the user.
        cache: the user's local data.
        limit: the largest request that the server accepts, in bytes.
    """

    def __init__(self, uid: int, cache: Cache, limit: int = REQUEST_LIMIT) -> None:
        self._uid = uid
        self._cache = cache
        self._limit = limit

    async def put(self, text: Pending) -> None:
        """Store a text. Raises `TextTooLongError`; the text is not stored then."""
        if (size := self._size([text])) > self._limit:
            raise TextTooLongError(f"the text makes a request of {size} bytes; a server accepts {self._limit}")
        await self._cache.put(text)

    async def send(self, connection: Client) -> list[tuple[Pending, State]]:
        """Send the first texts, as many as fit into one request. Returns them with their new states.

        Raises:
            RefusedError: the server could not store them now; they may be sent again.
            DisconnectedError, LateError, WrongAcknowledgementError: whether they were stored is unknown; they must be
                sent again.
        """
        batch = self._batch(await self._cache.pending(self._limit // _SMALLEST + 1))
        if not batch:
            return []
        refused = await self._refused(connection, batch)
        if refused and len(batch) > 1:  # perhaps only because of one of them: they are sent one by one
            batch = batch[:1]
            refused = await self._refused(connection, batch)
        state = State.FAILED if refused else State.UNREAD
        await self._cache.mark([text.unique_id for text in batch], state)
        return [(text, state) for text in batch]

    async def _refused(self, connection: Client, batch: Sequence[Pending]) -> bool:
        """Send texts. Returns whether they were refused for good."""
        if self._size(batch) > self._limit:  # the limit has changed since the text was stored
            return True
        try:
            reply = await connection.request(self._request(batch), TextReply)
        except RefusedError as error:
            if error.code in _AGAIN:
                raise
            return True
        if [each.unique_id for each in reply.chat_datas] != [text.unique_id for text in batch]:
            raise WrongAcknowledgementError("the server has acknowledged other texts than were sent")
        return False

    def _batch(self, pending: Sequence[Pending]) -> list[Pending]:
        """The first text, and the texts of the same thread directly after it, as many as fit into a request."""
        batch: list[Pending] = []
        size = 0
        for text in takewhile(lambda each: each.thread_id == pending[0].thread_id, pending):
            more = len(msgspec.json.encode(_outgoing(text))) + 1  # a comma
            size = size + more if batch else self._size([text])
            if batch and size > self._limit:
                break
            batch.append(text)
        return batch

    def _size(self, batch: Sequence[Pending]) -> int:
        return len(msgspec.json.encode(self._request(batch)))

    def _request(self, batch: Sequence[Pending]) -> TextRequest:
        return TextRequest(self._uid, batch[0].receiver, batch[0].thread_id, tuple(map(_outgoing, batch)))


def _outgoing(text: Pending) -> OutgoingText:
    return OutgoingText(text.content, text.unique_id)
