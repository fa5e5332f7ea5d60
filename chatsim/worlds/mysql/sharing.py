"""What servers share on MySQL: a Redis, and gRPC, which is an optional extra. Both are imported when they are used."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack

from chatsim.chat.ports import Address, Directory, Presence, RegistryError, Tokens
from chatsim.chat.server.status import StatusServer
from chatsim.db.session import Database
from chatsim.worlds.world import PeerGroup, WorldError, missing_extra

__all__ = ["grpc_peers", "grpc_status", "registry"]


async def registry(
    stack: AsyncExitStack, url: str, prefix: str = "", *, lifetime: float, expiry: float, dead: float
) -> tuple[Tokens, Presence, Directory]:
    """The `Tokens`, `Presence` and `Directory` ports on the Redis at ``url``.

    Args:
        stack: closes the connections.
        url: the Redis.
        prefix: the prefix of its keys.
        lifetime: the lifetime of a token, in seconds.
        expiry: the expiry of an entry of presence, in seconds.
        dead: the expiry of a node's report, in seconds.

    Raises:
        WorldError: the Redis can't be used.
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
    """Nodes that call each other by gRPC, at the addresses of the directory. Raises `WorldError` without the extra."""
    try:
        from chatsim.worlds.mysql.grpc_peers import GrpcGroup  # an optional extra
    except ImportError as error:
        raise missing_extra("gRPC", "grpc") from error
    return GrpcGroup(directory)


def grpc_status(status: StatusServer, database: Database) -> AbstractAsyncContextManager[Address]:
    """Serve the status server by gRPC for the block, for the users in ``database``.

    Raises:
        WorldError: the extra is not installed.
    """
    try:
        from chatsim.worlds.mysql.grpc_status import status_service  # an optional extra
    except ImportError as error:
        raise missing_extra("gRPC", "grpc") from error
    return status_service(status, database)
