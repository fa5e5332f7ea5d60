"""The bytes that a record takes on a page, in the row formats DYNAMIC and COMPACT (InnoDB's rem0rec).

A record has a header of five bytes, a bit for each nullable column, one or two bytes for the length of each column of
varying length, and the values. A row has the number of its transaction and a pointer to its undo record, too. Long
values of a row that would take half a page are kept elsewhere. Source: MySQL manual, "InnoDB Row Formats".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatsim.innodb.storage.column_types import Binary, ColumnType, Json, Text, TypedArray
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.values import Value

__all__ = ["least_row_size", "record_size"]

_HEADER = 5
_TRANSACTION, _UNDO_POINTER = 6, 7
_ROW_ID = 6
_HALF_PAGE = 8126
"""A row of this size has its longest values elsewhere, each with a pointer in its place."""

_POINTER = 20
_SHORTEST_OUTSIDE = 40
_LONG = 1 << 32
_SHORT, _SHORT_COLUMN = 127, 255  # one byte has the length of such a value, or of any value of such a column


def record_size(definition: IndexDefinition, columns: Sequence[Column]) -> Callable[[Sequence[Value]], int]:
    """A function that gives the bytes of a record of an index, for its columns."""
    if not columns:
        return lambda _: 0
    constant, others = _sizes(definition, columns)
    if not others:
        return lambda _: constant

    def size_of(row: Sequence[Value]) -> int:
        total, long = constant, []
        for at, kind, size, most in others:
            value = row[at]
            if value is None:
                continue
            if most is None:
                total += size
                continue
            length = kind.stored(value) or 0
            total += length + (1 if length <= _SHORT or most <= _SHORT_COLUMN else 2)
            if length > _SHORTEST_OUTSIDE:
                long.append(length)
        while total >= _HALF_PAGE and long:
            longest = max(long)
            long.remove(longest)
            total -= longest - _POINTER
        return total

    return size_of


def least_row_size(columns: Sequence[Column]) -> int:
    """The bytes of a row with nothing in its columns of varying length.

    In the server: ``dict_index_calc_min_rec_len``.
    """
    stored = [each for each in columns if not each.virtual]
    total = _HEADER + _TRANSACTION + _UNDO_POINTER + (sum(each.nullable for each in stored) + 7) // 8
    for each in stored:
        size, most = _size(each.type)
        if most is None:
            total += size
        else:
            total += 1 if most <= _SHORT or most >= _LONG else 2  # of a long one counts what points to it
    return total


def _sizes(
    definition: IndexDefinition, columns: Sequence[Column]
) -> tuple[int, list[tuple[int, ColumnType, int, int | None]]]:
    """The bytes that each record takes, and the columns that may take more: place, type, bytes, and at most."""
    places = range(len(columns)) if definition.clustered else definition.place
    constant = _HEADER + (_TRANSACTION + _UNDO_POINTER if definition.clustered else 0)
    nullable = 0
    others: list[tuple[int, ColumnType, int, int | None]] = []
    for at, place in enumerate(places):
        column = columns[place]
        if column.virtual and definition.clustered:
            continue
        kind = column.type.element if isinstance(column.type, TypedArray) else column.type
        size, most = _size(kind)
        nullable += column.nullable
        if column.nullable or most is not None:
            others.append((at, kind, size, most))
        else:
            constant += size
    return constant + (nullable + 7) // 8, others


def _size(kind: ColumnType) -> tuple[int, int | None]:
    """The bytes of a value of a type; or the most that it can have, if they vary."""
    match kind:
        case Text(trimmed=True, length=length) if kind.key_size == length:  # a CHAR whose characters have one byte
            return length, None
        case Text() | Json() | Binary(fixed=False):
            return 0, _most(kind)
    return kind.key_size, None


def _most(kind: ColumnType) -> int:
    """The most bytes of a value of varying length. The length of a long text or document always has two bytes."""
    if isinstance(kind, Text | Binary) and not kind.long:
        return kind.key_size - (0 if isinstance(kind, Text) and kind.trimmed else 2)
    return _LONG
