"""Taking a server back to a state at rest, with its prepared statements: far cheaper than to make it anew."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

from chatsim.innodb.storage.pages import distribute

if TYPE_CHECKING:
    from chatsim.innodb.server.engine import Engine
    from chatsim.innodb.storage.structures import Index
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Key, Value

__all__ = ["Rewinding"]


class Rewinding:
    """What a server's tables have now, to which they can be taken back.

    Args:
        engine: the server, without a transaction under way, all of whose changes have been purged.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._generation = engine.prepared.generation
        self._history = engine.history.committed
        self._schema = engine.schema
        self._tables = [_Kept(table) for table in engine.tables.values()]

    @property
    def possible(self) -> bool:
        """Whether no table has been created, dropped or changed since."""
        return self._engine.prepared.generation == self._generation

    def rewind(self) -> None:
        """Take the server back. Sessions that are open are forgotten, with all their locks."""
        engine = self._engine
        assert self.possible, "tables have been changed"
        engine.forget()
        engine.schema = self._schema
        engine.history.committed = engine.history.purged = self._history
        for kept in self._tables:
            kept.restore()


class _Kept:
    """The rows and the counters of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._numbers = (table.next_number, table.logged_number, table.next_row_id)
        self._statistics = copy(table.statistics)
        self._statistics.rows_of = table.statistics.rows_of.copy()
        self._locks = [table.locks, *(each.locks for each in table.partitions)]
        self._indexes = [_KeptIndex(index) for index in table.stored]

    def restore(self) -> None:
        table = self._table
        table.next_number, table.logged_number, table.next_row_id = self._numbers
        table.statistics.reopen(self._statistics)
        for locks in self._locks:
            locks.granted.clear()
            locks.auto_inc.clear()
        for index in self._indexes:
            index.restore()


class _KeptIndex:
    """The records of one index, and the pages that they are on."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._reads = index.reads
        records = list(index)
        self._records: Sequence[tuple[Key, Sequence[Value], int, int]] = [
            (record.key, record.row, index.size_of(record.row), record.heap) for record in records
        ]
        starts = itertools.accumulate(page.count for page in index.pages)
        self._pages = list(zip(starts, index.lows, strict=False))
        places = {record: at for at, record in enumerate(records)}
        self._written = [
            (page.heap, None if page.last_insert is None else places.get(page.last_insert)) for page in index.pages
        ]

    def restore(self) -> None:
        index = self._index
        index.empty()
        index.reads = self._reads
        records = [index.insert_before(index.supremum, key, row, None, size) for key, row, size, _ in self._records]
        distribute(index, self._pages)
        for record, (*_, heap) in zip(records, self._records, strict=True):
            record.heap = heap
        for page, (heap, last) in zip(index.pages, self._written, strict=True):
            page.heap, page.last_insert = heap, None if last is None else records[last]
