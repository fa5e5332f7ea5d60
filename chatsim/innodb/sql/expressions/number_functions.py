"""Functions of numbers: manual, "Mathematical Functions", "Bit Functions", and functions that give new values."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import TypeAlias

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.environment import Env
from chatsim.innodb.sql.expressions.native import native
from chatsim.innodb.storage.values import Value, as_text, integer_at_start

__all__ = ["random_series"]

Number: TypeAlias = int | float | Decimal

_PERIOD = 0x3FFFFFFF
"""The modulus of RAND()'s generator (``my_rnd``)."""


@native("ROUND", signature="n|i", result="number")
def _round(_: Env, number: Number, decimals: int = 0) -> Value:
    return _at_decimals(number, decimals, ROUND_HALF_UP)


@native("TRUNCATE", signature="ni", result="number")
def _truncate(_: Env, number: Number, decimals: int) -> Value:
    return _at_decimals(number, decimals, ROUND_DOWN)


def _at_decimals(number: Number, decimals: int, rounding: str) -> Number:
    if isinstance(number, float):
        scale = 10.0**decimals
        scaled = number * scale
        if math.isinf(scaled):
            return number
        whole = math.trunc(scaled) if rounding == ROUND_DOWN else round(scaled)
        return whole / scale if decimals >= 0 else float(whole * 10**-decimals)
    exact = Decimal(number)
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int)
    kept = min(decimals, -exponent)
    rounded = exact.quantize(Decimal(1).scaleb(-kept), rounding)
    return int(rounded) if kept <= 0 else rounded


@native("FLOOR", signature="n", result="integer")
def _floor(_: Env, number: Number) -> Value:
    return float(math.floor(number)) if isinstance(number, float) else int(Decimal(number).to_integral(ROUND_FLOOR))


@native("CEIL", "CEILING", signature="n", result="integer")
def _ceiling(_: Env, number: Number) -> Value:
    return float(math.ceil(number)) if isinstance(number, float) else int(Decimal(number).to_integral(ROUND_CEILING))


@native("SIGN", signature="n", result="integer")
def _sign(_: Env, number: Number) -> Value:
    return (number > 0) - (number < 0)


_NO_LOGARITHM = (3020, "Invalid argument for logarithm")


def _real(name: str, function: Callable[[float], float], undefined: tuple[int, str] | None = None) -> None:
    """Enter a function of a real number; where it has no value, it gives NULL."""

    def value(_: Env, number: Number) -> Value:
        try:
            return function(float(number))
        except ValueError:
            return None
        except OverflowError:
            raise database_error(1690, f"DOUBLE value is out of range in '{name.lower()}({number})'") from None

    native(name, signature="n", result="number", undefined=undefined)(value)


for _name, _function in {
    "SQRT": math.sqrt,
    "EXP": math.exp,
    "SIN": math.sin,
    "COS": math.cos,
    "TAN": math.tan,
    "ASIN": math.asin,
    "ACOS": math.acos,
    "DEGREES": math.degrees,
    "RADIANS": math.radians,
}.items():
    _real(_name, _function)
for _name, _function in {"LN": math.log, "LOG2": math.log2, "LOG10": math.log10}.items():
    _real(_name, _function, _NO_LOGARITHM)


@native("COT", signature="n", result="number")
def _cotangent(_: Env, number: Number) -> Value:
    if not number:
        raise database_error(1690, f"DOUBLE value is out of range in 'cot({number})'")
    return 1 / math.tan(number)


@native("POW", "POWER", signature="nn", result="number")
def _power(_: Env, base: Number, exponent: Number) -> Value:
    try:
        return math.pow(base, exponent)
    except (OverflowError, ValueError):
        raise database_error(1690, f"DOUBLE value is out of range in 'pow({base},{exponent})'") from None


@native("LOG", signature="n|n", result="number", undefined=_NO_LOGARITHM)
def _log(_: Env, first: Number, second: Number | None = None) -> Value:
    if first <= 0 or (second is not None and (second <= 0 or first == 1)):
        return None
    return math.log(first) if second is None else math.log(second) / math.log(first)


@native("ATAN", "ATAN2", signature="n|n", result="number")
def _atan(_: Env, y: Number, x: Number | None = None) -> Value:
    return math.atan(y) if x is None else math.atan2(y, x)


@native("PI", signature="", result="number")
def _pi(_: Env) -> Value:
    return math.pi


@native("BIN", signature="t", result="text")
def _bin(_: Env, text: str) -> Value:
    return f"{integer_at_start(text) % 2**64:b}"


@native("OCT", signature="t", result="text")
def _oct(_: Env, text: str) -> Value:
    return f"{integer_at_start(text) % 2**64:o}"


@native("CONV", signature="tii", result="text")
def _conv(_: Env, text: str, of: int, to: int) -> Value:
    if not (2 <= abs(of) <= 36 and 2 <= abs(to) <= 36):
        return None
    digits = text.strip().lower()
    negative, digits = digits.startswith("-"), digits.lstrip("-+")
    number = 0
    for each in digits:
        digit = int(each, 36) if each.isascii() and each.isalnum() else of
        if digit >= abs(of):
            break
        number = number * abs(of) + digit
    number = min(number, 2**64 - 1)
    if negative:
        number = -number if to < 0 else -number % 2**64
    shown, rest = "", abs(number)
    while rest or not shown:
        rest, digit = divmod(rest, abs(to))
        shown = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + shown
    return f"-{shown}" if number < 0 else shown


@native("BIT_COUNT", signature="i", result="integer")
def _bit_count(_: Env, number: int) -> Value:
    return (number % 2**64).bit_count()


@native("INTERVAL", signature="nn*", result="integer", takes_nulls=True)
def _interval(_: Env, number: Number | None, *bounds: Number | None) -> Value:
    if number is None:
        return -1
    return next((at for at, each in enumerate(bounds) if each is not None and number < each), len(bounds))


@native("RAND", signature="|i", result="number")
def _rand(env: Env) -> Value:
    return env.session.random()


def random_series(seed: int) -> Iterator[float]:
    """The numbers of RAND(seed), one for each time that it is asked for (``my_rnd``)."""
    first, second = (seed * 0x10001 + 55555555) % 2**32 % _PERIOD, (seed * 0x10000001) % 2**32 % _PERIOD
    while True:
        first = (first * 3 + second) % _PERIOD
        second = (first + second + 33) % _PERIOD
        yield first / _PERIOD


# -- new values


@native("UUID", signature="", result="text")
def _uuid(env: Env) -> Value:
    first, second = (int(env.session.random() * 2**53) for _ in range(2))
    return str(uuid.UUID(int=(first << 75 | second << 11) % 2**128, version=1))


@native("UUID_SHORT", signature="", result="integer")
def _uuid_short(env: Env) -> Value:
    return int(env.session.random() * 2**53)


@native("UUID_TO_BIN", signature="t|i", result="text")
def _uuid_to_bin(_: Env, text: str, swap: int = 0) -> Value:
    try:
        data = uuid.UUID(text).bytes
    except ValueError:
        raise database_error(1411, f"Incorrect string value: '{text}' for function uuid_to_bin") from None
    return data[6:8] + data[4:6] + data[:4] + data[8:] if swap else data


@native("BIN_TO_UUID", signature="v|i", result="text")
def _bin_to_uuid(_: Env, value: Value, swap: int = 0) -> Value:
    data = value if isinstance(value, bytes) else as_text(value).encode()
    if len(data) != 16:
        raise database_error(1411, f"Incorrect string value: '{as_text(value)}' for function bin_to_uuid")
    return str(uuid.UUID(bytes=data[4:8] + data[2:4] + data[:2] + data[8:] if swap else data))


@native("IS_UUID", signature="t", result="integer")
def _is_uuid(_: Env, text: str) -> Value:
    try:
        uuid.UUID(text)
    except ValueError:
        return 0
    return 1
