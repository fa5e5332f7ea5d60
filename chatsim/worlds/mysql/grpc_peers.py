"""The `Peers` port over gRPC: the source's ChatService (docs/source.md, 1.5), between servers on one machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Protobuf

from chatsim.chat.ports import Address, Device, Directory, Peer
from chatsim.chat.protocol import Message, MessageTooLongError, ProtocolError
from chatsim.chat.server.repeated_warning import RepeatedWarning
from chatsim.worlds.common.peers import DEADLINE, METHODS, Call, PeerQueue, UnreachableError, answer, kick, push

__all__ = ["LOOPBACK", "GrpcGroup", "GrpcPeers", "serving", "unary"]

_log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
"""The host on which servers listen: loopback only, because callers are not authenticated."""

_SERVICE = "message.ChatService"
_LOOK_AGAIN = 1.0
_ON_CLOSING = 1.0  # seconds that calls under way have
_CONNECTIONS = 1_000
_CALLS = 1_000  # that are answered at the same time
_LIMITS = (
    ("grpc.max_allowed_incoming_connections", _CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", 10_000),  # a caller that says nothing
    ("grpc.max_connection_idle_ms", 300_000),
)
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.so_reuseport", 0),
)


class GrpcPeers:
    """The `Peers` port of one node. It has a channel to each peer; the directory has the peers' addresses.

    Args:
        name: the node's name.
        directory: the list of live nodes.

    Attributes:
        address: where it listens for its peers, while it serves.
    """

    def __init__(self, name: str, directory: Directory) -> None:
        self.address: Address | None = None
        self._name = name
        self._directory = directory
        self._peers: dict[str, _Peer] = {}

    async def kick(self, device: Device) -> None:
        """Tell the node of ``device``."""
        await self._peer(device).queue.send(device, kick(device))

    async def push(self, device: Device, notice: Message) -> None:
        """Tell the node of ``device``."""
        await self._peer(device).queue.send(device, push(device, notice))

    def _peer(self, device: Device) -> _Peer:
        if device.node not in self._peers:
            self._peers[device.node] = _Peer(device.node, self._directory)
        return self._peers[device.node]

    async def close(self) -> None:
        """Close the channels. Running calls end."""
        for peer in self._peers.values():
            await peer.close()

    @asynccontextmanager
    async def serve(self, node: Peer) -> AsyncIterator[None]:
        """Serve the calls that peers make to the node for the block, at `address`."""

        async def handle(request: Any) -> Any:
            return await answer(node, self._name, request)

        handlers = {name: unary(method.request, method.reply, handle) for name, method in METHODS.items()}
        async with serving(_SERVICE, handlers) as self.address:
            try:
                yield
            finally:
                await self.close()


class GrpcGroup:
    """The nodes of one process.

    Args:
        directory: where they report.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._peers: dict[str, GrpcPeers] = {}

    def of(self, name: str) -> GrpcPeers:
        """The `Peers` port of the node ``name``."""
        if name not in self._peers:
            self._peers[name] = GrpcPeers(name, self._directory)
        return self._peers[name]

    def serve(self, name: str, node: Peer) -> AbstractAsyncContextManager[None]:
        """Serve the calls that peers make to the node ``name`` for the block."""
        return self.of(name).serve(node)


def unary(
    request: type[Protobuf], reply: type[Protobuf], handle: Callable[[Any], Awaitable[Any]]
) -> grpc.RpcMethodHandler[Any, Any]:
    """The handler of a method. A caller whose request is malformed is refused, and that is logged once in a while.

    Args:
        request: the class of its requests.
        reply: the class of its replies.
        handle: answers a request. It may raise `ProtocolError` or `MessageTooLongError`.
    """
    warning = RepeatedWarning(_log)

    async def decode_and_handle(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await handle(request.FromString(data))  # gRPC itself would log a traceback for each
        except (DecodeError, MessageTooLongError, ProtocolError) as error:
            warning("a call of %s is malformed: %s", context.peer(), error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    return grpc.unary_unary_rpc_method_handler(decode_and_handle, response_serializer=reply.SerializeToString)


@asynccontextmanager
async def serving(
    service: str, handlers: dict[str, grpc.RpcMethodHandler[Any, Any]], port: int = 0
) -> AsyncIterator[Address]:
    """Serve a gRPC service on loopback for the block. Port 0 is any free port. Raises `OSError`."""
    server = grpc.aio.server(options=_OPTIONS + _LIMITS, maximum_concurrent_rpcs=_CALLS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    try:
        port = server.add_insecure_port(f"{LOOPBACK}:{port}")
    except RuntimeError as error:
        raise OSError(str(error)) from error
    await server.start()
    try:
        yield Address(LOOPBACK, port)
    finally:
        await server.stop(_ON_CLOSING)


class _Peer:
    """One peer: a channel to its last known address."""

    def __init__(self, name: str, directory: Directory) -> None:
        self.queue = PeerQueue(name, self._call)
        self._name = name
        self._directory = directory
        self._looking = asyncio.Lock()
        self._looked_at = -_LOOK_AGAIN
        self._at: Address | None = None  # where the channel leads
        self._sure = False  # that the peer is still there
        self._channel: grpc.aio.Channel | None = None
        self._stubs: dict[str, Callable[..., Any]] = {}

    async def _call(self, call: Call) -> Any:
        method = call.method
        await self._find()
        if self._channel is None:
            raise UnreachableError("no such node has reported")
        if method.name not in self._stubs:
            self._stubs[method.name] = self._channel.unary_unary(
                f"/{_SERVICE}/{method.name}",
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.reply.FromString,
            )
        try:
            return await self._stubs[method.name](call.request, timeout=DEADLINE)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                self._sure = False  # it may have been restarted at another address
            raise UnreachableError(f"{error.code().name}: {error.details()}") from error

    async def _find(self) -> None:
        """Look up the peer's address if it is not known, at most once a second."""
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if self._sure or now < self._looked_at + _LOOK_AGAIN:
                return
            self._looked_at = now
            address = next((node.peers for node in await self._directory.nodes() if node.name == self._name), None)
            self._sure = address is not None
            if address is not None and address != self._at:
                await self.close()
                self._at = address
                self._channel = grpc.aio.insecure_channel(str(address), options=_OPTIONS)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
        self._channel = self._at = None
        self._stubs.clear()
