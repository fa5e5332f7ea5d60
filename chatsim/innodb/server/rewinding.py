"""Taking a server back to a state at rest, with its prepared statements: far cheaper than to make it anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatsim.innodb.storage.pages import insert_record

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
        engine.history.committed = engine.history.purged = self._history
        for kept in self._tables:
            kept.restore(engine)


class _Kept:
    """The rows and the counters of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._numbers = (table.next_number, table.logged_number, table.next_row_id)
        self._rows = table.statistics.rows
        self._records: list[tuple[Index, Sequence[tuple[Key, Sequence[Value]]]]] = [
            (index, [(record.key, record.row) for record in index]) for index in table.stored
        ]

    def restore(self, engine: Engine) -> None:
        table = self._table
        table.next_number, table.logged_number, table.next_row_id = self._numbers
        table.statistics.reopen(self._rows)
        table.locks.granted.clear()
        table.locks.auto_inc.clear()
        for index, records in self._records:
            index.empty()
            for key, row in records:
                insert_record(index.successor(key), key, row, None, engine.locks)
