"""The CPU time that a node's requests take, recognised by the message ids in the bytes of its connections."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from chatsim.chat.ports import Address, Listener, Network, Stream
    from chatsim.simulation.cpu import Processor

__all__ = ["ServiceTimeNetwork"]

_HEADER = struct.Struct(">HH")


class ServiceTimeNetwork:
    """A host's `Network` on which each request that arrives takes service time on a CPU.

    The bytes of a request can be read once the CPU has done the whole work of that request, including what the node
    does after it has read it.

    Args:
        network: the host's.
        cpu: gives the CPU that does the work; it is called when somebody listens.
        service: seconds of work by message id; other messages take none.
        write: seconds of work before each write. If the host dies meanwhile, nothing is written.
        byte: seconds more for each byte that is written.
    """

    def __init__(
        self,
        network: Network,
        cpu: Callable[[], Processor],
        service: Mapping[int, float],
        write: float = 0.0,
        byte: float = 0.0,
    ) -> None:
        self._network = network
        self._cpu = cpu
        self._service = service
        self._write = write
        self._byte = byte

    async def listen(
        self,
        address: Address,
        accept: Callable[[Stream], Awaitable[None]],
        welcomes: Callable[[Address], int] | None = None,
    ) -> Listener:
        """Bind ``address``; see `chatsim.chat.ports.Network.listen`."""
        cpu = self._cpu()

        async def accept_delayed(stream: Stream) -> None:
            await accept(_ServiceTimeStream(stream, cpu, self._service, self._write, self._byte))

        return await self._network.listen(address, accept_delayed, welcomes)

    async def connect(self, address: Address) -> Stream:
        """Open a connection; see `chatsim.chat.ports.Network.connect`."""
        return await self._network.connect(address)


class _ServiceTimeStream:
    def __init__(self, stream: Stream, cpu: Processor, service: Mapping[int, float], write: float, byte: float) -> None:
        self._write = write
        self._byte = byte
        self._stream = stream
        self._cpu = cpu
        self._service = service
        self._pending: tuple[bytes, float] | None = None  # bytes received, and the service time that they take
        self._header = b""  # the part of a frame's header that has arrived
        self._body = 0  # bytes of a frame's body that have not arrived yet

    @property
    def peer(self) -> Address:
        return self._stream.peer

    async def read(self, limit: int, least: int = 1) -> bytes:
        if self._pending is None:
            data = await self._stream.read(limit, least)
            self._pending = (data, self._service_time(data))
        data, seconds = self._pending
        if seconds:
            await self._cpu.work(seconds)
        self._pending = None
        return data

    async def write(self, data: bytes) -> None:
        if seconds := self._write + self._byte * len(data):
            await self._cpu.work(seconds)
        await self._stream.write(data)

    async def close(self) -> None:
        await self._stream.close()

    def _service_time(self, data: bytes) -> float:
        """The service time of the frames whose headers end in ``data``."""
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
