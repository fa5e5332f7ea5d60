"""What servers share in the real world: a Redis, and gRPC, an optional extra; both are imported when they are used."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack

from chatsim.chat.ports import Address, Directory, Presence, RegistryError, Tokens
from chatsim.chat.server.status import StatusServer
from chatsim.worlds.world import PeerGroup, WorldError, missing_extra

__all__ = ["grpc_peers", "grpc_status", "registry"]


async def registry(
    stack: AsyncExitStack, url: str, prefix: str = "", *, lifetime: float, expiry: float, dead: float
) -> tuple[Tokens, Presence, Directory]:
    """What servers know together, in the Redis at ``url``; its connections are closed with ``stack``.

    Args:
        stack: closes it.
        url: the Redis.
        prefix: what its keys begin with.
        lifetime: of a token, in seconds.
        expiry: of an entry of presence.
        dead: of a node's report.

    Raises:
        WorldError: it can't be used.
    """
    from chatsim.worlds.mysql import redis_presence as shared

    connections = shared.RedisRegistry(url, prefix)
    stack.push_async_callback(connections.close)
    try:
        await connections.open()
    except RegistryError as error:
        raise WorldError(str(error)) from error
    return (
        shared.RedisTokens(connections, lifetime),
        shared.RedisPresence(connections, expiry),
        shared.RedisDirectory(connections, dead),
    )


def grpc_peers(directory: Directory) -> PeerGroup:
    """Nodes that reach each other by gRPC, where the directory says. Raises `WorldError` without the extra for it."""
    try:
        from chatsim.worlds.mysql.grpc_peers import GrpcGroup  # an optional extra
    except ImportError as error:
        raise missing_extra("gRPC", "grpc") from error
    return GrpcGroup(directory)


def grpc_status(status: StatusServer) -> AbstractAsyncContextManager[Address]:
    """The status server by gRPC, for the block. Raises `WorldError` without the extra for it."""
    try:
        from chatsim.worlds.mysql.grpc_status import status_service  # an optional extra
    except ImportError as error:
        raise missing_extra("gRPC", "grpc") from error
    return status_service(status)
