"""User-level locks: GET_LOCK and its kin (MySQL manual, "Locking Functions").

A session may take a lock that it holds again, and has to release it as often. As in the server they are metadata locks
with names of another kind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from chatsim.db.mysql import database_error
from chatsim.innodb.server.metadata_locks import LockCycleError, MetadataLocks
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["UserLevelLocks"]

_DEADLOCK = (
    "Deadlock found when trying to get user-level lock;"
    " try rolling back transaction/releasing locks and restarting lock acquisition."
)


class UserLevelLocks:
    """The user-level locks of a server."""

    def __init__(self) -> None:
        self._locks = MetadataLocks()
        self._counts: dict[int, dict[str, int]] = defaultdict(dict)  # of each session, how often it has taken which

    async def acquire(self, name: str, owner: int, *, seconds: float | None = None) -> bool:
        """Take an exclusive lock. Returns False if it could not be acquired in time.

        Args:
            name: the name of the lock.
            owner: the session.
            seconds: how long to wait; None: without limit.

        Raises:
            LockCycleError: its holder waits for ``owner``.
        """
        if not await self._locks.acquire(name, owner, seconds=seconds):
            return False
        held = self._counts[owner]
        held[name] = held.get(name, 0) + 1
        return True

    def release(self, name: str, owner: int) -> bool:
        """Release a lock once. Returns whether ``owner`` held it."""
        held = self._counts.get(owner, {})
        if name not in held:
            return False
        held[name] -= 1
        if not held[name]:
            del held[name]
            self._locks.release(name, owner)
        return True

    def release_all(self, owner: int) -> int:
        """Release all locks of a session. Returns their number; a lock that was taken several times counts as often."""
        held = self._counts.pop(owner, {})
        for name in held:
            self._locks.release(name, owner)
        return sum(held.values())

    def held(self, owner: int) -> Sequence[str]:
        """The names of the locks that a session holds."""
        return [*self._counts.get(owner, ())]

    def holder(self, name: str) -> int | None:
        """The session that holds a lock."""
        return self._locks.holder(name)

    def users(self) -> dict[str, tuple[list[tuple[int, int]], list[int]]]:
        """Of each lock that is in use, who holds it how often, and who waits for it, in order."""
        return {
            name: (
                [(owner, self._counts.get(owner, {}).get(name, 0)) for owner, _ in holders],
                [owner for owner, _ in queue],
            )
            for name, (holders, queue) in self._locks.users().items()
        }

    def waits(self) -> dict[int, tuple[str, list[int]]]:
        """The sessions that wait: for which lock, and for which sessions."""
        return self._locks.waits()

    # -- the SQL functions

    async def get_lock(self, session: int, name: Value, seconds: Value) -> Value:
        """GET_LOCK(name, seconds). Raises `DatabaseError`: 3057 for an invalid name, 3058 for a deadlock."""
        wait = 0.0 if seconds is None else float(as_number(seconds))
        try:
            got = await self.acquire(_checked(name), session, seconds=None if wait < 0 else wait)
        except LockCycleError:
            raise database_error(3058, _DEADLOCK) from None
        return int(got)

    def function(self, session: int, function: str, arguments: Sequence[Value]) -> Value:
        """RELEASE_LOCK, RELEASE_ALL_LOCKS, IS_FREE_LOCK or IS_USED_LOCK. Raises a `DatabaseError` (3057)."""
        if function == "RELEASE_ALL_LOCKS":
            return self.release_all(session)
        name = _checked(arguments[0])
        holder = self.holder(name)
        if function == "RELEASE_LOCK":
            return None if holder is None else int(self.release(name, session))
        return int(holder is None) if function == "IS_FREE_LOCK" else holder


def _checked(name: Value) -> str:
    if name is None or not 0 < len(as_text(name)) <= 64:
        shown = "NULL" if name is None else as_text(name)
        raise database_error(3057, f"Incorrect user-level lock name '{shown}'.")
    return as_text(name).lower()
