"""The `Locks` port on a real Redis, as the source does it (system document, 3.8)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
import redis.asyncio

from chatsim.chat.ports import LocksError, LocksTimeoutError

__all__ = ["RedisLocks"]

_EXPIRY_SECONDS = 10
_PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.001
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


class RedisLocks:
    """``SET lock:<name> <token> NX EX 10``, tried every millisecond for five seconds; released only by its holder.

    Args:
        url: ``redis://host:port/db``.
    """

    def __init__(self, url: str) -> None:
        # redis-py's own timeout is `asyncio.wait_for`, which on Python 3.11 may swallow the cancellation by ours
        self._redis = redis.asyncio.Redis.from_url(url, socket_timeout=None)
        self._release = self._redis.register_script(_RELEASE)

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Hold the lock ``name`` for the block."""
        key, token = f"lock:{name}", secrets.token_hex(16)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not await self._redis.set(key, token, nx=True, ex=_EXPIRY_SECONDS):  # noqa: ASYNC110 - as the source
                    await asyncio.sleep(_RETRY_SECONDS)
        except TimeoutError:
            await self._let_go(key, token)  # the last try may have got it after all
            raise LocksTimeoutError(key, _PATIENCE_SECONDS) from None
        except redis.RedisError as error:
            raise LocksError(f"Redis can't be used: {error}") from error
        try:
            yield
        finally:
            await self._let_go(key, token)

    async def _let_go(self, key: str, token: str) -> None:
        with contextlib.suppress(redis.RedisError):  # then it goes when it expires
            await self._release(keys=[key], args=[token])

    async def open(self, connections: int) -> None:
        """Have so many connections open, so that none is opened within a measured window. Raises `LocksError`."""
        try:
            await asyncio.gather(*(self._redis.ping() for _ in range(connections)))
        except redis.RedisError as error:
            raise LocksError(f"Redis can't be used: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
