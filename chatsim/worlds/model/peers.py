"""Peers over the model's network: the protobuf bytes that gRPC carries, framed as it frames them.

What gRPC says with a path, which method is called, is the first byte here.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from chatsim.chat.ports import Address, Device
from chatsim.chat.protocol import FROM_SERVER, Decoder, encode
from chatsim.worlds.peers_pb2 import KickUserReq, KickUserRsp, PushReq, PushRsp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message as Protobuf

    from chatsim.chat.ports import Network, Peer, Stream
    from chatsim.chat.protocol import Message

__all__ = ["LinkPeers", "listening_for_peers"]

_log = logging.getLogger(__name__)

_PORT = 50055  # the source's: system document, 3.1
_DEADLINE = 5.0
_PREFIX = struct.Struct(">BI")  # gRPC's length-prefixed message: not compressed, so many bytes
_KICK, _PUSH = b"K", b"P"


class LinkPeers:
    """The `Peers` port of one host; a peer's host has its name.

    A peer that can't be told within five seconds is not told: a session that should have gone ends when its presence
    is next refreshed.

    Args:
        network: the host's.
    """

    def __init__(self, network: Network) -> None:
        self._network = network

    async def kick(self, device: Device) -> None:
        """Tell the node of ``device``."""
        request = KickUserReq(uid=device.uid, session=device.session)
        await self._tell(device, _KICK, request, KickUserRsp)

    async def push(self, device: Device, notice: Message) -> None:
        """Tell the node of ``device``."""
        request = PushReq(uid=device.uid, session=device.session, frame=encode(notice))
        await self._tell(device, _PUSH, request, PushRsp)

    async def _tell(self, device: Device, method: bytes, request: Protobuf, reply: type[Protobuf]) -> None:
        try:
            async with asyncio.timeout(_DEADLINE):
                stream = await self._network.connect(Address(device.node, _PORT))
                try:
                    await stream.write(method + _framed(request))
                    reply.FromString(await _message(stream))
                finally:
                    await stream.close()
        except (OSError, DecodeError) as error:  # a TimeoutError, an end of the stream are OSErrors
            what = type(request).__name__
            _log.warning("%s could not be told of user %d's %s: %r", device.node, device.uid, what, error)


@asynccontextmanager
async def listening_for_peers(network: Network, name: str, node: Peer) -> AsyncIterator[None]:
    """Have the node ``name`` hear its peers for the block."""

    async def accept(stream: Stream) -> None:
        method, body = await _exactly(stream, 1), await _message(stream)
        if method == _KICK:
            kick = KickUserReq.FromString(body)
            await node.kicked(Device(kick.uid, kick.session, name))
            await stream.write(_framed(KickUserRsp(error=0, uid=kick.uid)))
        else:
            push = PushReq.FromString(body)
            decoder = Decoder(FROM_SERVER)
            decoder.feed(push.frame)
            if (notice := decoder.next_message()) is not None:
                await node.pushed(Device(push.uid, push.session, name), notice)
            await stream.write(_framed(PushRsp(error=0)))

    listener = await network.listen(Address(name, _PORT), accept)
    try:
        yield
    finally:
        await listener.close()


def _framed(message: Protobuf) -> bytes:
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
