"""A network to a distant machine: bytes are held back for as long as they would be under way."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from chatsim.chat.ports import Address, Listener, Network, Stream
    from chatsim.worlds.world import Distance

__all__ = ["DelayedNetwork"]

_WINDOW = 65_536
_CHUNK = 65_536


class DelayedNetwork:
    """Connections from a machine that is far from all others. All connections share the bandwidth of a direction.

    Args:
        network: the network underneath.
        distance: the distance.
    """

    def __init__(self, network: Network, distance: Distance) -> None:
        self._network = network
        self._distance = distance
        self._up, self._down = _Direction(distance), _Direction(distance)

    async def listen(
        self,
        address: Address,
        accept: Callable[[Stream], Awaitable[None]],
        welcomes: Callable[[Address], int] | None = None,
    ) -> Listener:
        """Bind ``address``. Connections that it accepts are not delayed."""
        return await self._network.listen(address, accept, welcomes)

    async def connect(self, address: Address) -> _DelayedStream:
        """Open a connection, which takes a round trip."""
        await asyncio.sleep(self._distance.rtt)
        stream = await self._network.connect(address)
        # the bytes that the wire holds, and a window at its end: a smaller queue would be slower than the bandwidth
        held = min(self._distance.rtt * self._distance.bandwidth, 2**30) if self._distance.rtt else 0
        return _DelayedStream(stream, self._up, self._down, int(held) + _WINDOW)

    @asynccontextmanager
    async def relay(self, near: Address, far: Address) -> AsyncIterator[Address]:
        """Bind ``near`` for the block. Each connection to it is passed on to ``far``, with the distance's delay."""
        carrying = set[asyncio.Task[object]]()

        async def accept(here: Stream) -> None:
            task = asyncio.current_task()
            assert task is not None
            carrying.add(task)
            task.add_done_callback(carrying.discard)
            with suppress(OSError):  # nobody is there: who has connected sees that the connection ends
                there = await self.connect(far)
                directions = [asyncio.create_task(_carry(here, there)), asyncio.create_task(_carry(there, here))]
                try:
                    await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for direction in directions:
                        direction.cancel()
                    await there.close()

        listener = await self.listen(near, accept)
        try:
            yield listener.address
        finally:
            await listener.close()
            for task in carrying:
                task.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)


async def _carry(source: Stream, target: Stream) -> None:
    with suppress(ConnectionError):
        while data := await source.read(_CHUNK):
            await target.write(data)


class _Direction:
    """One direction of the distance. It tells when bytes that are sent now arrive."""

    def __init__(self, distance: Distance) -> None:
        self._distance = distance
        self._rng = np.random.default_rng()
        self._free_at = self._latest = 0.0

    def arrival(self, size: int) -> float:
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + size / self._distance.bandwidth
        delay = self._distance.rtt / 2 * math.exp(self._distance.jitter * self._rng.standard_normal())
        self._latest = max(self._latest, self._free_at + delay)  # bytes arrive in the order in which they were sent
        return self._latest


class _DelayedStream:
    """A stream with a queue of bytes under way in each direction."""

    def __init__(self, stream: Stream, up: _Direction, down: _Direction, window: int) -> None:
        self._stream = stream
        self._up, self._down = _DelayQueue(up, window), _DelayQueue(down, window)
        self._sending = asyncio.create_task(self._send(), name=f"bytes to {stream.peer}")
        self._receiving = asyncio.create_task(self._receive(), name=f"bytes from {stream.peer}")

    @property
    def peer(self) -> Address:
        return self._stream.peer

    async def read(self, limit: int, least: int = 1) -> bytes:  # noqa: ARG002 - it need not wait for them
        return await self._down.get(limit)

    async def write(self, data: bytes) -> None:
        if self._sending.done():
            self._sending.result()
            raise ConnectionResetError("the connection is closed")
        if data:  # b"" would mean the end
            await self._up.put(bytes(data))

    async def close(self) -> None:
        """Close it. Bytes that were written before still arrive."""
        self._up.finish()
        self._down.abandon()
        self._receiving.cancel()
        try:
            await asyncio.wait([self._sending, self._receiving])
            with suppress(ConnectionError, asyncio.CancelledError):
                self._sending.result()
        finally:  # also when nobody waits any longer for what is under way
            self._sending.cancel()
            await self._stream.close()

    async def _send(self) -> None:
        try:
            while data := await self._up.get(_CHUNK):
                await self._stream.write(data)
        except ConnectionError as error:
            self._up.fail(error)

    async def _receive(self) -> None:
        try:
            while data := await self._stream.read(_CHUNK):
                await self._down.put(data)
            self._down.finish()
        except ConnectionError as error:
            self._down.fail(error)


class _DelayQueue:
    """The bytes under way, in order. A writer waits while the window is full."""

    def __init__(self, direction: _Direction, window: int) -> None:
        self._direction = direction
        self._window = window
        self._held: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._finished = False
        self._error: ConnectionError | None = None
        self._changed = asyncio.Event()

    async def put(self, data: bytes) -> None:
        if self._finished:
            raise self._error or ConnectionResetError("the connection is closed")
        self._held.append((self._direction.arrival(len(data)), data))
        self._size += len(data)
        self._changed.set()
        while self._size > self._window and not self._finished:
            self._changed.clear()
            await self._changed.wait()
        if self._error:
            raise self._error

    async def get(self, limit: int) -> bytes:
        """Bytes that have arrived; ``b""`` at the end."""
        while not self._held:
            if self._error:
                raise self._error
            if self._finished:
                return b""
            self._changed.clear()
            await self._changed.wait()
        arrival, data = self._held[0]
        wait = arrival - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)
        if not self._held:  # it was broken off meanwhile
            return await self.get(limit)
        self._held.popleft()
        if len(data) > limit:
            self._held.appendleft((arrival, data[limit:]))
            data = data[:limit]
        self._size -= len(data)
        self._changed.set()
        return data

    def finish(self) -> None:
        self._finished = True
        self._changed.set()

    def abandon(self) -> None:
        self._held.clear()
        self.finish()

    def fail(self, error: ConnectionError) -> None:
        self._error = self._error or error
        self.finish()
