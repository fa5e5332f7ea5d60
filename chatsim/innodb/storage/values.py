"""Column types: how values are stored and how they are ordered (MySQL manual, "Data Types")."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TypeAlias, cast

from chatsim.db.mysql import database_error

__all__ = [
    "HIGHEST",
    "NULL",
    "BadValueError",
    "Binary",
    "ColumnType",
    "Decimals",
    "Doubles",
    "Enumeration",
    "Integer",
    "Key",
    "Moment",
    "Text",
    "UnusableError",
    "Value",
    "as_exact_number",
    "as_moment",
    "as_number",
    "as_text",
    "collate",
    "place",
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


class UnusableError(Exception):
    """An index can't be used to search for a value, because its type is sorted in another order."""


class BadValueError(Exception):
    """A value can't be stored in a column.

    Attributes:
        errno: MySQL's number of the error.
        reason: the text of the error, with ``{column}`` and ``{row}`` in it.
        kept: the value that IGNORE stores instead.
    """

    def __init__(self, errno: int, reason: str, kept: Value) -> None:
        super().__init__(errno, reason)
        self.errno = errno
        self.reason = reason
        self.kept = kept


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


def place(value: Value, kind: ColumnType | None = None) -> Value:
    """The key by which a value is sorted and grouped: a text by its collation, an ENUM by its number.

    Args:
        value: the value.
        kind: the type of its column; None if it is not from a column.
    """
    if value is None:
        return None
    if isinstance(kind, Text | Enumeration):
        return cast("Value", kind.order(value))
    return collate(value) if isinstance(value, str) else value


def as_moment(text: str) -> datetime:
    """A text as a time, in UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class ColumnType:
    """The type of a column: `store` converts a value for the column, `order` gives its sort key in an index.

    Attributes:
        size: the approximate size of a value in bytes, for the optimizer and for pages.
    """

    size: int

    def store(self, value: Value) -> Value:
        """The stored form of a value that is not NULL. Raises `BadValueError`."""
        raise NotImplementedError

    def order(self, value: Value) -> object:
        """The sort key of a value that is not NULL."""
        return value

    def sought(self, value: Value, operator: str) -> object | None:
        """The sort key to search for, for a comparison (``=``, ``<`` …) with ``value``; None if nothing can match.

        Raises:
            UnusableError: an index can't be used for this comparison.
        """
        try:
            return self.order(self.store(value))
        except BadValueError as error:
            if operator in ("=", "<=>", "in"):
                return None
            raise UnusableError from error

    def stored(self, value: Value) -> int | None:
        """The size of a value in a record, in bytes; None for NULL."""
        return None if value is None else self.size

    def number(self, value: Value) -> int | float | Decimal:
        """A value that is not NULL, as a number."""
        return as_number(value)

    @property
    def zero(self) -> Value:
        """The value of a NOT NULL column without a default, if none is given."""
        return 0


def _parsed(value: Value) -> int | float | Decimal | None:
    """A value as a number; None if it is not a number."""
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode(errors="replace")
        try:
            return Decimal(text.strip())
        except InvalidOperation:
            return None
    return as_number(value)


@dataclass(frozen=True)
class Integer(ColumnType):
    """TINYINT to BIGINT, between two bounds."""

    low: int
    high: int

    def store(self, value: Value) -> Value:
        """The nearest integer."""
        if type(value) is not int:
            number = _parsed(value)
            if number is None:
                raise BadValueError(
                    1366, f"Incorrect integer value: '{as_text(value)}' for column '{{column}}' at row {{row}}", 0
                )
            value = int(Decimal(number).to_integral_value(ROUND_HALF_UP)) if math.isfinite(number) else self.high
        if not self.low <= value <= self.high:
            kept = min(max(value, self.low), self.high)
            raise BadValueError(1264, "Out of range value for column '{column}' at row {row}", kept)
        return value

    def sought(self, value: Value, operator: str) -> object | None:
        """The number. A fraction is rounded so that the comparison has the same result."""
        number = as_number(value)
        if number == int(number):
            return int(number)
        if operator in ("=", "<=>", "in"):
            return None
        return math.floor(number) + 0.5


@dataclass(frozen=True)
class Decimals(ColumnType):
    """DECIMAL, with a number of digits and a number of decimals."""

    digits: int
    scale: int

    def store(self, value: Value) -> Value:
        """The nearest decimal of that scale."""
        number = _parsed(value)
        if number is None:
            raise BadValueError(
                1366, f"Incorrect decimal value: '{as_text(value)}' for column '{{column}}' at row {{row}}", Decimal(0)
            )
        rounded = Decimal(str(number)).quantize(Decimal(1).scaleb(-self.scale), ROUND_HALF_UP)
        most = Decimal(10) ** (self.digits - self.scale)
        if abs(rounded) >= most:
            edge = (most - Decimal(1).scaleb(-self.scale)).copy_sign(rounded)
            raise BadValueError(1264, "Out of range value for column '{column}' at row {row}", edge)
        return rounded

    @property
    def zero(self) -> Value:
        """0, at its scale."""
        return Decimal(0).quantize(Decimal(1).scaleb(-self.scale))


@dataclass(frozen=True)
class Doubles(ColumnType):
    """FLOAT, DOUBLE."""

    def store(self, value: Value) -> Value:
        """The nearest double."""
        number = _parsed(value)
        if number is None:
            raise BadValueError(1265, "Data truncated for column '{column}' at row {row}", 0.0)
        return float(number)


@dataclass(frozen=True)
class Text(ColumnType):
    """CHAR, VARCHAR, TEXT: characters, ordered by a collation.

    Attributes:
        length: the largest number of characters.
        binary: whether the collation compares code points.
        padded: whether the collation ignores spaces at the end.
        trimmed: whether spaces at the end are not stored.
        long: whether an index on it needs a length.
    """

    length: int
    binary: bool
    padded: bool
    trimmed: bool = False
    long: bool = False

    def store(self, value: Value) -> Value:
        """The text."""
        text = as_text(value)
        if self.trimmed:
            text = text.rstrip(" ")
        if len(text) > self.length:
            if text[self.length :].strip(" "):
                raise BadValueError(1406, "Data too long for column '{column}' at row {row}", text[: self.length])
            text = text[: self.length]
        return text

    def order(self, value: Value) -> object:
        """The sort key of the collation."""
        text = as_text(value)
        if self.padded:
            text = text.rstrip(" ")
        return text if self.binary else collate(text)

    def sought(self, value: Value, operator: str) -> object | None:  # noqa: ARG002 - as the others
        """Only a text can be searched for by a collation."""
        if not isinstance(value, str | bytes):
            raise UnusableError
        return self.order(value)

    def stored(self, value: Value) -> int | None:
        """The bytes of the text. CHAR has room for as many characters as it declares."""
        return None if value is None else max(len(as_text(value).encode()), self.length if self.trimmed else 0)

    @property
    def zero(self) -> Value:
        """The empty text."""
        return ""


@dataclass(frozen=True)
class Binary(ColumnType):
    """BINARY, VARBINARY, BLOB: bytes, up to a largest length.

    Attributes:
        long: whether an index on it needs a length.
    """

    length: int
    long: bool = False

    def store(self, value: Value) -> Value:
        """The bytes."""
        data = value if isinstance(value, bytes) else as_text(value).encode()
        if len(data) > self.length:
            raise BadValueError(1406, "Data too long for column '{column}' at row {row}", data[: self.length])
        return data

    def sought(self, value: Value, operator: str) -> object | None:
        """Only bytes can be searched for among bytes."""
        if not isinstance(value, str | bytes):
            raise UnusableError
        return super().sought(value, operator)

    def stored(self, value: Value) -> int | None:
        """The number of bytes."""
        return len(value) if isinstance(value, bytes) else None

    @property
    def zero(self) -> Value:
        """No bytes."""
        return b""


@dataclass(frozen=True)
class Moment(ColumnType):
    """DATE, DATETIME and TIMESTAMP, in UTC.

    Attributes:
        digits: the digits of the fraction of a second; None for a DATE.
    """

    digits: int | None

    def store(self, value: Value) -> Value:
        """The time, rounded."""
        moment = value
        if not isinstance(moment, date):
            try:
                moment = as_moment(as_text(value))
            except ValueError:
                kind = "date" if self.digits is None else "datetime"
                reason = f"Incorrect {kind} value: '{as_text(value)}' for column '{{column}}' at row {{row}}"
                raise BadValueError(1292, reason, self.zero) from None
        if self.digits is None:
            return moment.date() if isinstance(moment, datetime) else moment
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - a column has no time zone
        unit = 10 ** (6 - self.digits)
        micro = round(moment.microsecond / unit) * unit
        return moment.replace(microsecond=0) + timedelta(microseconds=micro)

    @property
    def zero(self) -> Value:
        """The beginning of the epoch, since Python does not have MySQL's ``0000-00-00``."""
        return date(1970, 1, 1) if self.digits is None else datetime(1970, 1, 1)  # noqa: DTZ001


@dataclass(frozen=True)
class Enumeration(ColumnType):
    """ENUM: one of its members, ordered as they are declared."""

    members: tuple[str, ...]

    def store(self, value: Value) -> Value:
        """The member, by its name or its number from 1."""
        if isinstance(value, int) and 1 <= value <= len(self.members):
            return self.members[value - 1]
        wanted = collate(as_text(value))
        for member in self.members:
            if collate(member) == wanted:
                return member
        raise BadValueError(1265, "Data truncated for column '{column}' at row {row}", "")

    def order(self, value: Value) -> object:
        """Its number."""
        return self.members.index(as_text(value)) + 1 if value else 0

    def sought(self, value: Value, operator: str) -> object | None:
        """A number is searched for as a number. A text must be a member, since the order is not that of texts."""
        if not isinstance(value, str | bytes):
            return as_number(value)
        if operator not in ("=", "<=>", "in"):
            raise UnusableError
        wanted = collate(as_text(value))
        return next((at for at, each in enumerate(self.members, start=1) if collate(each) == wanted), None)

    def number(self, value: Value) -> int | float | Decimal:
        """Its number, as a double."""
        return float(cast("int", self.order(value)))

    @property
    def zero(self) -> Value:
        """The first member."""
        return self.members[0]
