"""A network in virtual time: hosts, the links between them, connections, and what can happen to those."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from errno import EADDRINUSE, ECONNREFUSED, ECONNRESET
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

import numpy as np

from chatsim.simulation.links import Link, Topology

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Address", "Host", "Listener", "Network", "Stream"]


class Address(Protocol):
    """A host and a port, as a hashable value; whoever makes a network says of which class."""

    @property
    def host(self) -> str:
        """The host's name."""
        ...

    @property
    def port(self) -> int:
        """0 asks for any free one."""
        ...


A = TypeVar("A", bound=Address)

Accept: TypeAlias = "Callable[[Stream[A]], Awaitable[None]]"
"""What a listener does with a connection; the connection is its to close."""

_FIRST_FREE_PORT = 49152  # the dynamic ports: RFC 6335, section 6


class Network(Generic[A]):
    """Hosts by name, and what lies between them.

    A connection takes one round trip to open, and so does a refusal. Leave to write more comes back at once when
    the peer reads: an acknowledgement costs nothing.

    Args:
        address: makes an address of a host and a port.
        topology: which link is between which hosts.
        window: how many bytes one direction of a connection holds, written and not yet read, before a writer waits.
        rng: for latencies.
    """

    def __init__(
        self,
        address: Callable[[str, int], A],
        topology: Topology | None = None,
        *,
        window: int = 65536,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._address = address
        self._topology = topology or Topology()
        self._window = window
        self._rng = np.random.default_rng(0) if rng is None else rng
        self._lines: dict[tuple[str, str], _Line] = {}
        self._far: dict[str, Link] = {}
        self._listeners: dict[A, Listener[A]] = {}
        self._ports = itertools.count(_FIRST_FREE_PORT)

    def host(self, name: str) -> Host[A]:
        """The network as seen from the host ``name``."""
        return Host(self, name)

    def remove(self, host: str, link: Link) -> None:
        """Have ``link`` lie between a host and every other, for connections from now on."""
        self._far[host] = link
        self._lines = {ends: line for ends, line in self._lines.items() if host not in ends}

    def cut(self, one: str, other: str) -> None:
        """Break the connections between two hosts: both ends learn of it at once."""
        for line in self._both(one, other):
            line.cut()

    def part(self, one: str, other: str) -> None:
        """Let nothing through between two hosts, and nobody know, until `heal`: what is written meanwhile is late.

        What was written before is under way, and arrives.
        """
        for line in self._both(one, other):
            line.stop()

    def heal(self, one: str, other: str) -> None:
        """End what `part` began."""
        for line in self._both(one, other):
            line.start()

    def slow(self, one: str, other: str, factor: float) -> None:
        """Make latency, and the time that bytes take to be sent, ``factor`` times what they are by the topology.

        Raises:
            ValueError: the factor is not above 0.
        """
        if not factor > 0:
            raise ValueError(f"factor is {factor}; it must be above 0")
        for line in self._both(one, other):
            line.slowness = factor

    def _both(self, one: str, other: str) -> tuple[_Line, _Line]:
        return self.line(one, other), self.line(other, one)

    def line(self, here: str, there: str) -> _Line:
        """The line from one host to another."""
        line = self._lines.get((here, there))
        if line is None:
            far = self._far.get(here) or self._far.get(there)
            link = far if far and here != there else self._topology.find(here, there)
            line = self._lines[here, there] = _Line(link, self._rng)
        return line

    def listen(self, address: A, accept: Accept[A]) -> Listener[A]:
        """Bind ``address``. Raises `OSError` when it is in use."""
        if address.port == 0:
            address = self._free(address.host)
        if address in self._listeners:
            raise OSError(EADDRINUSE, f"address in use: {address}")
        self._listeners[address] = listener = Listener(address, accept, self._listeners)
        return listener

    async def connect(self, here: str, address: A) -> Stream[A]:
        """Open a connection from the host ``here``. Raises `ConnectionRefusedError` when nobody listens there."""
        there, back = self.line(here, address.host), self.line(address.host, here)
        await there.cross()
        stream = self._meet(here, address, there, back)
        try:
            await back.cross()
        except asyncio.CancelledError:
            if stream:
                await stream.close()
            raise
        if stream is None:
            raise ConnectionRefusedError(ECONNREFUSED, f"nobody listens at {address}")
        return stream

    def _meet(self, here: str, address: A, there: _Line, back: _Line) -> Stream[A] | None:
        """Hand the listener at ``address`` its end of a new connection and return the other end."""
        listener = self._listeners.get(address)
        if listener is None:
            return None
        out, home = _Pipe(there, back, self._window), _Pipe(back, there, self._window)
        listener.admit(Stream(out, home, self._free(here)))
        return Stream(home, out, address)

    def _free(self, host: str) -> A:
        """An address of ``host`` that nobody has had."""
        return next(a for port in self._ports if (a := self._address(host, port)) not in self._listeners)


class Host(Generic[A]):
    """The network as seen from one host."""

    def __init__(self, network: Network[A], name: str) -> None:
        self._network = network
        self._name = name

    async def listen(self, address: A, accept: Accept[A]) -> Listener[A]:
        """Bind ``address``; see `Network.listen`."""
        return self._network.listen(address, accept)

    async def connect(self, address: A) -> Stream[A]:
        """Open a connection; see `Network.connect`."""
        return await self._network.connect(self._name, address)


class Listener(Generic[A]):
    """A bound address that accepts connections until closed."""

    def __init__(self, address: A, accept: Accept[A], listeners: dict[A, Listener[A]]) -> None:
        self._address = address
        self._accept = accept
        self._listeners = listeners

    @property
    def address(self) -> A:
        """The address in use, with the real port."""
        return self._address

    def admit(self, stream: Stream[A]) -> asyncio.Task[None]:
        """Start the accept coroutine for a new connection; the model's loop keeps its tasks alive."""
        return asyncio.create_task(self._accepted(stream), name=f"{self._address} from {stream.peer}")

    async def _accepted(self, stream: Stream[A]) -> None:
        await self._accept(stream)

    async def close(self) -> None:
        """Stop accepting; connections already accepted live on."""
        if self._listeners.get(self._address) is self:
            del self._listeners[self._address]


class _Line:
    """One direction between two hosts: sends one thing after the other, and delivers them after the link's latency.

    Attributes:
        slowness: a factor to the link's times.
    """

    __slots__ = ("_held", "_link", "_pipes", "_rng", "_sent_at", "slowness")

    def __init__(self, link: Link, rng: np.random.Generator) -> None:
        self.slowness = 1.0
        self._link = link
        self._rng = rng
        self._sent_at = 0.0  # when all that was given to it has been sent
        self._held: deque[tuple[_Pipe | None, int, Callable[..., None], tuple[object, ...]]] | None = None
        self._pipes: dict[_Pipe, None] = {}  # a set in order

    def open(self, pipe: _Pipe) -> None:
        self._pipes[pipe] = None

    def forget(self, pipe: _Pipe) -> None:
        self._pipes.pop(pipe, None)

    def carry(self, pipe: _Pipe | None, size: int, callback: Callable[..., None], *args: object) -> None:
        """Call ``callback`` when ``size`` bytes have arrived; never before what the same pipe was given earlier."""
        if self._held is not None:
            self._held.append((pipe, size, callback, args))
            return
        loop = asyncio.get_running_loop()
        begin = max(loop.time(), self._sent_at)
        self._sent_at = begin + size / self._link.bandwidth * self.slowness
        arrival = self._sent_at + self._link.latency.draw(self._rng) * self.slowness
        if pipe is not None:
            pipe.latest = arrival = max(arrival, pipe.latest)
        loop.call_at(arrival, callback, *args)

    async def cross(self) -> None:
        """Wait as long as something without a size is under way."""
        there: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.carry(None, 0, _set, there)
        await there

    def stop(self) -> None:
        self._held = deque() if self._held is None else self._held

    def start(self) -> None:
        held, self._held = self._held or (), None
        for pipe, size, callback, args in held:
            self.carry(pipe, size, callback, *args)

    def cut(self) -> None:
        for pipe in list(self._pipes):
            pipe.cut()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Stream(Generic[A]):
    """One end of a connection: the pipe it reads and the pipe it writes."""

    def __init__(self, inbound: _Pipe, outbound: _Pipe, peer: A) -> None:
        self._inbound = inbound
        self._outbound = outbound
        self._peer = peer

    @property
    def peer(self) -> A:
        """The other end's address."""
        return self._peer

    async def read(self, limit: int) -> bytes:
        """Wait for at least one byte and return at most ``limit``; ``b""`` once the peer has closed."""
        return await self._inbound.read(limit)

    async def write(self, data: bytes) -> None:
        """Send all of ``data``; waits while the peer does not keep up. Raises `ConnectionResetError`."""
        await self._outbound.write(data)

    async def close(self) -> None:
        """Close both directions; what was written before still arrives. May be called twice."""
        self._outbound.finish()
        self._inbound.abandon()


class _Pipe:
    """One direction of a connection; what one end does, the other end sees when the line has carried it."""

    def __init__(self, line: _Line, back: _Line, window: int) -> None:
        self.latest = 0.0  # when the latest of what is under way arrives
        self._line = line
        self._back = back
        self._window = window
        self._unread = bytearray()
        self._untaken = 0  # bytes written and not yet read, wherever they are
        self._finished = False  # nothing more comes out
        self._closed = False  # nothing more goes in
        self._broken = False  # because the reader has closed
        self._cut = False  # by a fault
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        line.open(self)

    async def read(self, limit: int) -> bytes:
        while not (self._unread or self._finished):
            self._readable.clear()
            await self._readable.wait()
        if self._cut:
            raise ConnectionResetError(ECONNRESET, "the connection was lost")
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
        self._line.carry(self, len(data), self._arrive, bytes(data))
        if self._untaken > self._window:
            self._writable.clear()
            await self._writable.wait()
        if self._broken:
            raise ConnectionResetError(ECONNRESET, "the peer has closed the connection")

    def finish(self) -> None:
        """The writer closes: its end follows what it wrote."""
        if not self._closed:
            self._close()
            self._line.carry(self, 0, self._end)

    def abandon(self) -> None:
        """The reader closes: it sees the end now, the writer when word has reached it."""
        if not self._broken:
            self._end()
            self._back.carry(None, 0, self._break)

    def cut(self) -> None:
        """A fault: what is under way is lost, and both ends know."""
        self._cut = True
        self._unread.clear()
        self._end()
        self._break()

    def _arrive(self, data: bytes) -> None:
        if not self._finished:
            self._unread += data
            self._readable.set()

    def _end(self) -> None:
        self._finished = True
        self._readable.set()
        self._forget()

    def _break(self) -> None:
        self._broken = True
        self._close()

    def _close(self) -> None:
        self._closed = True
        self._writable.set()
        self._forget()

    def _forget(self) -> None:
        """Nothing can be cut any more when both ends know of the end."""
        if self._finished and self._closed:
            self._line.forget(self)
