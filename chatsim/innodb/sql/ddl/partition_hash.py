"""PARTITION BY [LINEAR] HASH and KEY: which of some partitions a value is in, as the server computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.column_types import Binary, ColumnType, Integer, Moment, Text
from chatsim.innodb.storage.values import Value

__all__ = ["key_hash", "linear_number"]


def linear_number(count: int) -> Callable[[int], int]:
    """The partition of a hash with LINEAR, among some number of them."""
    mask = (1 << (count - 1).bit_length()) - 1
    return lambda number: found if (found := number & mask) < count else number & (mask >> 1)


def key_hash(kinds: Sequence[ColumnType]) -> Callable[[Sequence[Value]], int]:
    """The hash of values of columns of some types. Raises `NotImplementedError` for types that it does not know."""
    for kind in kinds:
        fixed = isinstance(kind, Integer | Moment | Binary)
        if not fixed and not (isinstance(kind, Text) and kind.collation.binary):
            raise unsupported(f"PARTITION BY KEY of a column of type {type(kind).__name__} with its collation")

    def hashed(values: Sequence[Value]) -> int:
        first, second = 1, 4
        for kind, value in zip(kinds, values, strict=True):
            if value is None:
                first = (first ^ (first << 1 | 1)) & _MASK
                continue
            for byte in _bytes(kind, value):
                first ^= ((((first & 63) + second) * byte) + (first << 8)) & _MASK
                second = (second + 3) & _MASK
        return first & 0xFFFFFFFF

    return hashed


_MASK = (1 << 64) - 1


_ACCENTED = b"AAAA\\[\\CEEEEIIIIDNOOOO]\xd7\xd8UUUYY\xde"
_LATIN1 = bytes.maketrans(
    bytes(range(97, 123)) + bytes(range(192, 223)) + bytes(range(224, 255)),
    bytes(range(65, 91)) + _ACCENTED + _ACCENTED.replace(b"\xd7", b"\xf7"),
)
"""The order of latin1_swedish_ci, which the server has for the bytes of numbers and times."""


def _sorted(data: bytes) -> bytes:
    """The bytes of a number or a time as texts in latin1 are sorted: without spaces at the end."""
    return data.rstrip(b" ").translate(_LATIN1)


def _bytes(kind: ColumnType, value: Value) -> bytes:
    """A value as it is in the server's row buffer."""
    match kind, value:
        case Integer(), int():
            return _sorted((value % (1 << 8 * kind.size)).to_bytes(kind.size, "little"))
        case Moment(digits=None), date():
            return _sorted((value.year << 9 | value.month << 5 | value.day).to_bytes(3, "little"))
        case Moment(), datetime():
            return _sorted(bytes.fromhex(kind.shown(value)[2:]))
        case Text(), str():
            return (value.rstrip(" ") if kind.collation.padded else value).encode()
        case Binary(), bytes():
            return value
    raise unsupported(f"PARTITION BY KEY of {value!r}")
