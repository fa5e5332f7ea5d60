"""The `Locks` port as the source does it (docs/source.md, 3.8), on any store of keys that expire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from chatsim.chat.ports import LocksError, LocksTimeoutError

__all__ = ["Keys", "PollingLocks"]

_EXPIRY_SECONDS = 10
_PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.001


class Keys(Protocol):
    """A store of keys that expire. Its methods raise `LocksError` if it can't be used."""

    async def set_if_absent(self, key: str, value: str, seconds: int) -> bool:
        """Set a key that does not exist, with an expiry in seconds. Returns whether it was set."""
        ...

    async def delete_if(self, key: str, value: str) -> None:
        """Delete a key, if it has that value."""
        ...


class PollingLocks:
    """``SET lock:<name> <token> NX EX 10``, tried every millisecond for five seconds. Only its holder releases it.

    Args:
        keys: the store.
        token: makes a value that no other caller has.
    """

    def __init__(self, keys: Keys, token: Callable[[], str]) -> None:
        self._keys = keys
        self._token = token

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Hold the lock ``name`` for the block."""
        key, token = f"lock:{name}", self._token()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not await self._keys.set_if_absent(key, token, _EXPIRY_SECONDS):  # noqa: ASYNC110 - as the source
                    await asyncio.sleep(_RETRY_SECONDS)
        except TimeoutError:
            await self._release(key, token)  # the last try may have set the key after all
            raise LocksTimeoutError(key, _PATIENCE_SECONDS) from None
        try:
            yield
        finally:
            await self._release(key, token)

    async def _release(self, key: str, token: str) -> None:
        with suppress(LocksError):  # the key expires by itself
            await self._keys.delete_if(key, token)
