"""Dates and times: manual, "Date and Time Data Types"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import cast

from chatsim.innodb.storage.column_types.base import (
    DEPRECATED_DELIMITER,
    OUT_OF_RANGE,
    TRUNCATED,
    BadValueError,
    ColumnType,
    UnusableError,
)
from chatsim.innodb.storage.moments import DATE, ZERO, OutOfCalendarError, as_duration, digits, parsed_moment
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["Moment", "TimeOfDay"]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a column has no time zone
_FIRST, _LAST = datetime(1970, 1, 1, 0, 0, 1), datetime(2038, 1, 19, 3, 14, 7, 499_999)  # noqa: DTZ001
"""The first and the last TIMESTAMP."""

_TIMESTAMP = 4
"""The bytes of a TIMESTAMP without a fraction; a DATETIME has five, a DATE three."""


def _rounded(micro: int, digits: int) -> int:
    """Microseconds, rounded to some digits of a second."""
    unit = int(10 ** (6 - digits))
    return (micro + unit // 2) // unit * unit


def _fraction(micro: int, digits: int) -> bytes:
    """A fraction of a second as InnoDB stores it: two digits in a byte."""
    size = (digits + 1) // 2
    return (micro // 100 ** (3 - size)).to_bytes(size) if size else b""


@dataclass(frozen=True)
class Moment(ColumnType):
    """DATE, DATETIME and TIMESTAMP, in UTC.

    Attributes:
        digits: the digits of the fraction of a second; None for a DATE.
    """

    digits: int | None

    def store(self, value: Value) -> Value:
        """The time, rounded."""
        if isinstance(value, datetime):
            return self._in_range(value, value)
        if isinstance(value, date):
            return self._in_range(datetime(value.year, value.month, value.day), value)  # noqa: DTZ001
        text = as_text(value)
        try:
            moment, rest, mark = parsed_moment(text if isinstance(value, str | bytes) else digits(as_number(value)))
        except ValueError as error:
            warns = OUT_OF_RANGE if isinstance(value, str) and isinstance(error, OutOfCalendarError) else TRUNCATED
            raise self._incorrect(text, self.zero, warns) from None
        if moment == ZERO:
            raise self._incorrect(text, self.zero, OUT_OF_RANGE)
        stored = self._in_range(moment, value)
        if rest:
            raise self._incorrect(text, stored, TRUNCATED)
        if mark not in ("", "-"):
            reason = f"Delimiter '{mark}' in position 4 in datetime value '{text}'"
            raise BadValueError(DEPRECATED_DELIMITER, reason, stored, harmless=True)
        if self.digits is None and moment.time() != time.min:
            raise self._incorrect(text, stored, TRUNCATED, harmless=True)
        return stored

    def _in_range(self, moment: datetime, given: Value) -> date:
        """A time as the column stores it."""
        if self.digits is None:
            return moment.date()
        stored = moment.replace(microsecond=0) + timedelta(microseconds=_rounded(moment.microsecond, self.digits))
        if self.size == _TIMESTAMP and not _FIRST <= stored <= _LAST:
            raise self._incorrect(as_text(given), self.zero, OUT_OF_RANGE)
        return stored

    def _incorrect(self, text: str, kept: Value, warns: int, *, harmless: bool = False) -> BadValueError:
        kind = "date" if self.digits is None else "datetime"
        return BadValueError(1292, f"Incorrect {kind} value: '{text}'", kept, warns=warns, harmless=harmless)

    def sought(self, value: Value, operator: str) -> object | None:
        """The time. With a time of day, a DATE is searched for from the next day on, or up to the day."""
        try:
            return super().sought(value, operator)
        except UnusableError as unusable:
            error = unusable.__cause__
            if not isinstance(error, BadValueError) or not error.harmless:
                raise
        if error.errno == DEPRECATED_DELIMITER:
            return error.kept
        day = cast("date", error.kept)
        return day + timedelta(days=1) if operator in (">=", "<") else day

    def order(self, value: Value) -> object:
        """The time; the zero date is before all others."""
        if isinstance(value, str):
            return ZERO.date() if self.digits is None else ZERO
        return value

    def stored_bytes(self, moment: datetime) -> bytes:
        """A DATETIME as InnoDB stores it: its parts in five bytes, and the fraction."""
        day = (moment.year * 13 + moment.month) << 5 | moment.day
        packed = 1 << 39 | day << 17 | moment.hour << 12 | moment.minute << 6 | moment.second
        return packed.to_bytes(5) + _fraction(moment.microsecond, self.digits or 0)

    def shown(self, value: Value) -> str:
        """A DATE as the number that it is packed into; others as bytes."""
        if self.digits is None:
            day = cast("date", value)
            return "0" if isinstance(value, str) else str(day.year << 9 | day.month << 5 | day.day)
        if isinstance(value, str):
            return f"0x{'80' if self.size != _TIMESTAMP else '00'}{bytes(self.key_size - 1).hex()}"
        moment = cast("datetime", value)
        data = self.stored_bytes(moment)
        if self.size == _TIMESTAMP:
            seconds = int((moment.replace(microsecond=0) - _EPOCH).total_seconds())
            data = seconds.to_bytes(4) + _fraction(moment.microsecond, self.digits)
        return f"0x{data.hex().upper()}"

    @property
    def key_size(self) -> int:
        """Its bytes, with those of the fraction."""
        return self.size + ((self.digits or 0) + 1) // 2

    @property
    def zero(self) -> Value:
        """``0000-00-00``."""
        return "0000-00-00" if self.digits is None else "0000-00-00 00:00:00"


@dataclass(frozen=True)
class TimeOfDay(ColumnType):
    """TIME: a time of day, or a length of time up to 838:59:59.

    Attributes:
        digits: the digits of the fraction of a second.
    """

    digits: int

    def store(self, value: Value) -> Value:
        """The time, rounded."""
        text = as_text(value)
        reason = f"Incorrect time value: '{text}'"
        try:
            length, rest = as_duration(value if isinstance(value, date | timedelta) else text)
        except OverflowError:
            longest = timedelta(hours=838, minutes=59, seconds=59)
            kept = -longest if text.startswith("-") else longest
            raise BadValueError(1292, reason, kept, warns=OUT_OF_RANGE) from None
        except ValueError as error:
            warns = OUT_OF_RANGE if isinstance(error, OutOfCalendarError) else TRUNCATED
            raise BadValueError(1292, reason, timedelta(), warns=warns) from None
        sign = -1 if length < timedelta() else 1
        micro = abs(length) // timedelta(microseconds=1)
        stored = timedelta(microseconds=sign * _rounded(micro, self.digits))
        if rest:
            raise BadValueError(1292, reason, stored, warns=TRUNCATED, harmless=rest == DATE)
        return stored

    def shown(self, value: Value) -> str:
        """The bytes: its parts in three bytes, and the fraction; of a negative time the complement."""
        length = cast("timedelta", value)
        seconds, micro = divmod(abs(length) // timedelta(microseconds=1), 10**6)
        minutes, second = divmod(seconds, 60)
        size = (self.digits + 1) // 2
        packed = ((minutes // 60) << 12 | (minutes % 60) << 6 | second) << 8 * size
        packed |= int.from_bytes(_fraction(micro, self.digits))
        half = 1 << 8 * (3 + size) - 1
        return f"0x{(half - packed if length < timedelta() else half + packed):0{2 * (3 + size)}X}"

    @property
    def key_size(self) -> int:
        """Its bytes, with those of the fraction."""
        return self.size + (self.digits + 1) // 2

    @property
    def zero(self) -> Value:
        """``00:00:00``."""
        return timedelta()
