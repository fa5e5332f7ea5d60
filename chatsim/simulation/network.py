"""A network in virtual time: hosts, the links between them, connections, and the faults that can befall them.

It is generic over its addresses: any hashable value with a host and a port will do.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from errno import EADDRINUSE, ECONNREFUSED, ECONNRESET
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

import numpy as np

from chatsim.simulation.links import Link, Topology

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = [
    "Breakable",
    "Endpoint",
    "SimulatedHost",
    "SimulatedListener",
    "SimulatedNetwork",
    "SimulatedStream",
    "Welcomes",
]


class Endpoint(Protocol):
    """A host and a port, as a hashable value. The creator of a network chooses the class."""

    @property
    def host(self) -> str:
        """The host's name."""
        ...

    @property
    def port(self) -> int:
        """0 asks for any free one."""
        ...


class Breakable(Protocol):
    """A connection that a fault can break. It is hashable by its identity."""

    def cut(self) -> None:
        """Break: what is under way is lost, and both ends notice it at once."""
        ...


A = TypeVar("A", bound=Endpoint)

Accept: TypeAlias = "Callable[[SimulatedStream[A]], Awaitable[None]]"
"""The function that a listener calls with a new connection. It has to close the connection."""

Welcomes: TypeAlias = "Callable[[A], int]"
"""The function that says whether a listener wants a connection from a peer."""

_FIRST_FREE_PORT = 49152  # the dynamic ports: RFC 6335, section 6


class SimulatedNetwork(Generic[A]):
    """Hosts by name, and the links between them.

    To open a connection takes one round trip, and so does a refusal. When the peer reads, the writer may write more
    at once: acknowledgements take neither time nor bandwidth.

    Args:
        address: makes an address of a host and a port.
        topology: which link is between which hosts.
        window: how many bytes one direction of a connection holds, written and not yet read, before a writer waits.
        rng: draws the latencies.
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
        self._channels: dict[tuple[str, str], _Channel] = {}
        self._placed: dict[str, Link] = {}
        self._listeners: dict[A, SimulatedListener[A]] = {}
        self._ports = itertools.count(_FIRST_FREE_PORT)

    def host(self, name: str) -> SimulatedHost[A]:
        """The network as seen from the host ``name``."""
        return SimulatedHost(self, name)

    def place(self, host: str, link: Link) -> None:
        """Put ``link`` between a host and every other host, for connections that are opened from now on."""
        self._placed[host] = link
        self._channels = {ends: channel for ends, channel in self._channels.items() if host not in ends}

    def cut(self, one: str, other: str) -> None:
        """Break all connections between two hosts. Both ends see a `ConnectionResetError` at once."""
        for channel in self._both_ways(one, other):
            channel.cut()

    def partition(self, one: str, other: str) -> None:
        """Let nothing through between two hosts until `heal`. Neither end is told, and no connection breaks.

        Bytes that were written before still arrive; bytes that are written meanwhile arrive after `heal`.
        """
        for channel in self._both_ways(one, other):
            channel.hold()

    def heal(self, one: str, other: str) -> None:
        """End a `partition`."""
        for channel in self._both_ways(one, other):
            channel.release()

    def slow(self, one: str, other: str, factor: float) -> None:
        """Multiply the latency between two hosts, and the time that bytes take to be sent, by ``factor``.

        Raises:
            ValueError: the factor is not above 0.
        """
        if not factor > 0:
            raise ValueError(f"factor is {factor}; it must be above 0")
        for channel in self._both_ways(one, other):
            channel.slowness = factor

    def _both_ways(self, one: str, other: str) -> tuple[_Channel, _Channel]:
        return self._channel(one, other), self._channel(other, one)

    def _channel(self, here: str, there: str) -> _Channel:
        """The channel that carries what ``here`` sends to ``there``."""
        channel = self._channels.get((here, there))
        if channel is None:
            placed = self._placed.get(here) or self._placed.get(there)
            link = placed if placed and here != there else self._topology.find(here, there)
            channel = self._channels[here, there] = _Channel(link, self._rng)
        return channel

    def busy_seconds(self) -> Mapping[tuple[str, str], float]:
        """How long each link has sent bytes so far, by the hosts that send and receive."""
        return {ends: channel.busy_seconds for ends, channel in self._channels.items()}

    def transit(self, here: str, there: str) -> Awaitable[None]:
        """Wait as long as a message without a size takes from one host to another."""
        return self._channel(here, there).transit()  # not a coroutine of its own: it is in every round trip

    def send(self, here: str, there: str, callback: Callable[..., None], *args: object) -> None:
        """Call ``callback`` when a message without a size has come from one host to another."""
        self._channel(here, there).carry(None, 0, callback, *args)

    def opened(self, here: str, there: str, connection: Breakable) -> None:
        """Note a connection without streams between two hosts, so that `cut` breaks it."""
        self._channel(here, there).open(connection)

    def closed(self, here: str, there: str, connection: Breakable) -> None:
        """Forget a connection of `opened`."""
        self._channel(here, there).forget(connection)

    def listen(self, address: A, accept: Accept[A], welcomes: Welcomes[A] | None = None) -> SimulatedListener[A]:
        """Bind ``address``. A connection for whose peer ``welcomes`` returns 0 is refused.

        Raises `OSError` when the address is in use.
        """
        if address.port == 0:
            address = self._free_address(address.host)
        if address in self._listeners:
            raise OSError(EADDRINUSE, f"address in use: {address}")
        self._listeners[address] = listener = SimulatedListener(address, accept, welcomes, self._listeners)
        return listener

    async def connect(self, here: str, address: A) -> SimulatedStream[A]:
        """Open a connection from the host ``here``. Raises `ConnectionRefusedError` when nobody listens there."""
        there, back = self._channel(here, address.host), self._channel(address.host, here)
        await there.transit()
        stream = self._establish(here, address, there, back)
        try:
            await back.transit()
        except asyncio.CancelledError:
            if stream:
                await stream.close()
            raise
        if stream is None:
            raise ConnectionRefusedError(ECONNREFUSED, f"nobody listens at {address}")
        return stream

    def _establish(self, here: str, address: A, there: _Channel, back: _Channel) -> SimulatedStream[A] | None:
        """Hand the listener at ``address`` its end of a new connection, and return the other end."""
        listener = self._listeners.get(address)
        if listener is None or not listener.welcomes(peer := self._free_address(here)):
            return None
        request, reply = _Pipe(there, back, self._window), _Pipe(back, there, self._window)
        listener.admit(SimulatedStream(request, reply, peer))
        return SimulatedStream(reply, request, address)

    def _free_address(self, host: str) -> A:
        """An address of ``host`` that was not used before."""
        return next(a for port in self._ports if (a := self._address(host, port)) not in self._listeners)


class SimulatedHost(Generic[A]):
    """The network as seen from one host."""

    def __init__(self, network: SimulatedNetwork[A], name: str) -> None:
        self._network = network
        self._name = name

    async def listen(self, address: A, accept: Accept[A], welcomes: Welcomes[A] | None = None) -> SimulatedListener[A]:
        """Bind ``address``; see `SimulatedNetwork.listen`."""
        return self._network.listen(address, accept, welcomes)

    async def connect(self, address: A) -> SimulatedStream[A]:
        """Open a connection; see `SimulatedNetwork.connect`."""
        return await self._network.connect(self._name, address)


class SimulatedListener(Generic[A]):
    """A bound address that accepts connections until closed.

    Attributes:
        capacity: the number of connections that can be open at the same time.
    """

    capacity = math.inf

    def __init__(
        self,
        address: A,
        accept: Accept[A],
        welcomes: Welcomes[A] | None,
        listeners: dict[A, SimulatedListener[A]],
    ) -> None:
        self._address = address
        self._accept = accept
        self._welcomes = welcomes
        self._listeners = listeners

    @property
    def address(self) -> A:
        """The address in use, with the real port."""
        return self._address

    def welcomes(self, peer: A) -> bool:
        """Whether a connection from ``peer`` is wanted."""
        return self._welcomes is None or bool(self._welcomes(peer))

    def admit(self, stream: SimulatedStream[A]) -> asyncio.Task[None]:
        """Start the accept coroutine for a new connection. The loop keeps its tasks alive."""
        return asyncio.create_task(self._accepted(stream), name=f"{self._address} from {stream.peer}")

    async def _accepted(self, stream: SimulatedStream[A]) -> None:
        await self._accept(stream)

    async def close(self) -> None:
        """Stop accepting; connections already accepted live on."""
        if self._listeners.get(self._address) is self:
            del self._listeners[self._address]


class _Channel:
    """One direction between two hosts. It sends one message after the other, and each arrives after the latency.

    Attributes:
        slowness: a factor by which the link's times are multiplied.
        busy_seconds: how long it has sent bytes so far.
    """

    __slots__ = ("_held", "_link", "_open", "_rng", "_sent_at", "busy_seconds", "slowness")

    def __init__(self, link: Link, rng: np.random.Generator) -> None:
        self.slowness = 1.0
        self.busy_seconds = 0.0
        self._link = link
        self._rng = rng
        self._sent_at = 0.0  # when all that was given to it has been sent
        self._held: deque[tuple[_Pipe | None, int, Callable[..., None], tuple[object, ...]]] | None = None
        self._open: dict[Breakable, None] = {}  # a set in order

    def open(self, connection: Breakable) -> None:
        self._open[connection] = None

    def forget(self, connection: Breakable) -> None:
        self._open.pop(connection, None)

    def carry(self, pipe: _Pipe | None, size: int, callback: Callable[..., None], *args: object) -> None:
        """Call ``callback`` when ``size`` bytes have arrived. The messages of one pipe arrive in their order."""
        if self._held is not None:
            self._held.append((pipe, size, callback, args))
            return
        loop = asyncio.get_running_loop()
        begin = max(loop.time(), self._sent_at)
        self.busy_seconds += (takes := size / self._link.bandwidth * self.slowness)
        self._sent_at = begin + takes
        arrival = self._sent_at + self._link.latency.draw(self._rng) * self.slowness
        if pipe is not None:
            pipe.latest = arrival = max(arrival, pipe.latest)
        loop.call_at(arrival, callback, *args)

    async def transit(self) -> None:
        """Wait as long as a message without a size takes."""
        there: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.carry(None, 0, _set, there)
        await there

    def hold(self) -> None:
        self._held = deque() if self._held is None else self._held

    def release(self) -> None:
        held, self._held = self._held or (), None
        for pipe, size, callback, args in held:
            self.carry(pipe, size, callback, *args)

    def cut(self) -> None:
        for connection in list(self._open):
            connection.cut()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class SimulatedStream(Generic[A]):
    """One end of a connection: the pipe it reads and the pipe it writes."""

    def __init__(self, inbound: _Pipe, outbound: _Pipe, peer: A) -> None:
        self._inbound = inbound
        self._outbound = outbound
        self._peer = peer

    @property
    def peer(self) -> A:
        """The other end's address."""
        return self._peer

    async def read(self, limit: int, least: int = 1) -> bytes:  # noqa: ARG002 - it need not wait for them
        """Wait for at least one byte and return at most ``limit``; ``b""`` once the peer has closed."""
        return await self._inbound.read(limit)

    async def write(self, data: bytes) -> None:
        """Send all of ``data``; waits while the peer does not keep up. Raises `ConnectionResetError`."""
        await self._outbound.write(data)

    async def close(self) -> None:
        """Close both directions. Bytes that were written before still arrive. May be called twice."""
        self._outbound.finish()
        self._inbound.abandon()


class _Pipe:
    """One direction of a connection. The other end sees what one end does when the channel has carried it there."""

    def __init__(self, channel: _Channel, back: _Channel, window: int) -> None:
        self.latest = 0.0  # when the latest of what is under way arrives
        self._channel = channel
        self._back = back
        self._window = window
        self._unread = bytearray()
        self._outstanding = 0  # bytes written and not yet read, under way or arrived
        self._finished = False  # nothing more comes out
        self._closed = False  # nothing more goes in
        self._broken = False  # because the reader has closed
        self._cut = False  # by a fault
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        channel.open(self)

    async def read(self, limit: int) -> bytes:
        while not (self._unread or self._finished):
            self._readable.clear()
            await self._readable.wait()
        if self._cut:
            raise ConnectionResetError(ECONNRESET, "the connection was lost")
        data = bytes(self._unread[:limit])
        del self._unread[:limit]
        self._outstanding -= len(data)
        if self._outstanding <= self._window:
            self._writable.set()
        return data

    async def write(self, data: bytes) -> None:
        """Send ``data`` as a whole, so that writers don't mix, then wait until the window has room again."""
        if self._closed:
            raise ConnectionResetError(ECONNRESET, "the connection is closed")
        self._outstanding += len(data)
        self._channel.carry(self, len(data), self._arrive, bytes(data))
        if self._outstanding > self._window:
            self._writable.clear()
            await self._writable.wait()
        if self._broken:
            raise ConnectionResetError(ECONNRESET, "the peer has closed the connection")

    def finish(self) -> None:
        """Close the writing end: the end of the stream arrives after all written bytes."""
        if not self._closed:
            self._close()
            self._channel.carry(self, 0, self._end)

    def abandon(self) -> None:
        """The reader closes: it sees the end now, and the writer when the message has crossed the network."""
        if not self._broken:
            self._end()
            self._back.carry(None, 0, self._break)

    def cut(self) -> None:
        """Break the connection: bytes under way are lost, and both ends notice it at once."""
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
        """A pipe whose two ends are closed has nothing left that could be cut."""
        if self._finished and self._closed:
            self._channel.forget(self)
