"""Scans: an access path is followed through an index, and records are locked or read on the way (InnoDB's row0sel).

Everything that a search locks comes out of `Scan._lock_kind`: which kind of lock, on which record; nothing else in the
model knows what a range of a secondary index locks. Sources: MySQL manual, "InnoDB Locking", "Locks Set by Different
SQL Statements in InnoDB", "Index Condition Pushdown Optimization"; docs/fidelity.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from chatsim.db.deadlock import LockKind, Mode
from chatsim.db.mysql import database_error
from chatsim.innodb.storage.locks import Grant, NotGrantedError, WaitPolicy
from chatsim.innodb.storage.mvcc import last_committed, visible
from chatsim.innodb.storage.rows import RowOperations
from chatsim.innodb.storage.structures import Index, ReadView, Record
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import HIGHEST, Key, Value, has_null

if TYPE_CHECKING:
    from chatsim.innodb.storage.partitioned_scan import PartitionedScan

__all__ = ["AccessPath", "Hit", "Range", "Reading", "Scan", "read_again"]


@dataclass(frozen=True)
class Range:
    """A range of an index, between two keys or prefixes of keys; None where it is not limited.

    Attributes:
        low: where it begins.
        high: where it ends.
        low_included: records that begin with ``low`` are in it.
        high_included: records that begin with ``high`` are.
        exact: all records in it begin with ``low``, which is ``high``.
    """

    low: Key | None = None
    high: Key | None = None
    low_included: bool = True
    high_included: bool = True
    exact: bool = False

    @property
    def start(self) -> Key:
        """The key at which it begins: no key in it is smaller, and no equal key is outside of it."""
        if self.low is None:
            return ()
        return self.low if self.low_included else (*self.low, HIGHEST)

    @property
    def stop(self) -> Key:
        """The key at which it ends, in the same sense."""
        if self.high is None:
            return (HIGHEST,)
        return (*self.high, HIGHEST) if self.high_included else self.high

    def until(self, other: Range) -> Range:
        """The range that covers it and another one, which begins within it."""
        if other.stop <= self.stop:
            return self
        if other.start == self.start:
            return other
        return Range(self.low, other.high, self.low_included, other.high_included)

    def begun(self, key: Key) -> bool:
        """Whether ``key`` is not before the range."""
        if self.low is None:
            return True
        start = key[: len(self.low)]
        return start >= self.low if self.low_included else start > self.low

    def ended(self, key: Key) -> bool:
        """Whether ``key`` is after the range."""
        if self.high is None:
            return False
        start = key[: len(self.high)]
        return start > self.high if self.high_included else start >= self.high


@dataclass(frozen=True)
class AccessPath:
    """How a statement reaches the rows of one table.

    Attributes:
        table: the table.
        index: the index that is scanned.
        ranges: the ranges of the index, in order.
        descending: it is scanned from high to low.
        covering: the index has all columns that the statement reads; of the clustered index, its key.
        pushed: a condition on the index's columns that is checked before the row is read (index condition pushdown);
            None where there is none. It is given the row with the index's columns, and None for the others.
        access: what EXPLAIN calls it: const, ref, range, index, ALL.
        in_order: whether the rows of several partitions are wanted in the order of the index.
    """

    table: Table
    index: Index
    ranges: Sequence[Range]
    descending: bool = False
    covering: bool = False
    pushed: Callable[[Sequence[Value]], bool] | None = None
    access: str = "ALL"
    in_order: bool = False

    @property
    def columns(self) -> set[int]:
        """The columns that it searches by."""
        return {*self.index.definition.place}

    def open(self, rows: RowOperations, reading: Reading) -> Scan | PartitionedScan:
        """A scan. Raises as `Scan` does."""
        if self.table.partitioning is not None:
            from chatsim.innodb.storage.partitioned_scan import PartitionedScan

            return PartitionedScan(rows, self, reading)
        return Scan(rows, self, reading)


@dataclass(frozen=True)
class Reading:
    """How a search reads.

    Attributes:
        mode: the mode of its locks; None for a consistent read.
        view: the read view of a consistent read; None for the newest version, committed or not.
        policy: what it does about rows that other transactions have locked.
        semi_consistent: of a row that another has locked it reads the last committed version, before it waits for the
            row (UPDATE at READ COMMITTED).
    """

    mode: Mode | None = None
    view: ReadView | None = None
    policy: WaitPolicy = WaitPolicy.WAIT
    semi_consistent: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that a scan has found.

    Attributes:
        record: its clustered record.
        row: its columns, as the reader sees them.
        semi_consistent: whether another transaction has locked it, so that this is its last committed version. If the
            row matches, `Scan.reread` waits for it.
    """

    record: Record
    row: Sequence[Value]
    semi_consistent: bool = False


class _Step(Enum):
    """How a scan goes on."""

    CONTINUE = "to the next record"
    END = "the range has ended"


class Scan:
    """One scan along an access path.

    Args:
        rows: takes the locks of the transaction.
        path: the access path.
        reading: how it reads.

    Raises:
        DatabaseError: the index was made after the snapshot of the transaction (1412).

    Attributes:
        examined: how many records it has examined.
        stop_found: whether the record that the range ends at has been locked, so that nothing can come behind it.
    """

    def __init__(self, rows: RowOperations, path: AccessPath, reading: Reading) -> None:
        if rows.trx.view is not None and not rows.trx.view.sees(path.index.made):
            raise database_error(1412, "Table definition has changed, please retry transaction")
        self._rows = rows
        self._path = path
        self._reading = reading
        self._index = path.index
        self._ranges = iter(path.ranges)
        self._range: Range | None = None
        self._at: Record | None = None  # the current record
        self._done = False  # ... and it is finished
        self._opening = True  # no row of the range has been found yet
        self._unique = False  # the range is one key of a unique index
        self._down = path.descending  # from high to low; a single key is looked up
        self._passed = False  # the current record is behind the range, and locked by another or deleted
        self.stop_found = False
        self._ended_unlocked = False  # the range ended at a semi-consistent read: the next row is waited for
        self._new: list[Record] = []  # locked by the last step, and not before
        self._gaps = reading.mode is not None and rows.trx.locks_gaps
        self._after_record = rows.after_record
        self._met: set[Record] | None = None if path.index.definition.array is None else set()  # rows found
        self._fetches = not (path.covering or path.index.definition.clustered)
        self.examined = 0

    async def next(self) -> Hit | None:
        """The next row, or None at the end.

        Raises:
            DeadlockError, LockWaitTimeoutError: a wait for a row has ended with this error.
            NotGrantedError: another transaction has locked a row, and the reading must not wait.
        """
        while True:
            if self._range is None:
                self._range = next(self._ranges, None)
                if self._range is None:
                    return None
                await self._open(self._range)
            semi_consistent = self._reading.semi_consistent and not self._ended_unlocked
            self._ended_unlocked = False
            hit = await self._walk(self._range, semi_consistent=semi_consistent)
            if hit is not None:
                self._opening = False
                return hit
            self._range = None

    @property
    def index(self) -> Index:
        """The index that is scanned."""
        return self._index

    async def reread(self) -> Hit | None:
        """The row of a semi-consistent read, now locked; or the next row, if it no longer exists."""
        assert self._range is not None
        self._done = False
        hit = await self._walk(self._range, semi_consistent=False)
        if hit is None:
            self._range = None
        return hit or await self.next()

    def unlock_row(self) -> None:
        """Release the lock of the last row, which does not match the condition, at READ COMMITTED."""
        if not self._rows.trx.locks_gaps and self._reading.mode is not None:
            for record in self._new:
                self._rows.locks.unlock(self._rows.trx, record, self._reading.mode)
        self._new.clear()

    # -- where it is

    async def _open(self, span: Range) -> None:
        index, path = self._index, self._path
        definition = index.definition
        width = len(definition.columns)
        self._unique = (
            span.exact
            and definition.unique
            and span.low is not None
            and len(span.low) >= width
            and (definition.clustered or not has_null(span.low))
        )
        self._new.clear()
        self._passed = self.stop_found = self._done = False
        self._opening = True
        # a key of all the index's columns is looked up forwards, also if several are scanned from high to low
        looked_up = span.exact and path.access != "ref" and len(span.low or ()) >= width
        self._down = path.descending and not looked_up
        if not self._down:
            low = span.low or ()
            self._at = index.at_or_after(low) if span.low_included or not low else index.after(low)
            return
        if span.high is None:
            self._at = index.supremum
            return
        while True:
            behind = index.after(span.high) if span.high_included else index.at_or_after(span.high)
            if not self._gaps or await self._lock(behind, LockKind.GAP) is not None:
                break
        self._at = None if behind.previous is index.supremum else behind.previous

    def _next_record(self) -> Record:
        """The record to process: the current one, or the next if that is finished or has been removed."""
        at = self._at
        if at is None:  # before the first one
            return self._index.supremum
        if at.gone:
            passes = self._done and not self._down
            at = self._index.after(at.key) if passes else self._index.at_or_after(at.key)
            if self._down:
                at = at.previous
        elif self._done:
            at = at.previous if self._down else at.following
        self._at, self._done = at, True
        return at

    # -- what is done to a record

    async def _walk(self, span: Range, *, semi_consistent: bool) -> Hit | None:
        """Go on to the next row in the range. Returns None at its end."""
        if self._unique and not self._opening:
            return None
        while True:
            if self._after_record is not None and self._done and self._at is not None and not self._at.is_supremum:
                await self._after_record()
            starting, before = not self._done, self._at
            record = self._next_record()
            if not starting or record is not before:  # else it was an entry whose row had to be waited for
                self._new.clear()
            step: Hit | _Step
            if record.is_supremum:
                step = await self._supremum(record, span, starting=starting and record is before)
            elif self._exact(span) and record.key[: len(span.low or ())] != span.low:
                if self._gaps:
                    await self._lock(record, LockKind.GAP)
                return None
            elif self._reading.mode is None:
                self._count()
                step = self._consistent(record, span)
            else:
                self._count()
                step = await self._locking(record, span, semi_consistent=semi_consistent)
            if step is not _Step.CONTINUE:
                return step if isinstance(step, Hit) else None

    def _count(self) -> None:
        self.examined += 1
        self._index.reads += 1

    def _is_behind(self, supremum: Record, span: Range) -> bool:
        """Whether the end of a page is behind the range. The server looks at the last record, if it knows the range."""
        path, last = self._path, supremum.previous
        if self._down or supremum is self._index.supremum or last.is_supremum or self._reading.mode is None:
            return False
        return path.pushed is None and not path.covering and self._outside(last, span)

    async def _supremum(self, record: Record, span: Range, *, starting: bool) -> _Step:
        last = record is self._index.supremum
        if self._at is None or self._is_behind(record, span):
            return _Step.END
        if self._gaps and (starting or not self._down or not last) and not self._passed:
            await self._lock(record, LockKind.NEXT_KEY)
        return _Step.CONTINUE if not last or (self._down and starting) else _Step.END

    def _consistent(self, record: Record, span: Range) -> Hit | _Step:
        """A consistent read locks nothing, and looks for the version that it sees."""
        out = self._outside(record, span)
        if out and self._met is None:
            return _Step.END
        row = self._visible_row(record)
        self._rows.fetched += self._fetches
        if row is None:
            return _Step.CONTINUE
        found = self._path.table.row_of(record)
        if self._was_met(found, out=out):
            return _Step.CONTINUE
        return _Step.END if out else Hit(found, row)

    async def _locking(self, record: Record, span: Range, *, semi_consistent: bool) -> Hit | _Step:
        """A locking read locks a record, skips it if it is deleted, and reads its row."""
        kind = self._lock_kind(record, span)
        if kind is None:
            return _Step.END
        definition, path, out = self._index.definition, self._path, self._outside(record, span)
        tries_first = semi_consistent and not self._unique and definition.clustered
        got = await self._try_lock(record, kind, WaitPolicy.SKIP_LOCKED if tries_first else self._reading.policy)
        self._passed = False
        if got is not True:
            skipped = got is None and tries_first
            return self._semi_consistent_read(record, out=out) if skipped else self._skip_or_retry(got, out=out)
        self.stop_found = self.stop_found or self._is_end(record, span)
        if kind is LockKind.GAP:
            return _Step.END
        if record.deleted:
            self._passed = out and path.pushed is None
            self.unlock_row()
            return _Step.END if definition.clustered and self._unique else _Step.CONTINUE
        if path.pushed is not None and (out or not path.pushed(self._row_in_index(record))):
            self.unlock_row()
            return _Step.END if out else _Step.CONTINUE
        return await self._row_of(record, out=out)

    async def _row_of(self, record: Record, *, out: bool) -> Hit | _Step:
        """The row of a locked record; it is locked as well, unless the index has all columns that are read."""
        covered = not self._index.definition.clustered and self._reading.mode == "S" and self._path.covering
        row = record
        if not self._index.definition.clustered:
            row = self._path.table.row_of(record)
            if not covered:
                self._rows.fetched += 1
                got = await self._try_lock(row, LockKind.RECORD, self._reading.policy)
                if got is not True:
                    return self._skip_or_retry(got, out=out)
        if self._was_met(row, out=out):
            return _Step.CONTINUE
        if out:
            if not self._down:  # from high to low, the server does not unlock the row at which it stops
                self.unlock_row()
            return _Step.END
        if covered:
            return Hit(row, self._row_in_index(record))
        if row.deleted:
            self.unlock_row()
            return _Step.CONTINUE
        return Hit(row, row.row)

    def _was_met(self, row: Record, *, out: bool) -> bool:
        """Whether an index that has a row several times has led to it before.

        The server passes over such a row before it sees that an entry is behind the range (``filter_dup_records``).
        """
        if self._met is None:
            return False
        if row in self._met:
            return True
        if not out:
            self._met.add(row)
        return False

    async def _try_lock(self, record: Record, kind: LockKind, policy: WaitPolicy) -> bool | None:
        """Lock a record. Returns True if it is locked, False after a wait, None if it must be skipped."""
        try:
            granted = await self._lock(record, kind, policy)
        except NotGrantedError:
            if policy is WaitPolicy.NOWAIT:
                raise
            return None
        if granted is Grant.NEW:
            self._new.append(record)
        return granted is not None

    def _skip_or_retry(self, got: bool | None, *, out: bool) -> _Step:  # noqa: FBT001 - what `_try_lock` gave
        """After a wait the same record is processed again, since it may have changed; a locked one is skipped."""
        if got is False:
            self._done = False
        self._passed = got is None and out and self._path.pushed is None
        return _Step.CONTINUE

    def _semi_consistent_read(self, record: Record, *, out: bool) -> Hit | _Step:
        """The last committed version of a row that another transaction has locked."""
        version = last_committed(record)
        if version is None or version.deleted:
            return _Step.CONTINUE
        self._ended_unlocked = out and self._down  # the server does not tell InnoDB that it is not needed
        return _Step.END if out else Hit(record, version.row, semi_consistent=True)

    def _exact(self, span: Range) -> bool:
        """Whether it stops before a record that is not in the range; the first read of a ref access does."""
        return span.exact or (self._opening and self._path.access == "ref")

    def _outside(self, record: Record, span: Range) -> bool:
        return not span.begun(record.key) if self._down else span.ended(record.key)

    def _lock_kind(self, record: Record, span: Range) -> LockKind | None:
        """The kind of lock that a locking read takes on a record; None if no later record can be in the range."""
        definition = self._index.definition
        if not self._gaps or (self._unique and not record.deleted):
            return LockKind.RECORD
        if not definition.clustered or self._down:
            return LockKind.NEXT_KEY
        if self._opening and span.low_included and record.key == span.low:
            return LockKind.RECORD  # the range begins with it: the gap before it is outside
        high = span.high
        if high is None or record.key[: len(high)] < high:
            return LockKind.NEXT_KEY
        if record.key[: len(high)] > high:
            return None if self.stop_found else LockKind.GAP
        return LockKind.NEXT_KEY if span.high_included else LockKind.GAP

    def _is_end(self, record: Record, span: Range) -> bool:
        """Whether the range ends at a record: no later one can be in it."""
        high, width = span.high, len(self._index.definition.columns)
        return self._index.definition.clustered and not self._down and record.key == high and len(high) == width

    async def _lock(self, record: Record, kind: LockKind, policy: WaitPolicy = WaitPolicy.WAIT) -> Grant | None:
        assert self._reading.mode is not None
        return await self._rows.lock(record, self._reading.mode, kind, policy=policy)

    def _visible_row(self, record: Record) -> Sequence[Value] | None:
        """The row of a record as the read view sees it."""
        view, path = self._reading.view, self._path
        if self._index.definition.clustered:
            return visible(record, view)
        if view is None:
            return None if record.deleted else path.table.row_of(record).row
        row = visible(path.table.row_of(record), view)
        return None if row is None or self._index.part_at(record.key, row) is None else row

    def _row_in_index(self, entry: Record) -> Sequence[Value]:
        """The row with the columns of an entry, and None for the others."""
        row: list[Value] = [None] * len(self._path.table.columns)
        for at, value in zip(entry.index.definition.place, entry.row, strict=True):
            row[at] = value
        return row


async def read_again(rows: RowOperations, table: Table, record: Record) -> Hit | None:
    """A row that a statement has found, and reads again to change it; None if it no longer exists.

    It is looked up by its key (``rnd_pos``), which also locks what comes before it on the way. Raises as `Scan.next`.
    """
    only = Range(record.key, record.key, exact=True)
    path = AccessPath(table, record.index, [only], covering=True, access="const")
    return await Scan(rows, path, Reading("X")).next()
