"""Peers over the model's network: the protobuf bytes that gRPC carries, each with gRPC's prefix.

HTTP/2's headers are replaced by a shorter one, with the number of the call and the number of its method.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from chatsim.chat.ports import Address
from chatsim.chat.protocol import MessageTooLongError, ProtocolError
from chatsim.chat.server.repeated_warning import RepeatedWarning
from chatsim.worlds.common.peers import METHODS, PeerQueue, UnreachableError, answer, kick, push

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message as Protobuf

    from chatsim.chat.ports import Device, Network, Peer, Stream
    from chatsim.chat.protocol import Message
    from chatsim.worlds.common.peers import Call

__all__ = ["LinkPeers"]

_log = logging.getLogger(__name__)
_PORT = 50055  # the source's: docs/source.md, 3.1
_HEAD = struct.Struct(">IBBI")  # call, method; gRPC's length-prefixed message: not compressed, so many bytes
_BY_NUMBER = {method.number: method for method in METHODS.values()}


class LinkPeers:
    """The `Peers` port of one host; a peer's host has its name. One connection to each, made when it is first needed.

    Args:
        network: the host's.
        name: the host's.
    """

    address = None  # it has the node's name

    def __init__(self, network: Network, name: str) -> None:
        self._network = network
        self._name = name
        self._links: dict[str, _Link] = {}

    async def kick(self, device: Device) -> None:
        """Tell the node of ``device``."""
        await self._link(device).queue.send(device, kick(device))

    async def push(self, device: Device, notice: Message) -> None:
        """Tell the node of ``device``."""
        await self._link(device).queue.send(device, push(device, notice))

    def _link(self, device: Device) -> _Link:
        if device.node not in self._links:
            self._links[device.node] = _Link(self._network, device.node)
        return self._links[device.node]

    async def close(self) -> None:
        """Close the connections."""
        for link in self._links.values():
            await link.close()

    @asynccontextmanager
    async def serve(self, node: Peer) -> AsyncIterator[None]:
        """Serve the calls that peers make to the host's node for the block. A malformed one ends its connection."""
        warning = RepeatedWarning(_log)

        async def accept(stream: Stream) -> None:
            # one after the other: a node does what it is told in no time
            try:
                while True:
                    call, number, body = await _read(stream)
                    reply = await answer(node, self._name, _request(number, body))
                    await stream.write(_written(call, number, reply))
            except ConnectionError:
                pass
            except (DecodeError, MessageTooLongError, ProtocolError) as error:
                warning("a call of %s is malformed: %s", stream.peer, error)

        listener = await self._network.listen(Address(self._name, _PORT), accept)
        try:
            yield
        finally:
            await listener.close()
            await self.close()


class _Link:
    """To one peer."""

    def __init__(self, network: Network, peer: str) -> None:
        self.queue = PeerQueue(peer, self._call)
        self._network = network
        self._peer = peer
        self._connecting = asyncio.Lock()
        self._stream: Stream | None = None
        self._reading: asyncio.Task[None] | None = None
        self._calls = itertools.count(1)
        self._asked: dict[int, asyncio.Future[bytes | None]] = {}  # None: the connection is lost

    async def _call(self, call: Call) -> Any:
        answered: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        number = next(self._calls)
        try:
            stream = await self._connected()
            self._asked[number] = answered
            await stream.write(_written(number, call.method.number, call.request))
            body = await answered
        except OSError as error:
            raise UnreachableError(repr(error)) from error
        finally:
            self._asked.pop(number, None)
        if body is None:
            raise UnreachableError("the connection is lost")
        return call.method.reply.FromString(body)

    async def _connected(self) -> Stream:
        async with self._connecting:
            if self._stream is None:
                self._stream = await self._network.connect(Address(self._peer, _PORT))
                self._reading = asyncio.create_task(self._read(self._stream), name=f"what {self._peer} answers")
            return self._stream

    async def _read(self, stream: Stream) -> None:
        try:
            while True:
                call, _, body = await _read(stream)
                self._answered(call, body)
        except OSError:
            pass  # the waiting calls get the error
        finally:
            self._stream = None
            for call in self._asked:
                self._answered(call, None)
            await stream.close()

    def _answered(self, call: int, body: bytes | None) -> None:
        answer = self._asked.get(call)
        if answer is not None and not answer.done():
            answer.set_result(body)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


def _written(call: int, method: int, message: Protobuf) -> bytes:
    body = message.SerializeToString()
    return _HEAD.pack(call, method, 0, len(body)) + body


def _request(method: int, body: bytes) -> Protobuf:
    if method not in _BY_NUMBER:
        raise ProtocolError(f"there is no method {method}")
    return _BY_NUMBER[method].request.FromString(body)


async def _read(stream: Stream) -> tuple[int, int, bytes]:
    call, method, _, size = _HEAD.unpack(await _exactly(stream, _HEAD.size))
    return call, method, await _exactly(stream, size)


async def _exactly(stream: Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.read(size - len(data))
        if not piece:
            raise ConnectionResetError("the peer closed within a message" if data else "the peer closed")
        data += piece
    return data
