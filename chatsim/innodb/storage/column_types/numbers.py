"""Numbers: manual, "Numeric Data Types"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from chatsim.innodb.storage.column_types.base import BadValueError, ColumnType
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["Decimals", "Doubles", "Integer"]


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
