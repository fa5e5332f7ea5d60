"""Numbers: manual, "Numeric Data Types"."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import ClassVar, cast

from chatsim.innodb.storage.column_types.base import TRUNCATED, BadValueError, ColumnType
from chatsim.innodb.storage.values import Single, Value, as_number, as_text, number_at_start

__all__ = ["Bits", "Decimals", "Doubles", "Integer", "Year"]

_OUT_OF_RANGE = "Out of range value"
_FIRST_YEAR, _LAST_YEAR = 1901, 2155
_CENTURY, _TURN = 100, 70  # years of two digits from 70 on are in the last century


def _parsed(value: Value) -> int | float | Decimal | None:
    """A value as a number; None if it is not a number."""
    if isinstance(value, str):
        try:
            return Decimal(value.strip())
        except InvalidOperation:
            return None
    if isinstance(value, bytes):
        return int.from_bytes(value)  # a hexadecimal or bit literal, or a column of bits
    return as_number(value)


@dataclass(frozen=True)
class Integer(ColumnType):
    """TINYINT to BIGINT, between two bounds."""

    low: int
    high: int

    def store(self, value: Value) -> Value:
        """The nearest integer."""
        if type(value) is not int:
            value = self._rounded(value)
        if not self.low <= value <= self.high:
            raise BadValueError(1264, _OUT_OF_RANGE, min(max(value, self.low), self.high))
        return value

    def _rounded(self, value: Value) -> int:
        number = _parsed(value)
        if number is None or not math.isfinite(number):
            text = as_text(value)
            beginning = number_at_start(text)
            if beginning is None:
                raise BadValueError(1366, f"Incorrect integer value: '{text}'", 0)
            kept = int(Decimal(beginning).to_integral_value(ROUND_HALF_UP))
            raise BadValueError(1265, "Data truncated", min(max(kept, self.low), self.high))
        if isinstance(number, float):
            return round(number)
        return int(Decimal(number).to_integral_value(ROUND_HALF_UP))

    def sought(self, value: Value, operator: str) -> object | None:
        """The number. A fraction is rounded so that the comparison has the same result."""
        number = _parsed(value) if isinstance(value, bytes) else as_number(value)
        assert number is not None
        if number == int(number):
            return int(number)
        if operator in ("=", "<=>", "in"):
            return None
        return math.floor(number) + 0.5


_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4)
"""The bytes for the digits of a DECIMAL beyond its groups of nine."""


@dataclass(frozen=True)
class Decimals(ColumnType):
    """DECIMAL, with a number of digits and a number of decimals.

    Attributes:
        digits: the number of digits.
        scale: how many of them are decimals.
        signed: whether it may be negative.
    """

    digits: int
    scale: int
    signed: bool = True

    def store(self, value: Value) -> Value:
        """The nearest decimal of that scale."""
        number = _parsed(value)
        if number is None or not math.isfinite(number):
            text = as_text(value)
            beginning = number_at_start(text)
            kept = self._quantized(Decimal(str(beginning or 0)))
            warns = None if beginning is None else TRUNCATED
            raise BadValueError(1366, f"Incorrect decimal value: '{text}'", kept, warns=warns)
        exact = Decimal(str(number))
        rounded = self._quantized(exact)
        most = Decimal(10) ** (self.digits - self.scale)
        if abs(rounded) >= most or (rounded < 0 and not self.signed):
            edge = (most - Decimal(1).scaleb(-self.scale)).copy_sign(rounded)
            raise BadValueError(1264, _OUT_OF_RANGE, edge if self.signed or edge > 0 else self.zero)
        if rounded != exact and type(value) is not int:
            raise BadValueError(1265, "Data truncated", rounded, harmless=True)
        return rounded

    def _quantized(self, number: Decimal) -> Decimal:
        return number.quantize(Decimal(1).scaleb(-self.scale), ROUND_HALF_UP)

    def sought(self, value: Value, operator: str) -> object | None:
        """The number itself: it is compared exactly. No decimal of the column equals one with more digits."""
        number = _parsed(value)
        if number is None:
            return super().sought(value, operator)
        if operator in ("=", "<=>", "in") and not isinstance(number, float):
            return number if self._quantized(Decimal(number)) == number else None
        return number

    def shown(self, value: Value) -> str:
        """The bytes, in groups of nine digits, with the sign in the first bit."""
        number = cast("Decimal", value)
        whole, _, fraction = f"{abs(number):.{self.scale}f}".partition(".")
        whole = whole.zfill(self.digits - self.scale)[-(self.digits - self.scale) :] if self.digits > self.scale else ""
        first = len(whole) % 9
        groups = [whole[:first], *(whole[at : at + 9] for at in range(first, len(whole), 9))]
        groups += [fraction[at : at + 9] for at in range(0, len(fraction), 9)]
        data = b"".join(int(each).to_bytes(4 if len(each) == 9 else _DIGITS[len(each)]) for each in groups if each)
        if number < 0:
            data = bytes(each ^ 0xFF for each in data)
        return f"0x{bytes([data[0] ^ 0x80, *data[1:]]).hex().upper()}"

    @property
    def key_size(self) -> int:
        """Four bytes for each nine digits, and fewer for the rest."""
        return sum(count // 9 * 4 + _DIGITS[count % 9] for count in (self.digits - self.scale, self.scale))

    @property
    def zero(self) -> Value:
        """0, at its scale."""
        return Decimal(0).quantize(Decimal(1).scaleb(-self.scale))


@dataclass(frozen=True)
class Doubles(ColumnType):
    """FLOAT, of four bytes, and DOUBLE.

    Attributes:
        digits: the number of digits and the number of decimals, if it is declared with them.
        signed: whether it may be negative.
    """

    SINGLE: ClassVar[int] = 4
    """The bytes of a FLOAT."""

    digits: tuple[int, int] | None = None
    signed: bool = True

    def store(self, value: Value) -> Value:
        """The nearest double, or the nearest float."""
        number = _parsed(value)
        name = "FLOAT" if self._single else "DOUBLE"
        if number is None:
            text = as_text(value)
            kept = self._nearest(float(number_at_start(text) or 0.0))
            raise BadValueError(1366, f"Incorrect {name} value: '{text}'", kept)
        found = float(number)
        most = _MOST_SINGLE if self._single else _MOST
        if self.digits is not None:
            found = float(Decimal(repr(found)).quantize(Decimal(1).scaleb(-self.digits[1]), ROUND_HALF_UP))
            most = float(10 ** (self.digits[0] - self.digits[1])) - 10.0 ** -self.digits[1]
        if abs(found) > most or (found < 0 and not self.signed):
            kept = math.copysign(most, found) if self.signed or found > 0 else 0.0
            raise BadValueError(1264, _OUT_OF_RANGE, self._nearest(kept))
        return self._nearest(found)

    def sought(self, value: Value, operator: str) -> object | None:
        """The nearest value of the column: rows that have it are compared with the number itself, as a double."""
        number = _parsed(value)
        return self._nearest(float(number)) if number is not None else super().sought(value, operator)

    @property
    def checked_again(self) -> bool:
        """A FLOAT is compared as a DOUBLE."""
        return self._single

    @property
    def _single(self) -> bool:
        return self.size == self.SINGLE

    def _nearest(self, number: float) -> float:
        return Single(struct.unpack("<f", struct.pack("<f", number))[0]) if self._single else number

    def shown(self, value: Value) -> str:
        """The bytes, the lowest first."""
        return f"0x{struct.pack('<f' if self._single else '<d', value).hex().upper()}"

    @property
    def zero(self) -> Value:
        """0."""
        return self._nearest(0.0)


_MOST = 1.7976931348623157e308
_MOST_SINGLE = 3.4028234663852886e38


@dataclass(frozen=True)
class Year(ColumnType):
    """YEAR: 1901 to 2155, and 0."""

    def store(self, value: Value) -> Value:
        """The year. Two digits mean 1970 to 2069; the number 0 is the year 0."""
        number = _parsed(value)
        if number is None:
            beginning = number_at_start(as_text(value))
            if beginning is None:
                raise BadValueError(1366, f"Incorrect integer value: '{as_text(value)}'", 0)
            raise BadValueError(1265, "Data truncated", self.store(beginning))
        year = int(Decimal(number).to_integral_value(ROUND_HALF_UP))
        if 0 < year < _CENTURY or (year == 0 and isinstance(value, str) and value.strip() != "0000"):
            year += 1900 if year >= _TURN else 2000
        if year and not _FIRST_YEAR <= year <= _LAST_YEAR:
            raise BadValueError(1264, _OUT_OF_RANGE, 0)
        return year

    def shown(self, value: Value) -> str:
        """The byte that is stored: years since 1900."""
        return str(cast("int", value) - 1900 if value else 0)


@dataclass(frozen=True)
class Bits(ColumnType):
    """BIT: a number of bits, kept as bytes. To a number it is a number."""

    numbered: ClassVar[bool] = True

    bits: int

    def store(self, value: Value) -> Value:
        """The bits, in as few bytes as they need. A text is its bytes."""
        if isinstance(value, str | bytes):
            number = int.from_bytes(value if isinstance(value, bytes) else value.encode())
        else:
            number = round(as_number(value))
        if not 0 <= number < 1 << self.bits:
            raise BadValueError(1406, "Data too long", ((1 << self.bits) - 1).to_bytes(self.size))
        return number.to_bytes(self.size)

    def sought(self, value: Value, operator: str) -> object | None:
        """The bits of a number."""
        if isinstance(value, str):
            value = as_number(value)
        return super().sought(value, operator)

    def number(self, value: Value) -> int | float | Decimal:
        """The number that the bits are."""
        return int.from_bytes(value) if isinstance(value, bytes) else as_number(value)

    def shown(self, value: Value) -> str:
        """The bytes."""
        return f"0x{cast('bytes', value).hex().upper()}"

    @property
    def zero(self) -> Value:
        """No bit is set."""
        return bytes(self.size)
