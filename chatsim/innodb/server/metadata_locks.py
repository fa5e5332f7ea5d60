"""Metadata locks: they keep a table's definition while transactions use the table (MySQL's mdl).

A cycle of waits for them gives the session that closes it an error; waits for rows are not seen (MySQL manual,
"Metadata Locking").
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["LockCycleError", "MetadataLocks", "MetadataMode", "SessionMetadataLocks"]


class LockCycleError(Exception):
    """The holders of a lock wait for the session that requests it."""


MetadataMode: TypeAlias = Literal["read", "write", "read only", "alone"]
"""What a lock allows: to read and to write beside others, to read while nobody writes, or everything, alone."""

_BESIDE: Mapping[MetadataMode, frozenset[MetadataMode]] = {
    "read": frozenset({"read", "write", "read only"}),
    "write": frozenset({"read", "write"}),
    "read only": frozenset({"read", "read only"}),
    "alone": frozenset(),
}
"""The modes that others may have."""

_PASSES: Mapping[MetadataMode, frozenset[MetadataMode]] = {
    "read": frozenset({"read", "write", "read only"}),
    "write": frozenset({"read", "write", "read only"}),
    "read only": frozenset({"read", "read only"}),
    "alone": frozenset(),
}
"""The modes of waiting requests that a later request need not wait for."""


@dataclass(eq=False)
class _Request:
    owner: int
    mode: MetadataMode
    granted: asyncio.Future[None] | None = None


@dataclass
class _Lock:
    holders: dict[int, set[MetadataMode]] = field(default_factory=dict)  # in the order in which they got it
    queue: list[_Request] = field(default_factory=list)

    def admits(self, request: _Request, ahead: list[_Request]) -> bool:
        beside, passes = _BESIDE[request.mode], _PASSES[request.mode]
        for owner, modes in self.holders.items():
            if owner != request.owner and not modes <= beside:
                return False
        return all(each.mode in passes for each in ahead)

    def grant(self, request: _Request) -> None:
        self.holders.setdefault(request.owner, set()).add(request.mode)


class MetadataLocks:
    """Exclusive and shared locks with names, and the sessions that hold them or wait for them."""

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}
        self._waits: dict[int, str] = {}

    async def acquire(
        self,
        name: str,
        owner: int,
        *,
        mode: MetadataMode = "alone",
        upgrade: bool = False,
        seconds: float | None = None,
    ) -> bool:
        """Take a lock. Returns False if it could not be acquired in time.

        Args:
            name: the name of the lock.
            owner: the session that takes it.
            mode: what others may do beside it.
            upgrade: a holder has to queue again, for it needs the lock for more than before.
            seconds: how long to wait; None: without limit.

        Raises:
            LockCycleError: its holders wait for ``owner``.
        """
        lock = self._locks.setdefault(name, _Lock())
        request = _Request(owner, mode)
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
        self._grant_waiting(name)
        return True

    def hand_over(self, name: str, owner: int, other: int) -> None:
        """Make another one the holder of a lock."""
        holders = self._locks[name].holders
        holders[other] = holders.pop(owner)

    def holder(self, name: str) -> int | None:
        """Who holds a lock, the first of them if they share it."""
        lock = self._locks.get(name)
        return next(iter(lock.holders), None) if lock else None

    def waits(self) -> dict[int, tuple[str, list[int]]]:
        """The sessions that wait: for which lock, and for which sessions."""
        return {owner: (name, self._blocking(owner)) for owner, name in self._waits.items()}

    def users(self) -> dict[str, tuple[list[tuple[int, MetadataMode]], list[tuple[int, MetadataMode]]]]:
        """Of each lock that is in use, who holds it how, and who waits for it, in order."""
        return {
            name: (
                [(owner, mode) for owner, modes in lock.holders.items() for mode in sorted(modes)],
                [(each.owner, each.mode) for each in lock.queue],
            )
            for name, lock in self._locks.items()
            if lock.holders or lock.queue
        }

    def _grant_waiting(self, name: str) -> None:
        lock = self._locks[name]
        for request in list(lock.queue):
            ahead = lock.queue[: lock.queue.index(request)]
            if not lock.admits(request, ahead) or (ahead and request.mode == "alone"):
                continue
            lock.queue.remove(request)
            lock.grant(request)
            self._waits.pop(request.owner, None)  # although it has not gone on yet
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
        self._kept: set[str] = set()  # by LOCK TABLES, beyond the transaction

    async def use(self, table: str, *, writes: bool, seconds: float | None = None) -> bool:
        """Share a table's definition with other users; False if that was not possible in time.

        Raises:
            LockCycleError: those who have it alone wait for this session.
        """
        if table in self._kept:
            return True
        if table not in self._used or (writes and table not in self._written):
            upgrade = table in self._used
            mode: MetadataMode = "write" if writes else "read"
            if not await self._locks.acquire(table, self._owner, mode=mode, upgrade=upgrade, seconds=seconds):
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

    async def keep(self, table: str, *, writes: bool, seconds: float | None = None) -> bool:
        """Have a table beyond the transaction, to write it alone or to read it while nobody writes.

        Returns:
            Whether that was possible in time.

        Raises:
            LockCycleError: those who use it wait for this session.
        """
        mode: MetadataMode = "alone" if writes else "read only"
        if not await self._locks.acquire(table, self._owner, mode=mode, seconds=seconds):
            return False
        self._kept.add(table)
        return True

    def give_back(self) -> None:
        """Release the tables that were kept."""
        for table in sorted(self._kept):
            self._locks.release(table, self._owner)
        self._kept.clear()

    def moved_to(self, owner: int) -> SessionMetadataLocks:
        """Hand all of them over to another owner."""
        moved = SessionMetadataLocks(self._locks, owner)
        for table in self._used:
            self._locks.hand_over(table, self._owner, owner)
        moved._used, self._used = self._used, set()
        self._written = set()
        return moved

    def release_all(self) -> None:
        """Release all of them, but for those that are kept."""
        for table in sorted(self._used - self._kept):
            self._locks.release(table, self._owner)
        self._used.clear()
        self._written.clear()
