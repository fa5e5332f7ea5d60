"""Comparing values: manual, "Type Conversion in Expression Evaluation" and "Collation Coercibility"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.collations import CONNECTION
from chatsim.innodb.storage.column_types import Binary, ColumnType, Text
from chatsim.innodb.storage.column_types.documents import document_order
from chatsim.innodb.storage.moments import as_duration, parsed_moment
from chatsim.innodb.storage.values import Document, Value, as_number, as_text

__all__ = ["common_collation", "compare", "is_true"]


def is_true(value: object) -> bool:
    """Whether a condition is true. NULL is not true."""
    if value is None:
        return False
    if isinstance(value, str | bytes):
        return as_number(value) != 0
    return bool(value)


def compare(left: Value, right: Value, by: ColumnType | None = None) -> int:
    """Compare values that are not NULL: -1, 0 or 1 (manual, "Type Conversion in Expression Evaluation").

    Args:
        left: the left value.
        right: the right value.
        by: the type whose collation compares two texts.
    """
    if type(left) is int and type(right) is int:
        return (left > right) - (left < right)
    a: Any
    b: Any
    if isinstance(left, Document) or isinstance(right, Document):
        a, b = document_order(left), document_order(right)
    elif isinstance(left, str | bytes) and isinstance(right, str | bytes):
        a, b = _collated(left, right, by)
    elif isinstance(left, date) and isinstance(right, date):
        a, b = _moment(left), _moment(right)
    elif isinstance(left, date) and isinstance(right, str):
        a, b = _moment(left), _moment_of(right)
    elif isinstance(left, str) and isinstance(right, date):
        a, b = _moment_of(left), _moment(right)
    elif isinstance(left, timedelta) or isinstance(right, timedelta):
        a, b = _duration(left), _duration(right)
    else:
        a, b = as_number(left), as_number(right)
        if isinstance(a, float) or isinstance(b, float):
            a, b = float(a), float(b)
    return int(a > b) - int(a < b)


def _collated(left: str | bytes, right: str | bytes, by: ColumnType | None) -> tuple[object, object]:
    """The sort keys of two texts. If one is bytes, both are compared as bytes, unless a column has a collation."""
    if isinstance(by, Text):
        return by.order(left), by.order(right)
    if isinstance(by, Binary) or isinstance(left, bytes) or isinstance(right, bytes):
        return _bytes(left), _bytes(right)
    return CONNECTION.order(left), CONNECTION.order(right)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _moment(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001


def _moment_of(text: str) -> datetime:
    try:
        return parsed_moment(text)[0]
    except ValueError:
        raise database_error(1525, f"Incorrect DATETIME value: '{text}'") from None


def _duration(value: Value) -> timedelta:
    """A value as a TIME; one that is none is 0, as the server has it."""
    try:
        return as_duration(value if isinstance(value, date | timedelta) else as_text(value))[0]
    except (ValueError, OverflowError):
        return timedelta()


def common_collation(kinds: Sequence[ColumnType | None]) -> ColumnType | None:
    """The type whose collation is used for several texts: bytes first, then code points, then others."""
    found = {each.collation.name: each for each in kinds if isinstance(each, Text)}
    binary = _first([each for each in kinds if isinstance(each, Binary)])
    exact = _first([each for each in found.values() if each.collation.binary])
    if binary is not None or exact is not None:
        return binary or exact
    if len(found) > 1:
        raise database_error(1267, "Illegal mix of collations")
    return _first(list(found.values()))


def _first(kinds: Sequence[ColumnType | None]) -> ColumnType | None:
    return next(iter(kinds), None)
