"""Peers over the model's network: the protobuf bytes that gRPC carries, framed as it frames them."""

from __future__ import annotations

import asyncio
import logging
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from chatsim.chat.ports import Address, Device
from chatsim.worlds.peers_pb2 import KickUserReq, KickUserRsp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from google.protobuf.message import Message

    from chatsim.chat.ports import Network, Stream

__all__ = ["LinkPeers", "listening_for_peers"]

_log = logging.getLogger(__name__)

_PORT = 50055  # the source's: system document, 3.1
_DEADLINE = 5.0
_PREFIX = struct.Struct(">BI")  # gRPC's length-prefixed message: not compressed, so many bytes


class LinkPeers:
    """The `Peers` port of one host; a peer's host has its name.

    A peer that can't be told within five seconds is not told: its session ends when its presence is next refreshed.

    Args:
        network: the host's.
    """

    def __init__(self, network: Network) -> None:
        self._network = network

    async def kick(self, device: Device) -> None:
        """Tell the node of ``device``."""
        try:
            async with asyncio.timeout(_DEADLINE):
                stream = await self._network.connect(Address(device.node, _PORT))
                try:
                    await stream.write(_framed(KickUserReq(uid=device.uid, session=device.session)))
                    KickUserRsp.FromString(await _message(stream))
                finally:
                    await stream.close()
        except (OSError, DecodeError) as error:  # a TimeoutError, an end of the stream are OSErrors
            _log.warning("%s could not be told to kick user %d: %r", device.node, device.uid, error)


@asynccontextmanager
async def listening_for_peers(
    network: Network, name: str, kicked: Callable[[Device], Awaitable[None]]
) -> AsyncIterator[None]:
    """Have the node ``name`` hear its peers for the block; ``kicked`` is what it does about a kick."""

    async def accept(stream: Stream) -> None:
        request = KickUserReq.FromString(await _message(stream))
        await kicked(Device(request.uid, request.session, name))
        await stream.write(_framed(KickUserRsp(error=0, uid=request.uid)))

    listener = await network.listen(Address(name, _PORT), accept)
    try:
        yield
    finally:
        await listener.close()


def _framed(message: Message) -> bytes:
    body = message.SerializeToString()
    return _PREFIX.pack(0, len(body)) + body


async def _message(stream: Stream) -> bytes:
    _, size = _PREFIX.unpack(await _exactly(stream, _PREFIX.size))
    return await _exactly(stream, size)


async def _exactly(stream: Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.read(size - len(data))
        if not piece:
            raise ConnectionResetError("the peer closed within a message")
        data += piece
    return data
