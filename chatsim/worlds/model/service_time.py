"""What a node's messages cost its machine, read off the bytes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from chatsim.chat.ports import Address, Listener, Network, Stream
    from chatsim.simulation.cpu import Machine

__all__ = ["WorkedNetwork"]

_HEADER = struct.Struct(">HH")


class WorkedNetwork:
    """A host's `Network`, whose listeners' messages are work for a machine.

    The bytes of a request are there to be read when the machine has done the work of that request: all of it, what
    comes after the reading and the reply included.

    Args:
        network: the host's.
        machine: gives the machine that does the work, when somebody listens.
        service: seconds of work by message id; other ids are none.
    """

    def __init__(self, network: Network, machine: Callable[[], Machine], service: Mapping[int, float]) -> None:
        self._network = network
        self._machine = machine
        self._service = service

    async def listen(self, address: Address, accept: Callable[[Stream], Awaitable[None]]) -> Listener:
        """Bind ``address``; see `chatsim.chat.ports.Network.listen`."""
        machine = self._machine()

        async def worked(stream: Stream) -> None:
            await accept(_WorkedStream(stream, machine, self._service))

        return await self._network.listen(address, worked)

    async def connect(self, address: Address) -> Stream:
        """Open a connection; see `chatsim.chat.ports.Network.connect`."""
        return await self._network.connect(address)


class _WorkedStream:
    def __init__(self, stream: Stream, machine: Machine, service: Mapping[int, float]) -> None:
        self._stream = stream
        self._machine = machine
        self._service = service
        self._unworked: tuple[bytes, float] | None = None  # what was read, and the work that it is
        self._header = b""  # of a frame, as far as it has come
        self._body = 0  # bytes of a frame's body that have yet to come

    @property
    def peer(self) -> Address:
        return self._stream.peer

    async def read(self, limit: int) -> bytes:
        if self._unworked is None:
            data = await self._stream.read(limit)
            self._unworked = (data, self._work(data))
        data, seconds = self._unworked
        if seconds:
            await self._machine.work(seconds)
        self._unworked = None
        return data

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)

    async def close(self) -> None:
        await self._stream.close()

    def _work(self, data: bytes) -> float:
        """The work of the frames whose headers end in ``data``."""
        seconds, at = 0.0, 0
        while at < len(data):
            skipped = min(self._body, len(data) - at)
            self._body -= skipped
            at += skipped
            piece = data[at : at + _HEADER.size - len(self._header)]
            self._header += piece
            at += len(piece)
            if len(self._header) == _HEADER.size:
                number, self._body = _HEADER.unpack(self._header)
                self._header = b""
                seconds += self._service.get(number, 0.0)
        return seconds
