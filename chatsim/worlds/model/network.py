"""The model's network: connections between addresses, with a latency and a bound on what is under way."""

from __future__ import annotations

import asyncio
import itertools
from errno import EADDRINUSE, ECONNREFUSED, ECONNRESET
from typing import TYPE_CHECKING

from chatsim.chat.ports import Address
from chatsim.worlds.accepting import serve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chatsim.chat.ports import Stream

__all__ = ["ModelNetwork"]

_FIRST_FREE_PORT = 49152  # the dynamic ports: RFC 6335, section 6


class ModelNetwork:
    """The `Network` port in virtual time.

    A connection takes one round trip to open, and so does a refusal. Leave to write more comes back at once when
    the peer reads: an acknowledgement costs nothing.

    Args:
        latency: how long a byte is under way, one way, in seconds.
        window: how many bytes one direction holds, written and not yet read, before a writer has to wait.
    """

    def __init__(self, *, latency: float = 0.0, window: int = 65536) -> None:
        self._latency = latency
        self._window = window
        self._listeners: dict[Address, _ModelListener] = {}
        self._ports = itertools.count(_FIRST_FREE_PORT)

    async def listen(self, address: Address, accept: Callable[[Stream], Awaitable[None]]) -> _ModelListener:
        """Bind ``address``; see `chatsim.chat.ports.Network.listen`."""
        if address.port == 0:
            address = self._free(address.host)
        if address in self._listeners:
            raise OSError(EADDRINUSE, f"address in use: {address}")
        self._listeners[address] = listener = _ModelListener(address, accept, self._listeners)
        return listener

    async def connect(self, address: Address) -> _ModelStream:
        """Open a connection; see `chatsim.chat.ports.Network.connect`."""
        await asyncio.sleep(self._latency)
        stream = self._meet(address)
        try:
            await asyncio.sleep(self._latency)
        except asyncio.CancelledError:
            if stream:
                await stream.close()
            raise
        if stream is None:
            raise ConnectionRefusedError(ECONNREFUSED, f"nobody listens at {address}")
        return stream

    def _meet(self, address: Address) -> _ModelStream | None:
        """Hand the listener at ``address`` its end of a new connection and return the other end."""
        listener = self._listeners.get(address)
        if listener is None:
            return None
        there, back = _Pipe(self._latency, self._window), _Pipe(self._latency, self._window)
        listener.admit(_ModelStream(there, back, self._free(address.host)))
        return _ModelStream(back, there, address)

    def _free(self, host: str) -> Address:
        """An address of ``host`` that nobody has had."""
        return next(a for port in self._ports if (a := Address(host, port)) not in self._listeners)


class _ModelListener:
    def __init__(
        self,
        address: Address,
        accept: Callable[[Stream], Awaitable[None]],
        listeners: dict[Address, _ModelListener],
    ) -> None:
        self._address = address
        self._accept = accept
        self._listeners = listeners

    @property
    def address(self) -> Address:
        return self._address

    def admit(self, stream: _ModelStream) -> asyncio.Task[None]:
        """Start the accept coroutine for a new connection; the model's loop keeps its tasks alive."""
        return asyncio.create_task(serve(self._accept, stream), name=f"{self._address} from {stream.peer}")

    async def close(self) -> None:
        if self._listeners.get(self._address) is self:
            del self._listeners[self._address]


class _ModelStream:
    """One end of a connection: the pipe it reads and the pipe it writes."""

    def __init__(self, inbound: _Pipe, outbound: _Pipe, peer: Address) -> None:
        self._inbound = inbound
        self._outbound = outbound
        self._peer = peer

    @property
    def peer(self) -> Address:
        return self._peer

    async def read(self, limit: int) -> bytes:
        return await self._inbound.read(limit)

    async def write(self, data: bytes) -> None:
        await self._outbound.write(data)

    async def close(self) -> None:
        self._outbound.finish()
        self._inbound.abandon()


class _Pipe:
    """One direction of a connection; what one end does, the other end sees ``latency`` seconds later."""

    def __init__(self, latency: float, window: int) -> None:
        self._latency = latency
        self._window = window
        self._unread = bytearray()
        self._untaken = 0  # bytes written and not yet read, wherever they are
        self._finished = False  # nothing more comes out
        self._closed = False  # nothing more goes in
        self._broken = False  # because the reader has closed
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    async def read(self, limit: int) -> bytes:
        while not (self._unread or self._finished):
            self._readable.clear()
            await self._readable.wait()
        data = bytes(self._unread[:limit])
        del self._unread[:limit]
        self._untaken -= len(data)
        if self._untaken <= self._window:
            self._writable.set()
        return data

    async def write(self, data: bytes) -> None:
        """Send ``data`` as a whole, so that writers don't mix, then wait until the window has room again."""
        if self._closed:
            raise ConnectionResetError(ECONNRESET, "the connection is closed")
        self._untaken += len(data)
        self._later(self._arrive, bytes(data))
        if self._untaken > self._window:
            self._writable.clear()
            await self._writable.wait()
        if self._broken:
            raise ConnectionResetError(ECONNRESET, "the peer has closed the connection")

    def finish(self) -> None:
        """The writer closes: its end follows what it wrote."""
        self._close()
        self._later(self._end)

    def abandon(self) -> None:
        """The reader closes: it sees the end now, the writer when word has reached it."""
        self._end()
        self._later(self._break)

    def _later(self, callback: Callable[..., None], *args: object) -> None:
        asyncio.get_running_loop().call_later(self._latency, callback, *args)

    def _arrive(self, data: bytes) -> None:
        if not self._finished:
            self._unread += data
            self._readable.set()

    def _end(self) -> None:
        self._finished = True
        self._readable.set()

    def _break(self) -> None:
        self._broken = True
        self._close()

    def _close(self) -> None:
        self._closed = True
        self._writable.set()
