"""Transactions, the versions of rows that they leave, and which of these a reader sees.

A row's newest version is in the clustered index; what it was before hangs behind it, newest first, for as long as a
read view may want it (MySQL manual, "InnoDB Multi-Versioning").
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatsim.db.session import Isolation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatsim.innodb.storage.index import Record
    from chatsim.innodb.storage.locks import RecordLock, TableLock
    from chatsim.innodb.storage.undo import Change
    from chatsim.innodb.storage.values import Value

__all__ = ["ReadView", "Transaction", "Version", "visible"]


@dataclass(slots=True)
class Version:
    """What a row was.

    Attributes:
        row: its columns.
        writer: who made it so; None when that was before the history that is kept.
        deleted: it was deleted then.
        older: what it was before.
    """

    row: Sequence[Value]
    writer: Transaction | None
    deleted: bool
    older: Version | None


@dataclass(eq=False, slots=True)
class Transaction:
    """One transaction of a session.

    Attributes:
        session: the number of the session whose it is.
        isolation: its level.
        active: until it has committed or is rolled back.
        serial: the number of its commit, in their order.
        view: what its plain reads see, at REPEATABLE READ and above from the first of them on.
        changes: what it has changed, oldest first.
        locks: what it holds and waits for, oldest first.
        shapes: of its granted record locks, by index, mode and kind, the newest: what another record is added to.
        waiting: the lock that it waits for.
        blocker: whom it waits for; of several the one found first.
        reservation: the number of its wait, in their order.
        wakeup: what it sleeps on.
        doom: what it finds if it was woken before it slept.
        heir_to_all: a uniqueness check of the statement under way needs its locks on removed records handed on, at
            READ COMMITTED as well.
    """

    session: int
    isolation: Isolation
    active: bool = True
    serial: int = 0
    view: ReadView | None = None
    changes: list[Change] = field(default_factory=list)
    locks: list[RecordLock | TableLock] = field(default_factory=list)
    shapes: dict[object, RecordLock] = field(default_factory=dict)
    waiting: RecordLock | TableLock | None = None
    blocker: Transaction | None = None
    reservation: int = 0
    heir_to_all: bool = False
    wakeup: asyncio.Future[None] | None = None
    doom: BaseException | None = None

    async def wait(self, lock: RecordLock | TableLock, seconds: float) -> bool:
        """Wait until a request is granted, or is to be made again; False if it still waits after so many seconds.

        Raises:
            DeadlockError: the request is gone, and so must be the transaction.
        """
        if self.waiting is lock:
            wakeup = self.wakeup = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait([wakeup], timeout=seconds)
            finally:
                self.wakeup = None
                if wakeup.done():
                    self.doom = wakeup.exception() or self.doom
            if not wakeup.done():
                return False
        if (doom := self.doom) is not None:
            self.doom = None
            raise doom
        return True

    @property
    def locks_gaps(self) -> bool:
        """Whether its searches lock gaps."""
        return self.isolation in (Isolation.REPEATABLE_READ, Isolation.SERIALIZABLE)

    @property
    def weight(self) -> int:
        """What a deadlock's victim is chosen by: lock structures and undo records."""
        return len(self.locks) + len(self.changes)


class ReadView:
    """A moment, for plain reads: what had been committed then, and what the transaction itself does.

    Args:
        owner: the transaction that reads.
        committed: the number of the last commit.
    """

    __slots__ = ("committed", "owner")

    def __init__(self, owner: Transaction, committed: int) -> None:
        self.owner = owner
        self.committed = committed

    def sees(self, writer: Transaction | None) -> bool:
        """Whether what ``writer`` did is there."""
        return writer is None or writer is self.owner or (not writer.active and writer.serial <= self.committed)


def visible(record: Record, view: ReadView | None) -> Sequence[Value] | None:
    """The row of a clustered record as ``view`` sees it, or None; without a view, as it is now."""
    if view is None or view.sees(record.writer):
        return None if record.deleted else record.row
    version = record.older
    while version is not None:
        if view.sees(version.writer):
            return None if version.deleted else version.row
        version = version.older
    return None
