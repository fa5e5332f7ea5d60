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


MetadataMode: TypeAlias = Literal["read", "write", "read only", "upgradable", "kept", "alone"]
"""What a lock allows: to read and to write beside others, to read while nobody writes, to prepare a change while others
read and write, everything until it is given back (LOCK TABLES … WRITE), or everything, alone, for a change."""

_BESIDE: Mapping[MetadataMode, frozenset[MetadataMode]] = {
    "read": frozenset({"read", "write", "read only", "upgradable"}),
    "write": frozenset({"read", "write", "upgradable"}),
    "read only": frozenset({"read", "read only", "upgradable"}),
    "upgradable": frozenset({"read", "write", "read only"}),
    "kept": frozenset(),
    "alone": frozenset(),
}
"""The modes that others may have (in the server: ``m_granted_incompatible``)."""

_PASSES: Mapping[MetadataMode, frozenset[MetadataMode]] = {
    "read": frozenset({"read", "write", "read only", "upgradable"}),
    "write": frozenset({"read", "write", "read only", "upgradable"}),
    "read only": frozenset({"read", "read only", "upgradable"}),
    "upgradable": frozenset({"read", "write", "read only", "upgradable", "kept"}),
    "kept": frozenset({"read", "write", "read only", "upgradable", "kept"}),
    "alone": frozenset({"read", "write", "read only", "upgradable", "kept", "alone"}),
}
"""The modes of waiting requests, earlier and later ones, that a request need not wait for (``m_waiting_incompatible``).

So one that changes a definition goes before all others."""


@dataclass(eq=False)
class _Request:
    """A request; one for ``upgradable`` becomes one for ``alone`` as soon as it is granted."""

    owner: int
    mode: MetadataMode
    granted: asyncio.Future[None] | None = None
    prepares: bool = False  # it has been granted ``upgradable``

    def goes_on(self) -> bool:
        """After what it asked for is granted: whether it asks for more."""
        if self.mode != "upgradable":
            return False
        self.mode, self.prepares = "alone", True
        return True


@dataclass
class _Lock:
    holders: dict[int, set[MetadataMode]] = field(default_factory=dict)  # in the order in which they got it
    queue: list[_Request] = field(default_factory=list)

    def admits(self, request: _Request, *, waits_for_others: bool = True) -> bool:
        return not self.obstacles(request) and not (waits_for_others and self.before(request))

    def obstacles(self, request: _Request) -> list[int]:
        """Those who hold the lock in a mode that does not go with a request."""
        beside = _BESIDE[request.mode]
        return [owner for owner, modes in self.holders.items() if owner != request.owner and not modes <= beside]

    def before(self, request: _Request) -> list[int]:
        """Those who wait, and whose turn comes before a request; of equal ones that exclude each other, the first."""
        passes, found, ahead = _PASSES[request.mode], [], True
        equal = request.mode if request.mode not in _BESIDE[request.mode] else None
        for each in self.queue:
            if each is request:
                ahead = False
            elif each.mode not in passes or (ahead and each.mode == equal):
                found.append(each.owner)
        return found

    def grant(self, request: _Request) -> None:
        self.holders.setdefault(request.owner, set()).add(request.mode)

    def withdraw(self, request: _Request) -> None:
        """Take back what was granted for a request that came to nothing."""
        if request.prepares and (modes := self.holders.get(request.owner)):
            modes.discard("upgradable")
            if not modes:
                del self.holders[request.owner]


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
        if lock.admits(request, waits_for_others=owner not in lock.holders or upgrade):
            lock.grant(request)
            if not request.goes_on():
                return True
            if lock.admits(request):
                lock.grant(request)
                return True
        if seconds == 0:
            lock.withdraw(request)
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
                lock.withdraw(request)
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
        granted = [request for request in list(lock.queue) if self._granted(lock, request)]
        for request in granted:  # more is asked for when all have got what they wait for
            if not request.goes_on() or self._granted(lock, request):
                self._let_go(lock, request)
        if not lock.holders and not lock.queue:
            del self._locks[name]

    def _granted(self, lock: _Lock, request: _Request) -> bool:
        admitted = lock.admits(request)
        if admitted:
            lock.grant(request)
        return admitted

    def _let_go(self, lock: _Lock, request: _Request) -> None:
        lock.queue.remove(request)
        self._waits.pop(request.owner, None)  # although it has not gone on yet
        if request.granted is not None and not request.granted.done():
            request.granted.set_result(None)

    def _blocking(self, owner: int) -> list[int]:
        lock = self._locks[self._waits[owner]]
        request = next(each for each in lock.queue if each.owner == owner)
        return [*lock.obstacles(request), *lock.before(request)]

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

    async def change(self, table: str, seconds: float | None = None, *, upgrades: bool = False) -> bool:
        """Have a table's definition alone, to change it; False if that was not possible in time.

        Args:
            table: the table.
            seconds: how long to wait.
            upgrades: the change is prepared while others use the table.

        Raises:
            LockCycleError: those who use it wait for this session.
        """
        mode: MetadataMode = "upgradable" if upgrades else "alone"
        if not await self._locks.acquire(table, self._owner, mode=mode, seconds=seconds):
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
        mode: MetadataMode = "kept" if writes else "read only"
        if not await self._locks.acquire(table, self._owner, mode=mode, seconds=seconds):
            return False
        self._kept.add(table)
        return True

    def call_otherwise(self, table: str, name: str | None) -> None:
        """A table that is kept has another name now, which is used already; None: it is gone."""
        self._kept.discard(table)
        if name is not None:
            self._kept.add(name)

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
