"""Values: what they are in the model, in a key, as numbers and as texts (MySQL manual, "Type Conversion")."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import total_ordering
from typing import Any, Self, TypeAlias

from chatsim.db.mysql import database_error

__all__ = [
    "HIGHEST",
    "NULL",
    "ArrayValue",
    "BytesLiteral",
    "Document",
    "Key",
    "Single",
    "Value",
    "as_number",
    "as_text",
    "descending",
    "duration_text",
    "has_null",
    "integer_at_start",
    "is_number",
    "is_whole_number",
    "number_at_start",
]

Value: TypeAlias = int | float | Decimal | str | bytes | datetime | date | timedelta | None
"""A value of a column."""

_MOST_ZEROS = 15
"""How many zeros a DOUBLE may have as a text, at its end or behind its point."""

_INTEGER = re.compile(r"\s*[-+]?\d+")
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


class _NullLast(_Highest):
    """NULL in a part of a key in descending order: it comes after all values."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return other is HIGHEST

    def __gt__(self, other: object) -> bool:
        return other is not self and other is not HIGHEST

    def __ge__(self, other: object) -> bool:
        return other is not HIGHEST

    def __le__(self, other: object) -> bool:
        return other is self or other is HIGHEST


_NULL_LAST = _NullLast()


@total_ordering
class _Descending:
    """A sort key in a part of a key in descending order."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: object) -> bool:
        return other.key < self.key if isinstance(other, _Descending) else True

    def __repr__(self) -> str:
        return f"-{self.key!r}"


def descending(key: object) -> object:
    """A sort key, as a part of a key in descending order."""
    return _NULL_LAST if key is NULL else _Descending(key)


def has_null(key: Iterable[object]) -> bool:
    """Whether a key of an index has NULL in it."""
    return any(each is NULL or each is _NULL_LAST for each in key)


Key: TypeAlias = tuple[object, ...]
"""A key of an index: the sort keys of its columns, or of the first of them."""


class Document(str):
    """A JSON document, as the normalized text that the server prints."""

    __slots__ = ()


class ArrayValue(Document):
    """The elements of an array in a multi-valued index, each once, in order; as a text the array as JSON.

    Attributes:
        elements: the elements.
        last: the one that the document has last.
    """

    __slots__ = ("elements", "last")

    elements: tuple[Value, ...]
    last: Value

    def __new__(cls, text: str, elements: tuple[Value, ...] = (), last: Value = None) -> Self:
        """The elements, and the text that shows them."""
        made = super().__new__(cls, text)
        made.elements, made.last = elements, last
        return made


class BytesLiteral(bytes):
    """A hexadecimal or bit literal: bytes, and a number where a number is wanted."""

    __slots__ = ()


class Single(float):
    """A value of a FLOAT column: it has as many digits as four bytes can have, and six are shown."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{float(self):.6g}"


def number_at_start(text: str) -> int | float | None:
    """The number at the beginning of a text; None if there is none."""
    found = _NUMBER.match(text)
    if found is None:
        return None
    number = found.group().strip()
    return int(number) if number.lstrip("+-").isdigit() else float(number)


def is_number(text: str) -> bool:
    """Whether a text is a number and nothing else, or nothing at all, which stands for 0."""
    found = _NUMBER.match(text)
    return not text[found.end() if found else 0 :].strip()


def integer_at_start(text: str) -> int:
    """The integer at the beginning of a text; 0 if there is none."""
    found = _INTEGER.match(text)
    return int(found.group()) if found else 0


def is_whole_number(text: str) -> bool:
    """Whether a text is an integer and nothing else."""
    return text.strip().lstrip("+-").isdigit()


def as_number(value: Value) -> int | float | Decimal:
    """A value as a number. A text gives the number at its beginning, or 0."""
    match value:
        case int() | float() | Decimal():
            return value
        case BytesLiteral():
            return int.from_bytes(value)
        case str() | bytes():
            return number_at_start(value if isinstance(value, str) else value.decode(errors="replace")) or 0
        case datetime():
            return int(value.strftime("%Y%m%d%H%M%S"))
        case date():
            return int(value.strftime("%Y%m%d"))
        case timedelta():
            return int(duration_text(value).partition(".")[0].replace(":", ""))
    raise database_error(1210, f"Incorrect arguments: {value!r} is no number")


def as_text(value: Value) -> str:
    """A value as a text."""
    match value:
        case str():
            return value
        case bytes():
            return value.decode(errors="replace")
        case Single():
            return _double_text(float(str(value)))
        case timedelta():
            return duration_text(value)
        case float():
            return _double_text(value)
    return str(value)


def _double_text(value: float) -> str:
    """A DOUBLE as a text: the fewest digits that mean it, with an exponent if there would be many zeros."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    before, found = len(digits) + exponent, "".join(map(str, digits))
    if not -_MOST_ZEROS <= before - 1 < _MOST_ZEROS:
        found = f"{found[0]}{'.' if found[1:] else ''}{found[1:]}e{before - 1}"
    elif before <= 0:
        found = f"0.{'0' * -before}{found}"
    elif exponent >= 0:
        found += "0" * exponent
    else:
        found = f"{found[:before]}.{found[before:]}"
    return f"{'-' if sign else ''}{found}"


def duration_text(value: timedelta) -> str:
    """A TIME as a text: hours, minutes, seconds."""
    seconds, micro = divmod(abs(value) // timedelta(microseconds=1), 10**6)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    fraction = f".{micro:06}" if micro else ""
    return f"{'-' if value < timedelta() else ''}{hour:02}:{minute:02}:{second:02}{fraction}"
