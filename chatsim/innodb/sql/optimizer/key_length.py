"""The length of the used part of a key, in bytes: EXPLAIN's key_len."""

from __future__ import annotations

from collections.abc import Iterable

from chatsim.innodb.storage.column_types import Binary, Decimals, Enumeration, Moment, Text
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.tables import Table

__all__ = ["key_length"]

_BYTES_PER_CHARACTER = 4  # of utf8mb4, the only character set that the model has
_LENGTH_PREFIX = 2
_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4)  # bytes for the digits of a DECIMAL beyond its groups of nine


def key_length(table: Table, columns: Iterable[int]) -> int:
    """The bytes of some of a table's columns in a key."""
    return sum(_column_length(table.columns[at]) for at in columns)


def _column_length(column: Column) -> int:
    match column.type:
        case Text(length=length, trimmed=fixed):
            size = length * _BYTES_PER_CHARACTER + (0 if fixed else _LENGTH_PREFIX)
        case Binary(length=length):
            size = length + _LENGTH_PREFIX
        case Decimals(digits=digits, scale=scale):
            size = sum(count // 9 * 4 + _DIGITS[count % 9] for count in (digits - scale, scale))
        case Moment(size=size, digits=digits) if digits:
            size += (digits + 1) // 2
        case Enumeration(members=members):
            size = 1 if len(members) < 256 else 2
        case other:
            size = other.size
    return size + column.nullable
