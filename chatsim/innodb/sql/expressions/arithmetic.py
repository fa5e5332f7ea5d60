"""Arithmetic on exact and approximate numbers: manual, "Arithmetic Operators" and "Precision Math"."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlglot import exp

from chatsim.innodb.storage.values import Value, as_number

__all__ = ["ARITHMETIC", "alike", "divide", "to_integer"]


def alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Two numbers, converted to types with which Python can calculate."""
    if isinstance(a, float) or isinstance(b, float):
        return float(a), float(b)
    return a, b


def _divide(a: Any, b: Any) -> Any:
    if not b:
        return None
    if isinstance(a, float):
        return a / b
    return divide(Decimal(a), Decimal(b))


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A quotient with four more decimals than the dividend. A half is rounded away from 0."""
    exponent = dividend.as_tuple().exponent
    assert isinstance(exponent, int)
    return (dividend / divisor).quantize(Decimal(1).scaleb(min(exponent, 0) - 4), ROUND_HALF_UP)


def to_integer(value: Value) -> int:
    """The nearest integer. A half is rounded to even for a double, and away from 0 otherwise. A text is truncated."""
    number = as_number(value)
    if isinstance(value, str | bytes):
        return int(number)
    return round(number) if isinstance(number, float) else int(Decimal(number).to_integral_value(ROUND_HALF_UP))


ARITHMETIC: Mapping[type[exp.Expr], Callable[[Any, Any], Value]] = {
    exp.Add: operator.add,
    exp.Sub: operator.sub,
    exp.Mul: operator.mul,
    exp.Div: _divide,
    exp.IntDiv: lambda a, b: None if not b else int(a / b) if isinstance(a, float) else int(Decimal(a) // Decimal(b)),
    exp.Mod: lambda a, b: None if not b else a - b * int(Decimal(a) / Decimal(b)),
}
"""The function of each operator, for two numbers of the same type."""
