"""Column types: what a column keeps of a value, and how its values are ordered (MySQL manual, "Data Types")."""

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
"""What a column holds and a client gets."""

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)")


class _Null:
    """NULL in a key: less than any value, and equal to itself, since an index has to put it somewhere."""

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
    """Behind every value of a key's column."""

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
"""What stands behind every value of a key's column."""

Key: TypeAlias = tuple[object, ...]
"""A place in an index: its columns' order keys, or the first few of them."""


class UnusableError(Exception):
    """A column's order is of no help in looking for a value of another type."""


class BadValueError(Exception):
    """A value can't be kept by a column.

    Attributes:
        errno: MySQL's number of the error.
        reason: the error's text, ``{column}`` and ``{row}`` in it.
        kept: what IGNORE keeps instead.
    """

    def __init__(self, errno: int, reason: str, kept: Value) -> None:
        super().__init__(errno, reason)
        self.errno = errno
        self.reason = reason
        self.kept = kept


def collate(text: str) -> str:
    """What two texts have in common that the case- and accent-insensitive collations call equal."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(each for each in decomposed if not unicodedata.combining(each)).casefold()


def as_number(value: Value) -> int | float | Decimal:
    """A value where a number is wanted; of a text, the number that it begins with, or 0."""
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
    """A value where a number is wanted, and nothing else will do: 0 of a text without a letter.

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
    """A value where a text is wanted."""
    match value:
        case str():
            return value
        case bytes():
            return value.decode(errors="replace")
        case float():
            return f"{value:g}" if value == int(value) else repr(value)
    return str(value)


def place(value: Value, kind: ColumnType | None = None) -> Value:
    """What a value is sorted and grouped by: a text by its collation, an ENUM by its number.

    Args:
        value: which.
        kind: the type of the column that it comes from, None if from none.
    """
    if value is None:
        return None
    if isinstance(kind, Text | Enumeration):
        return cast("Value", kind.order(value))
    return collate(value) if isinstance(value, str) else value


def as_moment(text: str) -> datetime:
    """The moment that a text says, in UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class ColumnType:
    """A type: `store` makes of a value what the column keeps, `order` what an index sorts by.

    Attributes:
        size: bytes of a value, roughly: what the optimizer and the pages go by.
    """

    size: int

    def store(self, value: Value) -> Value:
        """What is kept of a value that is not NULL. Raises `BadValueError`."""
        raise NotImplementedError

    def order(self, value: Value) -> object:
        """What a value that is not NULL is sorted by."""
        return value

    def sought(self, value: Value, operator: str) -> object | None:
        """Where an index has the values that stand in ``operator`` (``=``, ``<`` …) to ``value``; None: nowhere.

        Raises:
            UnusableError: an index can't be asked that.
        """
        try:
            return self.order(self.store(value))
        except BadValueError as error:
            if operator in ("=", "<=>", "in"):
                return None
            raise UnusableError from error

    def stored(self, value: Value) -> int | None:
        """The bytes that a record keeps a value in; None for NULL."""
        return None if value is None else self.size

    def number(self, value: Value) -> int | float | Decimal:
        """What a value that is not NULL is where a number is wanted."""
        return as_number(value)

    @property
    def zero(self) -> Value:
        """What stands for a value where there must be one and none is given."""
        return 0


def _parsed(value: Value) -> int | float | Decimal | None:
    """The number that a value is, None when it is none."""
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
        """The number; a fraction is rounded away from what is looked for."""
        number = as_number(value)
        if number == int(number):
            return int(number)
        if operator in ("=", "<=>", "in"):
            return None
        return math.floor(number) + 0.5


@dataclass(frozen=True)
class Decimals(ColumnType):
    """DECIMAL: so many digits, so many of them behind the point."""

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
        length: the most characters.
        binary: the collation goes by code points.
        padded: the collation does not see spaces at the end.
        trimmed: spaces at the end are not kept.
        long: an index of it needs a length.
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
        """What the collation makes of it."""
        text = as_text(value)
        if self.padded:
            text = text.rstrip(" ")
        return text if self.binary else collate(text)

    def sought(self, value: Value, operator: str) -> object | None:  # noqa: ARG002 - as the others
        """Only a text is looked for by a collation."""
        if not isinstance(value, str | bytes):
            raise UnusableError
        return self.order(value)

    def stored(self, value: Value) -> int | None:
        """The text's own bytes; CHAR keeps room for as many characters as are declared."""
        return None if value is None else max(len(as_text(value).encode()), self.length if self.trimmed else 0)

    @property
    def zero(self) -> Value:
        """The empty text."""
        return ""


@dataclass(frozen=True)
class Binary(ColumnType):
    """BINARY, VARBINARY, BLOB: bytes, at most so many.

    Attributes:
        long: an index of it needs a length.
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
        """Only bytes are looked for among bytes."""
        if not isinstance(value, str | bytes):
            raise UnusableError
        return super().sought(value, operator)

    def stored(self, value: Value) -> int | None:
        """So many as there are."""
        return len(value) if isinstance(value, bytes) else None

    @property
    def zero(self) -> Value:
        """No bytes."""
        return b""


@dataclass(frozen=True)
class Moment(ColumnType):
    """DATE, DATETIME and TIMESTAMP, in UTC.

    Attributes:
        digits: of the fraction of a second; None for a DATE.
    """

    digits: int | None

    def store(self, value: Value) -> Value:
        """The moment, rounded."""
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
        """The beginning of the epoch, for want of MySQL's ``0000-00-00``, which Python has not."""
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
        """A number is looked for as that; a text is a member or none, since the order is not that of texts."""
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
