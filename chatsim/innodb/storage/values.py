"""Values: what they are in the model, in a key, as numbers and as texts (MySQL manual, "Type Conversion")."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from chatsim.db.mysql import database_error

__all__ = [
    "HIGHEST",
    "NULL",
    "Key",
    "Value",
    "as_exact_number",
    "as_moment",
    "as_number",
    "as_text",
    "collate",
]

Value: TypeAlias = int | float | Decimal | str | bytes | datetime | date | timedelta | None
"""A value of a column."""

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)")


class _Null:
    """NULL in a key. It is less than any value and equal to itself, so that an index can sort it."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return other is not self

    def __gt__(self, other: object) -> bool:
        return False

    def __le__(self, other: object) -> bool:
        return True

    def __ge__(self, other: object) -> bool:
        return other is self

    def __repr__(self) -> str:
        return "NULL"


NULL = _Null()


class _Highest:
    """A value that is larger than every value of a key's column."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True

    def __le__(self, other: object) -> bool:
        return other is self

    def __ge__(self, other: object) -> bool:
        return True


HIGHEST = _Highest()
"""A value that is larger than every value of a key's column."""

Key: TypeAlias = tuple[object, ...]
"""A key of an index: the sort keys of its columns, or of the first of them."""


def collate(text: str) -> str:
    """The sort key of a text in a case- and accent-insensitive collation: equal texts have the same key."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(each for each in decomposed if not unicodedata.combining(each)).casefold()


def as_number(value: Value) -> int | float | Decimal:
    """A value as a number. A text gives the number at its beginning, or 0."""
    match value:
        case int() | float() | Decimal():
            return value
        case str() | bytes():
            text = value if isinstance(value, str) else value.decode(errors="replace")
            found = _NUMBER.match(text)
            if found is None:
                return 0
            number = found.group().strip()
            return int(number) if number.lstrip("+-").isdigit() else float(number)
        case datetime():
            return int(value.strftime("%Y%m%d%H%M%S"))
        case date():
            return int(value.strftime("%Y%m%d"))
    raise database_error(1210, f"Incorrect arguments: {value!r} is no number")


def as_exact_number(value: Value) -> int | float | Decimal:
    """A value as a number, where only a number is allowed. An empty text gives 0.

    Raises:
        DatabaseError: it is a text with more than a number in it (1292).
    """
    if isinstance(value, str | bytes):
        text = as_text(value)
        found = _NUMBER.match(text)
        if text[found.end() if found else 0 :].strip():
            raise database_error(1292, f"Truncated incorrect DOUBLE value: '{text}'")
    return as_number(value)


def as_text(value: Value) -> str:
    """A value as a text."""
    match value:
        case str():
            return value
        case bytes():
            return value.decode(errors="replace")
        case float():
            return f"{value:g}" if value == int(value) else repr(value)
    return str(value)


def as_moment(text: str) -> datetime:
    """A text as a time, in UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
