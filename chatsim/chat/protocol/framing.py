"""The frame codec: bytes in, messages out, no I/O.

A frame is a header of four bytes, message id and body length, both unsigned 16-bit big-endian; then the body, a JSON
object in UTF-8 (docs/source.md, 3.2).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache

import msgspec

from chatsim.chat.protocol.parts import Message

__all__ = ["LARGEST_BODY", "REQUEST_LIMIT", "Decoder", "MessageTooLongError", "ProtocolError", "encode"]

LARGEST_BODY = 65_535
"""The largest length of a body that fits into the header, in bytes."""

REQUEST_LIMIT = 2_048
"""The source's limit for a body that a client sends, in bytes."""

_HEADER = struct.Struct(">HH")


class ProtocolError(Exception):
    """The peer has broken the protocol. The message has the reason. The connection can't be used any more."""


class MessageTooLongError(ValueError):
    """The body of a message is longer than `LARGEST_BODY`."""


def encode(message: Message) -> bytes:
    """The frame of a message. Raises `MessageTooLongError`."""
    body = msgspec.json.encode(message)
    if len(body) > LARGEST_BODY:
        raise MessageTooLongError(
            f"message {message.ID} has {len(body)} bytes, more than the {LARGEST_BODY} of a frame"
        )
    return _HEADER.pack(message.ID, len(body)) + body


@cache
def _decoder(message: type[Message]) -> msgspec.json.Decoder[Message]:
    """The decoder of a message class. It is made once, because it has no state and is slow to make."""
    return msgspec.json.Decoder(message)


class Decoder:
    """Turns the bytes that a peer has sent into messages.

    Args:
        known: the messages that the peer may send, `FROM_CLIENT` or `FROM_SERVER`.
        limit: the largest length of a body, in bytes.

    Attributes:
        longer: other limits, by message id. They count if they are larger.
    """

    def __init__(self, known: Mapping[int, type[Message]], limit: int = LARGEST_BODY) -> None:
        self.longer: Mapping[int, int] = {}
        self._decoders = {number: _decoder(message) for number, message in known.items()}
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._buffer += data

    def next_message(self) -> Message | None:
        """The next whole message, or None until more has arrived.

        Raises:
            ProtocolError: the bytes are not a message. Every later call raises it again.
        """
        if len(self._buffer) < _HEADER.size:
            return None
        number, length = _HEADER.unpack_from(self._buffer)
        if number not in self._decoders:
            raise ProtocolError(f"unknown message id {number}")
        if length > self._limit and length > (limit := max(self._limit, self.longer.get(number, 0))):
            raise ProtocolError(f"message {number} has {length} bytes, more than the {limit} allowed")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        try:
            message = self._decoders[number].decode(memoryview(self._buffer)[_HEADER.size : end])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"message {number}: {error}") from error
        del self._buffer[:end]
        return message

    @property
    def missing(self) -> int:
        """After `next_message` has returned None: how many bytes must arrive before it says something else."""
        end = _HEADER.size
        if len(self._buffer) >= end:
            end += _HEADER.unpack_from(self._buffer)[1]
        return end - len(self._buffer)

    def end(self) -> None:
        """Note that the peer has closed the connection. Raises `ProtocolError` if a frame was incomplete."""
        if self._buffer:
            raise ProtocolError(f"the connection ended within a frame, after {len(self._buffer)} bytes of it")
