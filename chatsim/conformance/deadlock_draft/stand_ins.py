"""Statements that take the locks which a report shows, in place of those which it does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import expressions as exp

from chatsim.conformance.deadlock_draft.rows import Key, KnownRow, insert
from chatsim.db.deadlock import SUPREMUM, LockKind
from chatsim.db.text import quoted
from chatsim.innodb.storage.column_types.numbers import Integer
from chatsim.innodb.storage.dictionary import IndexDefinition
from chatsim.innodb.storage.tables import Table

__all__ = ["Held", "inserted_key", "stand_ins"]


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that a transaction holds, on a place that the draft knows.

    Attributes:
        owner: the number of the transaction.
        table, definition: the index.
        shared: whether the lock is S.
        kind: what it covers.
        key: the columns of the index at the record; `SUPREMUM` behind the last one; None if it is not known.
        row: the row of the record, if it is known.
        gap: whether it is the gap that stands in the other's way.
    """

    owner: int
    table: Table
    definition: IndexDefinition
    shared: bool
    kind: LockKind
    key: Key | str | None
    row: KnownRow | None
    gap: bool


def stand_ins(held: Held, own: str, rows: Mapping[Key, KnownRow]) -> Iterator[str]:
    """Statements that may have taken a lock, the likeliest first.

    Args:
        held: the lock.
        own: the statement of the same transaction that waits; it may insert into a gap that it has looked at before.
        rows: the rows of the table that are known.
    """
    row = held.row
    if not held.gap and row is not None and row.changed_by == held.owner:
        yield _change(held.table, held.definition, row)
    if held.gap:
        yield from _readings_of_a_gap(held, own, rows)
    elif isinstance(held.key, tuple):
        yield _reading(held, held.key)
    if row is not None and not row.is_seen and not held.gap and not held.shared:
        yield insert(held.table, row)
        yield f"DELETE FROM {quoted(held.table.name)} WHERE {_primary(held.table, row)}"


def inserted_key(statement: str, table: Table, definition: IndexDefinition) -> Key | None:
    """The columns of an index in the first row that a statement inserts; None if it inserts no literals."""
    try:
        tree = sqlglot.parse_one(statement, read="mysql")
    except sqlglot.errors.SqlglotError:
        return None
    if not isinstance(tree, exp.Insert) or not isinstance(tree.expression, exp.Values):
        return None
    target = tree.this
    names = [column.name for column in table.columns]
    if isinstance(target, exp.Schema):
        names, target = [each.name for each in target.expressions], target.this
    first = tree.expression.expressions[0]
    values = [each.sql("mysql") for each in first.expressions]
    if target.name != table.name or len(names) != len(values):
        return None
    by_name = {name.casefold(): value for name, value in zip(names, values, strict=True)}
    return tuple(by_name.get(table.columns[column].name.casefold()) for column in definition.columns)


def _readings_of_a_gap(held: Held, own: str, rows: Mapping[Key, KnownRow]) -> Iterator[str]:
    """Locking reads that find no row, and lock the gap where it would be."""
    key = inserted_key(own, held.table, held.definition)
    if key is not None and None not in key:
        yield _reading(held, key)
    last = held.table.columns[held.definition.columns[-1]].type
    if not isinstance(last, Integer):
        return
    if isinstance(held.key, tuple) and held.key[-1] not in (None, "NULL"):
        yield _reading(held, (*held.key[:-1], str(int(held.key[-1]) - 1)))
    elif held.key == SUPREMUM and len(held.definition.columns) == 1:
        known = [
            row.values[held.definition.columns[0]] for row in rows.values() if held.definition.columns[0] in row.values
        ]
        yield _reading(held, (str(max((int(value) for value in known if value != "NULL"), default=0) + 1),))


def _reading(held: Held, key: Key) -> str:
    """A locking read of a key of the index."""
    force = "" if held.definition.clustered else f" FORCE INDEX ({quoted(held.definition.name)})"
    where = _conditions(held.table, zip(held.definition.columns, key, strict=True))
    return (
        f"SELECT * FROM {quoted(held.table.name)}{force} WHERE {where} {'FOR SHARE' if held.shared else 'FOR UPDATE'}"
    )


def _change(table: Table, definition: IndexDefinition, row: KnownRow) -> str:
    """The change that the row's own record tells of: an insert, a delete, or an update of some column."""
    if row.inserted:
        return insert(table, row)
    where = _primary(table, row)
    if row.deleted:
        return f"DELETE FROM {quoted(table.name)} WHERE {where}"
    indexed = {column for each in table.indexes for column in each.definition.columns} | set(definition.columns)
    for number, column in enumerate(table.columns):
        if (
            number not in indexed
            and isinstance(column.type, Integer)
            and column.generated is None
            and not column.hidden
        ):
            return f"UPDATE {quoted(table.name)} SET {quoted(column.name)} = {quoted(column.name)} + 1 WHERE {where}"
    return f"SELECT * FROM {quoted(table.name)} WHERE {where} FOR UPDATE"


def _primary(table: Table, row: KnownRow) -> str:
    return _conditions(table, ((column, row.values.get(column)) for column in table.indexes[0].definition.columns))


def _conditions(table: Table, pairs: Iterator[tuple[int, str | None]]) -> str:
    return " AND ".join(
        f"{quoted(table.columns[column].name)} {'IS NULL' if value == 'NULL' else f'= {value}'}"
        for column, value in pairs
        if value is not None
    )
