"""Dumped fields as SQL literals, by the types of their columns: the bytes that InnoDB stores, read again.

Sources: MySQL's decimal.cc (DECIMAL), my_time.cc (times), json_binary.h (JSON); InnoDB's data0type.h.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chatsim.db.deadlock_report.records import Field
from chatsim.innodb.storage.column_types.base import ColumnType
from chatsim.innodb.storage.column_types.documents import Json
from chatsim.innodb.storage.column_types.members import Enumeration, MemberSet
from chatsim.innodb.storage.column_types.moments import Moment, TimeOfDay
from chatsim.innodb.storage.column_types.numbers import Bits, Decimals, Doubles, Integer, Year
from chatsim.innodb.storage.column_types.texts import Binary, Text

__all__ = ["literal", "unread"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GROUP_DIGITS, _GROUP_BYTES = 9, 4
_BYTES_OF_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4)
"""A DECIMAL stores nine digits in four bytes, and fewer in as many bytes as they need."""


def literal(kind: ColumnType, found: Field) -> str | None:
    """A dumped field as an SQL literal; None if it can't be read (`unread` says why)."""
    if found is None:
        return "NULL"
    length, stored = found
    if length != len(stored):
        return None
    read = _READERS.get(type(kind))
    try:
        return None if read is None else read(kind, stored)
    except (IndexError, ValueError, struct.error, RecursionError):  # the bytes are of another type, or damaged
        return None


def unread(kind: ColumnType, found: Field) -> str:
    """Why a dumped field can't be read, in a few words."""
    if found is not None and found[0] != len(found[1]):
        return f"the report has {len(found[1])} of its {found[0]} bytes"
    return "its bytes are of no value of this type" if type(kind) in _READERS else "its type is not read"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _integer(kind: Integer, stored: bytes) -> str | None:
    if len(stored) != kind.size:
        return None
    return str(int.from_bytes(stored) - (1 << (8 * len(stored) - 1) if kind.low < 0 else 0))


def _text(kind: Text, stored: bytes) -> str:
    text = stored.decode("latin-1" if kind.collation.charset == "latin1" else "utf-8")
    return _quoted(text.rstrip(" ") if kind.trimmed else text)


def _binary(_: Binary, stored: bytes) -> str:
    return f"X'{stored.hex()}'"


def _decimal(kind: Decimals, stored: bytes) -> str | None:
    """The digits in front of the point, and behind it; all bits of a negative number are inverted but the first one."""
    whole, scale = kind.digits - kind.scale, kind.scale
    sizes = [whole % _GROUP_DIGITS, *[_GROUP_DIGITS] * (whole // _GROUP_DIGITS)]
    behind = [*[_GROUP_DIGITS] * (scale // _GROUP_DIGITS), scale % _GROUP_DIGITS]
    negative = not stored[0] & 0x80
    left = bytes((stored[0] ^ 0x80, *stored[1:]))
    if negative:
        left = bytes(each ^ 0xFF for each in left)
    digits = ""
    for size in (*sizes, *behind):
        count = _GROUP_BYTES if size == _GROUP_DIGITS else _BYTES_OF_DIGITS[size]
        group, left = left[:count], left[count:]
        text = f"{int.from_bytes(group):0{size}d}" if size else ""
        if len(group) != count or len(text) != size:
            return None
        digits += text
    if left:
        return None
    number = digits[:whole].lstrip("0") or "0"
    return f"{'-' if negative else ''}{number}{f'.{digits[whole:]}' if scale else ''}"


def _float(kind: Doubles, stored: bytes) -> str | None:
    """The bytes of the machine, the lowest first. A FLOAT is as short as what is rounded to it again."""
    number = struct.unpack("<f" if kind.size == Doubles.SINGLE else "<d", stored)[0]
    if number - number:  # infinity, or no number
        return None
    return f"{number:.9g}" if kind.size == Doubles.SINGLE else repr(number)


def _year(_: Year, stored: bytes) -> str:
    (number,) = stored
    return str(number + 1900) if number else "0"


def _bits(kind: Bits, stored: bytes) -> str:
    return f"b'{int.from_bytes(stored):0{kind.bits}b}'"


def _member(kind: Enumeration, stored: bytes) -> str | None:
    """The number of the member, from 1."""
    number = int.from_bytes(stored)
    return _quoted(kind.members[number - 1]) if number else None


def _members(kind: MemberSet, stored: bytes) -> str | None:
    """A bit for each member, the lowest for the first one."""
    bits = int.from_bytes(stored)
    chosen = [each for at, each in enumerate(kind.members) if bits >> at & 1]
    return _quoted(",".join(chosen)) if bits < 1 << len(kind.members) else None


def _moment(kind: Moment, stored: bytes) -> str | None:
    """DATE (3 bytes); TIMESTAMP (4) and DATETIME (5), and behind them the fraction of a second."""
    if kind.digits is None:
        number = int.from_bytes(stored) - (1 << 23)
        return f"'{number >> 9:04d}-{number >> 5 & 15:02d}-{number & 31:02d}'" if len(stored) == 3 else None
    size = len(stored) - _fraction_bytes(kind.digits)
    number, fraction = int.from_bytes(stored[:size]), _fraction(int.from_bytes(stored[size:]), kind.digits)
    if size == 4:
        return f"'{_EPOCH + timedelta(seconds=number):%Y-%m-%d %H:%M:%S}{fraction}'"
    if size == 5:
        number -= 1 << 39
        months, days = number >> 22, number >> 17 & 31
        return f"'{months // 13:04d}-{months % 13:02d}-{days:02d} {_clock(number)}{fraction}'"
    return None


def _time_of_day(kind: TimeOfDay, stored: bytes) -> str | None:
    """The time with its fraction, above the lowest one."""
    behind = _fraction_bytes(kind.digits)
    number = int.from_bytes(stored) - (1 << (23 + 8 * behind))
    whole = abs(number) >> 8 * behind
    fraction = _fraction(abs(number) & ((1 << 8 * behind) - 1), kind.digits)
    text = f"'{'-' if number < 0 else ''}{whole >> 12 & 1023:02d}:{whole >> 6 & 63:02d}:{whole & 63:02d}{fraction}'"
    return text if len(stored) == 3 + behind else None


def _clock(number: int) -> str:
    return f"{number >> 12 & 31:02d}:{number >> 6 & 63:02d}:{number & 63:02d}"


def _fraction_bytes(digits: int) -> int:
    return (digits + 1) // 2


def _fraction(number: int, digits: int) -> str:
    """Two digits for each byte; of an odd number of digits the last one is 0."""
    return f".{number:0{2 * _fraction_bytes(digits)}d}"[: digits + 1] if digits else ""


def _json(_: Json, stored: bytes) -> str:
    if not stored:
        raise ValueError("a JSON document has at least its type")
    return _quoted(json.dumps(_JsonReader(stored).value(stored[0], 1), ensure_ascii=False))


class _JsonReader:
    """Reads MySQL's binary form of a JSON document: all numbers have their lowest byte first."""

    _NUMBERS: Mapping[int, str] = {5: "<h", 6: "<H", 7: "<i", 8: "<I", 9: "<q", 10: "<Q", 11: "<d"}
    _CONSTANTS = (None, True, False)

    def __init__(self, stored: bytes) -> None:
        self._stored = stored

    def value(self, kind: int, at: int) -> Any:
        if kind in (0, 1, 2, 3):
            return self._container(at, large=bool(kind & 1), is_array=kind >= 2)
        if kind == 4:
            return self._CONSTANTS[self._stored[at]]
        if kind in self._NUMBERS:
            return self._number(self._NUMBERS[kind], at)
        if kind == 12:
            return self._text(at)
        raise ValueError(f"JSON of type {kind} is not read")

    def _number(self, form: str, at: int) -> Any:
        return struct.unpack_from(form, self._stored, at)[0]

    def _text(self, at: int) -> str:
        """A length, seven bits in each byte, and the text."""
        length = shift = 0
        while True:
            byte = self._stored[at]
            at, length, shift = at + 1, length | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        return self._slice(at, length)

    def _slice(self, at: int, length: int) -> str:
        found = self._stored[at : at + length]
        if len(found) != length:
            raise ValueError("the document is cut")
        return found.decode()

    def _container(self, start: int, *, large: bool, is_array: bool) -> Any:
        """The number of its parts and its size; where the keys are; the types of the values, with where they are."""
        form, width = ("<I", 4) if large else ("<H", 2)
        count = self._number(form, start)
        keys = start + 2 * width
        values = keys if is_array else keys + count * (width + 2)
        found = []
        for number in range(count):
            at = values + number * (width + 1)
            kind, place = self._stored[at], at + 1
            inline = kind in (4, 5, 6) or (large and kind in (7, 8))
            found.append(self.value(kind, place if inline else start + self._number(form, place)))
        if is_array:
            return found
        names = []
        for number in range(count):
            at = keys + number * (width + 2)
            names.append(self._slice(start + self._number(form, at), self._number("<H", at + width)))
        return dict(zip(names, found, strict=True))


_READERS: Mapping[type, Callable[[Any, bytes], str | None]] = {
    Integer: _integer,
    Text: _text,
    Binary: _binary,
    Decimals: _decimal,
    Doubles: _float,
    Year: _year,
    Bits: _bits,
    Enumeration: _member,
    MemberSet: _members,
    Moment: _moment,
    TimeOfDay: _time_of_day,
    Json: _json,
}
