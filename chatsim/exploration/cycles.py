"""The deadlocks of a step, by the locks in their cycles."""

from __future__ import annotations

from chatsim.db.deadlock import Deadlock
from chatsim.db.errors import DatabaseError
from chatsim.exploration.execution import Happened

__all__ = ["cycles"]

_USER_LOCK_DEADLOCK = 3058


def cycles(happened: Happened) -> list[str]:
    """For each deadlock that was resolved in a step, the locks that its transactions waited for.

    InnoDB reports its own. Of one through metadata locks or user-level locks, there is the victim's error only.
    """
    errors = [answer for _, answer in happened.answers if isinstance(answer, DatabaseError)]
    found = [_locks(each) for each in happened.deadlocks]
    found += ["metadata locks"] * happened.unreported
    return found + ["user-level locks" for each in errors if each.errno == _USER_LOCK_DEADLOCK]


def _locks(deadlock: Deadlock) -> str:
    locks = (lock for _, _, lock in deadlock.waits_for() if lock is not None)
    return "; ".join(sorted(f"{lock.mode} {lock.kind.value} of {lock.place}" for lock in locks))
