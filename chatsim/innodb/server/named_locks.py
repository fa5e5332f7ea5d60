"""Locks by name: GET_LOCK's, and the metadata locks that keep a table from changing under a transaction.

A cycle of waits here gives the one who closes it an error; waits for rows are not seen (MySQL manual, "Locking
Functions", "Metadata Locking").
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

__all__ = ["CycleError", "NamedLocks"]


class CycleError(Exception):
    """To wait for this would be to wait for oneself."""


@dataclass(eq=False)
class _Request:
    owner: int
    shared: bool
    granted: asyncio.Future[None] | None = None


@dataclass
class _Name:
    holders: dict[int, int] = field(default_factory=dict)  # and how often each has it
    exclusive: int | None = None  # the holder who shares it with nobody
    queue: list[_Request] = field(default_factory=list)

    def admits(self, request: _Request, ahead: list[_Request]) -> bool:
        if not request.shared:
            return len(self.holders) == (request.owner in self.holders)
        return self.exclusive in (None, request.owner) and all(each.shared for each in ahead)


class NamedLocks:
    """Exclusive and shared locks with names; who holds one may take it again."""

    def __init__(self) -> None:
        self._names: dict[str, _Name] = {}
        self._waits: dict[int, str] = {}

    async def acquire(
        self, name: str, owner: int, *, shared: bool = False, more: bool = False, seconds: float | None = None
    ) -> bool:
        """Take a lock; False if it could not be had in time.

        Args:
            name: which.
            owner: who takes it.
            shared: others may share it.
            more: who holds it has to stand in line again, for it is to be for more than before.
            seconds: how long to wait.

        Raises:
            CycleError: its holders wait for ``owner``.
        """
        lock = self._names.setdefault(name, _Name())
        request = _Request(owner, shared)
        if lock.admits(request, [] if owner in lock.holders and not more else lock.queue):
            self._take(lock, request)
            return True
        if seconds == 0:
            return False
        lock.queue.append(request)
        self._waits[owner] = name
        try:
            if self._in_a_cycle(owner):
                raise CycleError
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
                self._admit(name)

    def release(self, name: str, owner: int, *, wholly: bool = False) -> bool:
        """Let go of a lock, once or ``wholly``; whether ``owner`` held it."""
        lock = self._names.get(name)
        if lock is None or owner not in lock.holders:
            return False
        count = lock.holders.pop(owner)
        if count > 1 and not wholly:
            lock.holders[owner] = count - 1
        elif lock.exclusive == owner:
            lock.exclusive = None
        self._admit(name)
        return True

    def release_all(self, owner: int) -> int:
        """Let go of all; how many they were, each as often as it was taken."""
        held = [(name, lock.holders[owner]) for name, lock in self._names.items() if owner in lock.holders]
        for name, _ in held:
            self.release(name, owner, wholly=True)
        return sum(count for _, count in held)

    def holder(self, name: str) -> int | None:
        """Who holds a lock, one of them if they share it."""
        lock = self._names.get(name)
        return next(iter(lock.holders), None) if lock else None

    def waits(self) -> dict[int, tuple[str, list[int]]]:
        """Who waits, by owner: for which lock, and whom."""
        return {owner: (name, self._blockers(owner)) for owner, name in self._waits.items()}

    def _take(self, lock: _Name, request: _Request) -> None:
        lock.holders[request.owner] = lock.holders.get(request.owner, 0) + 1
        if not request.shared:
            lock.exclusive = request.owner

    def _admit(self, name: str) -> None:
        lock = self._names[name]
        for request in list(lock.queue):
            ahead = lock.queue[: lock.queue.index(request)]
            if not lock.admits(request, ahead) or (ahead and not request.shared):
                continue
            lock.queue.remove(request)
            self._take(lock, request)
            if request.granted is not None and not request.granted.done():
                request.granted.set_result(None)
        if not lock.holders and not lock.queue:
            del self._names[name]

    def _blockers(self, owner: int) -> list[int]:
        lock = self._names[self._waits[owner]]
        at = next(at for at, each in enumerate(lock.queue) if each.owner == owner)
        ahead = [each.owner for each in lock.queue[:at]]
        return [each for each in (*lock.holders, *ahead) if each != owner]

    def _in_a_cycle(self, owner: int) -> bool:
        seen: set[int] = set()
        reach = self._blockers(owner)
        while reach:
            other = reach.pop()
            if other == owner:
                return True
            if other not in seen and other in self._waits:
                reach += self._blockers(other)
            seen.add(other)
        return False
