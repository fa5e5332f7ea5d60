"""Metadata locks: they keep a table's definition while transactions use the table (MySQL's mdl).

A cycle of waits for them gives the session that closes it an error; waits for rows are not seen (MySQL manual,
"Metadata Locking").
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

__all__ = ["LockCycleError", "MetadataLocks", "SessionMetadataLocks"]


class LockCycleError(Exception):
    """The holders of a lock wait for the session that requests it."""


@dataclass(eq=False)
class _Request:
    owner: int
    shared: bool
    granted: asyncio.Future[None] | None = None


@dataclass
class _Lock:
    holders: dict[int, None] = field(default_factory=dict)  # in the order in which they got it
    exclusive: int | None = None  # the holder who shares it with nobody
    queue: list[_Request] = field(default_factory=list)

    def admits(self, request: _Request, ahead: list[_Request]) -> bool:
        if not request.shared:
            return len(self.holders) == (request.owner in self.holders)
        return self.exclusive in (None, request.owner) and all(each.shared for each in ahead)

    def grant(self, request: _Request) -> None:
        self.holders[request.owner] = None
        if not request.shared:
            self.exclusive = request.owner


class MetadataLocks:
    """Exclusive and shared locks with names, and the sessions that hold them or wait for them."""

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}
        self._waits: dict[int, str] = {}

    async def acquire(
        self, name: str, owner: int, *, shared: bool = False, upgrade: bool = False, seconds: float | None = None
    ) -> bool:
        """Take a lock. Returns False if it could not be acquired in time.

        Args:
            name: the name of the lock.
            owner: the session that takes it.
            shared: others may share it.
            upgrade: a holder has to queue again, for it needs the lock for more than before.
            seconds: how long to wait; None: without limit.

        Raises:
            LockCycleError: its holders wait for ``owner``.
        """
        lock = self._locks.setdefault(name, _Lock())
        request = _Request(owner, shared)
        if lock.admits(request, [] if owner in lock.holders and not upgrade else lock.queue):
            lock.grant(request)
            return True
        if seconds == 0:
            return False
        lock.queue.append(request)
        self._waits[owner] = name
        try:
            if self._in_a_cycle(owner):
                raise LockCycleError
            request.granted = asyncio.get_running_loop().create_future()
            await asyncio.wait([request.granted], timeout=seconds)
            return request.granted.done()
        except asyncio.CancelledError:
            if request.granted is not None and request.granted.done():
                self.release(name, owner)  # nobody would know that it is held
            raise
        finally:
            self._waits.pop(owner, None)
            if request in lock.queue:
                lock.queue.remove(request)
                self._grant_waiting(name)

    def release(self, name: str, owner: int) -> bool:
        """Release a lock; whether ``owner`` held it."""
        lock = self._locks.get(name)
        if lock is None or owner not in lock.holders:
            return False
        del lock.holders[owner]
        if lock.exclusive == owner:
            lock.exclusive = None
        self._grant_waiting(name)
        return True

    def holder(self, name: str) -> int | None:
        """Who holds a lock, the first of them if they share it."""
        lock = self._locks.get(name)
        return next(iter(lock.holders), None) if lock else None

    def waits(self) -> dict[int, tuple[str, list[int]]]:
        """The sessions that wait: for which lock, and for which sessions."""
        return {owner: (name, self._blocking(owner)) for owner, name in self._waits.items()}

    def _grant_waiting(self, name: str) -> None:
        lock = self._locks[name]
        for request in list(lock.queue):
            ahead = lock.queue[: lock.queue.index(request)]
            if not lock.admits(request, ahead) or (ahead and not request.shared):
                continue
            lock.queue.remove(request)
            lock.grant(request)
            if request.granted is not None and not request.granted.done():
                request.granted.set_result(None)
        if not lock.holders and not lock.queue:
            del self._locks[name]

    def _blocking(self, owner: int) -> list[int]:
        lock = self._locks[self._waits[owner]]
        at = next(at for at, each in enumerate(lock.queue) if each.owner == owner)
        ahead = [each.owner for each in lock.queue[:at]]
        return [each for each in (*lock.holders, *ahead) if each != owner]

    def _in_a_cycle(self, owner: int) -> bool:
        seen: set[int] = set()
        reach = self._blocking(owner)
        while reach:
            other = reach.pop()
            if other == owner:
                return True
            if other not in seen and other in self._waits:
                reach += self._blocking(other)
            seen.add(other)
        return False


class SessionMetadataLocks:
    """The metadata locks of one session's transaction: those of the tables that it has used.

    Args:
        locks: the server's.
        owner: the session.
    """

    def __init__(self, locks: MetadataLocks, owner: int) -> None:
        self._locks = locks
        self._owner = owner
        self._used: set[str] = set()
        self._written: set[str] = set()  # those of the used tables that it may write

    async def use(self, table: str, *, writes: bool, seconds: float | None = None) -> bool:
        """Share a table's definition with other users; False if that was not possible in time.

        Raises:
            LockCycleError: those who have it alone wait for this session.
        """
        if table not in self._used or (writes and table not in self._written):
            upgrade = table in self._used
            if not await self._locks.acquire(table, self._owner, shared=True, upgrade=upgrade, seconds=seconds):
                return False
            self._used.add(table)
        if writes:
            self._written.add(table)
        return True

    async def change(self, table: str, seconds: float | None = None) -> bool:
        """Have a table's definition alone, to change it; False if that was not possible in time.

        Raises:
            LockCycleError: those who use it wait for this session.
        """
        if not await self._locks.acquire(table, self._owner, seconds=seconds):
            return False
        self._used.add(table)
        return True

    def release_all(self) -> None:
        """Release all of them."""
        for table in sorted(self._used):
            self._locks.release(table, self._owner)
        self._used.clear()
        self._written.clear()
