"""Rows from the records that a report has dumped, by the types of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from chatsim.conformance.deadlock_draft.literals import literal, unread
from chatsim.db.deadlock_report.reader import ReportedTransaction
from chatsim.db.deadlock_report.records import Field, RecordDump, ReportedLock, clustered_key
from chatsim.db.text import quoted
from chatsim.innodb.storage.column_types.base import ColumnType
from chatsim.innodb.storage.column_types.moments import Moment
from chatsim.innodb.storage.column_types.texts import Binary, Text
from chatsim.innodb.storage.dictionary import IndexDefinition
from chatsim.innodb.storage.tables import Table

__all__ = ["Key", "KnownRow", "insert", "key_of", "known_rows", "unread_values"]

Key: TypeAlias = tuple[str | None, ...]
"""The columns of a key as SQL literals; None for a value that can't be read."""

_INSERTED = 0x80
"""The bit of a roll pointer's first byte that says that the version is an inserted row (InnoDB's trx0undo.ic)."""


@dataclass(slots=True)
class KnownRow:
    """A row, as far as the report shows it.

    Attributes:
        values: its columns by number, as SQL literals.
        is_seen: whether the row itself was dumped, and not only an entry of another index.
        changed_by: the number of the transaction of the deadlock that has changed it; None if there is none.
        inserted: whether that one has inserted it, so that it was not there before.
        deleted: whether it is delete-marked.
    """

    values: dict[int, str] = field(default_factory=dict)
    is_seen: bool = False
    changed_by: int | None = None
    inserted: bool = False
    deleted: bool = False


def known_rows(
    table: Table,
    transactions: Mapping[int, ReportedTransaction],
    addresses: Mapping[tuple[object, ...], Sequence[Field]],
) -> dict[Key, KnownRow]:
    """The rows of a table that the records of all locks show, by their primary keys."""
    owners = {value: number for number, one in transactions.items() for value in _ids(one.about.transaction_id)}
    primary = table.indexes[0].definition
    rows: dict[Key, KnownRow] = {}
    for lock, record in _records(table, transactions):
        definition = _definition(table, lock.index)
        fields = record.fields or addresses.get(lock.address(record), ())
        if definition is None or not fields or record.is_supremum:
            continue
        values = _values(table, definition, fields)
        key = tuple(values.get(column) for column in primary.columns)
        if table.hidden is not None or None in key:
            continue
        row = rows.setdefault(key, KnownRow())
        row.values |= {column: value for column, value in values.items() if value is not None}
        if definition.clustered:
            row.is_seen, row.deleted = True, record.deleted
            _note_change(row, fields, owners)
    return rows


def unread_values(
    table: Table,
    transactions: Mapping[int, ReportedTransaction],
    addresses: Mapping[tuple[object, ...], Sequence[Field]],
    rows: Mapping[Key, KnownRow],
) -> list[str]:
    """The values of dumped records that can't be read, with the reason: one sentence for each.

    Args:
        table: whose records.
        transactions: as for `known_rows`.
        addresses: as for `known_rows`.
        rows: the rows that are known. What one of them has is read, whatever another record says.
    """
    primary = table.indexes[0].definition.columns
    found: dict[str, None] = {}
    for lock, record in _records(table, transactions):
        definition = _definition(table, lock.index)
        fields = record.fields or addresses.get(lock.address(record), ())
        if definition is None or not fields or record.is_supremum:
            continue
        columns, values = _columns(table, definition, fields), _values(table, definition, fields)
        key = tuple(values.get(column) for column in primary)
        row = rows.get(key)
        for number in (number for number, value in values.items() if value is None):
            if row is not None and number in row.values:
                continue
            column = table.columns[number]
            where = f" of the row {_shown(key)}" if None not in key else f" of a record of {lock.index}"
            why = unread(column.type, columns[number])
            found[f"{table.name}.{column.name}{where} could not be read from the report: {why}."] = None
    return [*found]


def _shown(key: Key) -> str:
    return f"({', '.join(map(str, key))})"


def key_of(table: Table, definition: IndexDefinition, fields: Sequence[Field]) -> Key:
    """The columns of an index that a record has, without the appended primary key."""
    values = _values(table, definition, fields)
    return tuple(values.get(column) for column in definition.columns)


def insert(table: Table, row: KnownRow) -> str:
    """The statement that inserts a row. What is not known and has no default gets a value of its type."""
    names, values = [], []
    for number, column in enumerate(table.columns):
        if column.hidden or column.generated is not None:
            continue
        value = row.values.get(number) or (None if column.has_default or column.auto_increment else _any(column.type))
        if value is not None:
            names.append(quoted(column.name))
            values.append(value)
    return f"INSERT INTO {quoted(table.name)} ({', '.join(names)}) VALUES ({', '.join(values)})"


def _records(
    table: Table, transactions: Mapping[int, ReportedTransaction]
) -> Iterator[tuple[ReportedLock, RecordDump]]:
    for one in transactions.values():
        for lock in (*(one.held or ()), one.wanted):
            if lock is not None and lock.table == table.name:
                yield from ((lock, record) for record in lock.records)


def _definition(table: Table, name: str) -> IndexDefinition | None:
    return next((each.definition for each in table.indexes if each.definition.name == name), None)


def _values(table: Table, definition: IndexDefinition, fields: Sequence[Field]) -> dict[int, str | None]:
    """The columns of a record by number, as literals."""
    found = _columns(table, definition, fields)
    return {number: literal(table.columns[number].type, field) for number, field in found.items()}


def _columns(table: Table, definition: IndexDefinition, fields: Sequence[Field]) -> dict[int, Field]:
    """The fields of a record, by the numbers of their columns."""
    if definition.clustered:
        end = clustered_key(fields) or len(definition.columns)
        rest = [
            number
            for number, column in enumerate(table.columns)
            if number not in definition.columns and not column.virtual and not column.hidden
        ]
        return {
            **dict(zip(definition.columns, fields[:end], strict=False)),
            **dict(zip(rest, fields[end + 2 :], strict=False)),
        }
    whole = set(definition.whole)
    return {at: found for at, found in zip(definition.place, fields, strict=False) if at in whole}


def _note_change(row: KnownRow, fields: Sequence[Field], owners: Mapping[int, int]) -> None:
    """Note which transaction of the deadlock has changed the row, by the transaction id that it is stored with."""
    at = clustered_key(fields)
    trx, pointer = (fields[at], fields[at + 1]) if at is not None else (None, None)
    if trx is None or pointer is None or not pointer[1]:
        return
    row.changed_by = owners.get(int.from_bytes(trx[1]))
    row.inserted = row.changed_by is not None and bool(pointer[1][0] & _INSERTED)


def _ids(transaction_id: str) -> set[int]:
    """The number that a transaction id may mean: it was printed in hex in 5.5."""
    if not transaction_id:
        return set()
    return {int(transaction_id, 16), *([int(transaction_id)] if transaction_id.isdecimal() else [])}


def _any(kind: ColumnType) -> str:
    """A value of a type."""
    if isinstance(kind, Moment):
        return "'2000-01-01'"
    return "''" if isinstance(kind, Text | Binary) else "1"
