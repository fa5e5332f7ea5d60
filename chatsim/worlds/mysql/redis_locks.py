"""The `Locks` port on a real Redis."""

from __future__ import annotations

import asyncio
import secrets

import redis
import redis.asyncio

from chatsim.chat.ports import LocksError
from chatsim.worlds.common.locks import PollingLocks

__all__ = ["RedisLocks"]

_DELETE_IF = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


class RedisLocks(PollingLocks):
    """Locks in a Redis.

    Args:
        url: ``redis://host:port/db``.
    """

    def __init__(self, url: str) -> None:
        # redis-py's own timeout is `asyncio.wait_for`, which on Python 3.11 may swallow the cancellation by ours
        self._redis = redis.asyncio.Redis.from_url(url, socket_timeout=None)
        super().__init__(_RedisKeys(self._redis), lambda: secrets.token_hex(16))

    async def open(self, connections: int) -> None:
        """Open this number of connections, so that none is opened while something is measured. Raises `LocksError`."""
        try:
            await asyncio.gather(*(self._redis.ping() for _ in range(connections)))
        except redis.RedisError as error:
            raise _unusable(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class _RedisKeys:
    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis = client
        self._delete_if = client.register_script(_DELETE_IF)

    async def set_if_absent(self, key: str, value: str, seconds: int) -> bool:
        try:
            return bool(await self._redis.set(key, value, nx=True, ex=seconds))
        except redis.RedisError as error:
            raise _unusable(error) from error

    async def delete_if(self, key: str, value: str) -> None:
        try:
            await self._delete_if(keys=[key], args=[value])
        except redis.RedisError as error:
            raise _unusable(error) from error


def _unusable(error: redis.RedisError) -> LocksError:
    return LocksError(f"Redis can't be used: {error}")
