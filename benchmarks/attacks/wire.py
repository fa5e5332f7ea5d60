"""A connection to a chat server, from any address of this machine, that sends and hears frames."""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
from dataclasses import dataclass

import msgspec

from chatsim.chat.protocol import LoginRequest, Message, encode

__all__ = ["Connection", "Place", "RefusedError", "raise_descriptors", "source"]

_HEADER = struct.Struct(">HH")
_BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT of <linux/in.h>: the port is chosen at connect


class RefusedError(Exception):
    """The server has answered a login with an error, or not at all."""


class _Reply(msgspec.Struct):
    error: int = 0


@dataclass(frozen=True)
class Place:
    """What a client has to know of the system.

    Attributes:
        host: of the chat server.
        port: of the chat server.
        tokens: a login token for each user.
        threads: the thread of each pair of friends, the smaller id first.
    """

    host: str
    port: int
    tokens: dict[int, str]
    threads: dict[tuple[int, int], int]


class Connection:
    """Frames to and from a chat server.

    Attributes:
        received: how many bytes were heard.
        reset: whether the server has closed it without a word, and without reading what was sent.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received = 0
        self.reset = False
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, place: Place, source: str = "127.0.0.1") -> Connection:
        """Connect from the address ``source``. Raises `OSError`."""
        there = socket.socket()
        try:
            there.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            there.bind((source, 0))
            there.setblocking(False)  # noqa: FBT003
            await asyncio.get_running_loop().sock_connect(there, (place.host, place.port))
            return cls(*await asyncio.open_connection(sock=there))
        except BaseException:
            there.close()
            raise

    async def log_in(self, place: Place, uid: int) -> None:
        """Log in. Raises `RefusedError`, or `OSError`."""
        await self.send(encode(LoginRequest(uid, place.tokens[uid])))
        heard = await self.hear()
        if heard is None or (error := error_of(heard[1])):
            raise RefusedError("hung up" if heard is None else f"error {error}")

    async def send(self, data: bytes) -> None:
        """Send bytes. Raises `OSError`."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            self.reset = True
            raise

    async def ask(self, message: Message) -> bytes | None:
        """Send a request; the body of its reply, or None if the server hangs up."""
        await self.send(encode(message))
        while (heard := await self.hear()) is not None:
            if heard[0] == message.ID + 1:
                return heard[1]
        return None

    async def hear(self) -> tuple[int, bytes] | None:
        """The next message, its id and its body; None when the server has hung up."""
        try:
            number, length = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self.received += _HEADER.size + length
        return number, body

    async def read(self) -> bytes:
        """Bytes as they come; none when the server has hung up."""
        try:
            return await self._reader.read(65_536)
        except ConnectionError:
            self.reset = True
            return b""

    def hang_up(self) -> None:
        """Send nothing more, and go on hearing."""
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    def close(self) -> None:
        """Close, whatever is still to be sent."""
        self._writer.transport.abort()


def error_of(body: bytes) -> int:
    """The error that a reply has."""
    return msgspec.json.decode(body, type=_Reply).error


def source(number: int) -> str:
    """One of the addresses of 127/8, but not the one that innocent users have."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


def raise_descriptors() -> None:
    """Let this process open as many files as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
