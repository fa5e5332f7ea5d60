"""The logs of a server: when a commit takes effect, when it is on disk, and what a crash leaves of it.

With a binary log, which is the default, a commit has four steps (MySQL manual, "The Binary Log"; sql/binlog.cc,
`MYSQL_BIN_LOG::ordered_commit`). Commits that come together take the first two as a group:

1. InnoDB has written into its redo log that the transaction is prepared, and the redo log is flushed.
2. The transaction is written into the binary log, which is synced.
3. InnoDB commits: others see the changes, and the locks are released.
4. The client is answered.

One group is written after the other, by one thread, which writes for all of them: it waits for the disk, and goes on
when it gets a turn on a core, several times for each log.
A transaction with changes that was rolled back releases its locks at once, and its client is answered when the redo log
is flushed (`trx_flush_log_if_needed`): it waits with a group, for which the binary log need not be synced.

Recovery commits a prepared transaction that is in the binary log, and rolls back one that is not.

Without a binary log, the commit takes effect first. Then the redo log is flushed, and then the client is answered
(storage/innobase/trx/trx0trx.cc, `trx_commit_in_memory`): others may see changes that a crash takes back.

What is in the redo log's buffer is lost when the process dies. What was written, and not flushed, is lost when the host
does. ``innodb_flush_log_at_trx_commit`` and ``sync_binlog`` say what a commit waits for; everything is flushed once a
second in any case.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chatsim.db.commits import CommitFates
from chatsim.innodb.server.durability import Durability
from chatsim.innodb.storage.structures import Transaction

__all__ = ["WAITS", "Commit", "CommitLog", "Recovery"]

WAITS = 3
"""How often a thread waits for the disk while a log is flushed: three times in a trace of fsync on ext4
(``perf sched record``, 30 November 2026)."""


class _Group:
    """Commits that are written together.

    Attributes:
        commits: in their order.
        redo: the position of the redo log up to which it is written when it is flushed.
        flushed: whether its part of the redo log is written as the settings say, so that it is in the binary log, too.
        synced: whether its part of the binary log is.
        writing: the task that writes, and that lets commits take effect.
    """

    __slots__ = ("commits", "flushed", "redo", "synced", "writing")

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.redo = 0
        self.flushed = self.synced = False
        self.writing: asyncio.Task[None] | None = None


class Commit:
    """The commit of one transaction.

    Attributes:
        trx: the transaction.
        prepared: the position in the redo log of its prepared state; 0 before.
        committed: the position in the redo log of its commit; 0 before it has taken effect.
        answered: whether the server has sent an answer.
    """

    __slots__ = ("answered", "committed", "group", "prepared", "take_effect", "trx")

    def __init__(self, trx: Transaction, take_effect: Callable[[], None]) -> None:
        self.trx = trx
        self.take_effect = take_effect
        self.group: _Group | None = None
        self.prepared = 0
        self.committed = 0
        self.answered = False


@dataclass(frozen=True)
class Recovery:
    """What recovery has to do after a crash.

    Attributes:
        commit: the transactions that had not taken effect and are in both logs, in the order of the logs.
        undo: the transactions that had taken effect and are lost, the latest first.
        numbers: the AUTO_INCREMENT values that the redo log has, by table; empty if it has all of them.
    """

    commit: list[Transaction] = field(default_factory=list)
    undo: list[Transaction] = field(default_factory=list)
    numbers: Mapping[str, int] = field(default_factory=dict)


class CommitLog:
    """The redo log and the binary log of a server.

    Args:
        durability: its settings.
        numbers: gives the greatest AUTO_INCREMENT values that were logged so far, by table.

    Attributes:
        durability: as given.
        fates: what crashes and lost connections have done to commits so far.
        busy_seconds: how long it has written and flushed so far.
        flushes: how often the redo log was flushed so far.
    """

    def __init__(self, durability: Durability, numbers: Callable[[], Mapping[str, int]]) -> None:
        self.durability = durability
        self.fates = CommitFates()
        self.busy_seconds = 0.0
        self.flushes = 0
        self._safe = durability.flushes and durability.syncs  # nothing that has taken effect is ever lost
        self._flush: Callable[[], float] = lambda: 0.0
        self._work: Callable[[], Awaitable[None]] | None = None
        self._step = 0.0
        self._takes_time = False
        self._numbers = numbers
        self._writing: _Group | None = None
        self._next: _Group | None = None
        self._open: dict[Commit, None] = {}  # under way, or not safe yet, in the order in which they began
        # positions in the redo log: its end, and up to which it was written and flushed
        self._end = self._written = self._flushed = 0
        self._second = 0  # the last one at whose beginning everything was flushed
        self._logged: deque[tuple[int, Mapping[str, int]]] = deque()  # AUTO_INCREMENT values, by position

    def take_time(
        self, flush: Callable[[], float], step: float, work: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Let commits take time.

        Args:
            flush: draws how long a group of commits waits for both logs at the default settings, in seconds: half of
                it for the flush of the redo log, half for the binary log's.
            step: how long a commit that is on disk takes to take effect, and again to be answered.
            work: does a part of the work for a group, after each wait for the disk, of which each log has `WAITS`; None
                if there is no work.
        """
        self._flush, self._step, self._work, self._takes_time = flush, step, work, True

    # -- a commit

    async def commit(self, trx: Transaction, take_effect: Callable[[], None]) -> Commit:
        """Commit a transaction: when this returns, its client can be answered.

        Args:
            trx: the transaction, which has changes.
            take_effect: makes its changes visible, and releases its locks.
        """
        commit = Commit(trx, take_effect)
        self._open[commit] = None
        if self.durability.log_bin:
            commit.prepared = self._append()
        else:
            self._take_effect(commit)
        if not self._takes_time:
            commit.group = group = _Group()
            group.commits.append(commit)
            self._begin(group)
            group.flushed = group.synced = True
            self._flushed_by(group)
            self._let_take_effect(group)
            return commit
        commit.group = group = self._next_group()
        group.commits.append(commit)
        await self._written_with(group)
        return commit

    async def rolled_back(self) -> None:
        """Wait until it is on disk that a transaction with changes was rolled back."""
        if self._takes_time and self.durability.flushes:
            await self._written_with(self._next_group())

    def answered(self, commits: Iterable[Commit]) -> None:
        """Note that the answer to these has left the server."""
        for commit in commits:
            commit.answered = True
            if self._safe or self._survives(commit, host=True):
                self._open.pop(commit, None)

    def lost(self, commits: Sequence[Commit]) -> None:
        """Note that nobody is there who could be told of these."""
        self.fates.unanswered += len(commits)
        self.answered(commits)

    def force(self) -> None:
        """Have all that has taken effect on disk, now, as a change of definitions does."""
        self._written = self._flushed = self._end
        if not self._safe:
            self._forget_safe()
            self._logged = deque([(self._end, self._numbers())])

    @property
    def unsafe(self) -> Transaction | None:
        """The oldest transaction that has taken effect and that a crash would take back."""
        if self._safe or not self._open:
            return None
        self._flush_by_the_second()
        for commit in self._open:
            if commit.committed and not self._survives(commit, host=True):
                return commit.trx
        return None

    def _append(self) -> int:
        """Append a record to the redo log. Returns its position."""
        if not self._safe:
            self._flush_by_the_second()
        self._end += 1
        if not self._safe:
            self._logged.append((self._end, self._numbers()))
        return self._end

    def _flush_by_the_second(self) -> None:
        """Flush what was there when the latest second began: all that is there. This is done before each append."""
        second = math.floor(asyncio.get_running_loop().time())
        if second > self._second:
            self._second = second
            self._written = self._flushed = self._end
            self._forget_safe()

    def _forget_safe(self) -> None:
        if self._safe:
            return  # each is forgotten when it is answered
        safe = [commit for commit in self._open if commit.answered and self._survives(commit, host=True)]
        for commit in safe:
            del self._open[commit]
        while len(self._logged) > 1 and self._logged[1][0] <= self._flushed:
            self._logged.popleft()

    # -- groups

    def _next_group(self) -> _Group:
        """The group that is written next."""
        if self._next is None:
            self._next = _Group()
            self._next.writing = asyncio.create_task(self._write(self._next, self._writing))
        return self._next

    async def _written_with(self, group: _Group) -> None:
        assert group.writing is not None
        await asyncio.shield(group.writing)

    async def _write(self, group: _Group, before: _Group | None) -> None:
        """Write a group of commits, and let them take effect, in their order."""
        if before is not None and before.writing is not None:
            await before.writing
        self._writing, self._next = group, None
        begun = asyncio.get_running_loop().time()
        self._begin(group)
        seconds = self._flush()
        if self.durability.flushes:
            await self._flush_one(seconds / 2)
        group.flushed = True
        if self.durability.syncs and group.commits:
            await self._flush_one(seconds / 2)
        group.synced = True
        await asyncio.sleep(self._step)
        self.busy_seconds += asyncio.get_running_loop().time() - begun
        self._flushed_by(group)
        self._let_take_effect(group)
        if self._step:
            await asyncio.sleep(self._step)
        if self._next is None:
            self._writing = None

    async def _flush_one(self, seconds: float) -> None:
        """Flush one of the two logs."""
        if self._work is None:
            await asyncio.sleep(seconds)
            return
        for _ in range(WAITS):
            await asyncio.sleep(seconds / WAITS)
            await self._work()

    def _begin(self, group: _Group) -> None:
        group.redo = self._end
        if self.durability.flush_log_at_trx_commit:
            self._written = max(self._written, group.redo)

    def _flushed_by(self, group: _Group) -> None:
        if self.durability.flushes:
            self.flushes += 1
            self._flushed = max(self._flushed, group.redo)
            self._forget_safe()

    def _let_take_effect(self, group: _Group) -> None:
        if self.durability.log_bin:
            for commit in group.commits:
                self._take_effect(commit)

    def _take_effect(self, commit: Commit) -> None:
        commit.take_effect()
        commit.committed = self._append()

    # -- a crash

    def recover(self, *, host: bool) -> Recovery:
        """What a crash at this moment leaves. Nothing is being written any more then.

        Args:
            host: whether the host has crashed, and not only the process.
        """
        if not self._safe:
            self._flush_by_the_second()
        if (group := self._writing) is not None and group.flushed:
            self._flushed_by(group)
        kept, lost = [], []
        for commit in self._open:
            survives = self._survives(commit, host=host)
            self._count(commit, survives=survives)
            if survives and not commit.committed:
                kept.append(commit.trx)
            elif commit.committed and not survives:
                lost.append(commit.trx)
        logged = self._numbers_at(self._flushed if host else self._written)
        for group in (self._writing, self._next):
            if group is not None and group.writing is not None:
                group.writing.cancel()
        self._writing = self._next = None
        self._open.clear()
        self._logged.clear()
        self._written = self._flushed = self._end
        return Recovery(kept, sorted(lost, key=lambda trx: -trx.serial), logged)

    def _numbers_at(self, end: int) -> Mapping[str, int]:
        """The AUTO_INCREMENT values of the redo log up to a position; empty if that is all of it."""
        if self._safe or end == self._end:
            return {}
        known = [numbers for position, numbers in self._logged if position <= end]
        return known[-1] if known else self._logged[0][1]

    def _survives(self, commit: Commit, *, host: bool) -> bool:
        """Whether a commit is kept after a crash of the process, or of the host."""
        end = self._flushed if host else self._written
        if commit.committed and commit.committed <= end:
            return True
        if not self.durability.log_bin or not 0 < commit.prepared <= end:
            return False
        if host and not self.durability.syncs:
            return False
        return commit.group is not None and (commit.group.synced if host else commit.group.flushed)

    def _count(self, commit: Commit, *, survives: bool) -> None:
        fates = self.fates
        if survives:
            fates.unanswered += not commit.answered
        elif not commit.committed:
            fates.undone += 1
        elif commit.answered:
            fates.answered += 1
        else:
            fates.seen += 1
