"""The types of columns in declarations: manual, "Data Types"."""

from __future__ import annotations

from sqlglot import exp

from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.column_types import (
    Binary,
    ColumnType,
    Decimals,
    Doubles,
    Enumeration,
    Integer,
    Moment,
    Text,
)

__all__ = ["column_type"]

_D = exp.DataType.Type

_INTEGERS = {
    _D.TINYINT: (1, True),
    _D.UTINYINT: (1, False),
    _D.SMALLINT: (2, True),
    _D.USMALLINT: (2, False),
    _D.MEDIUMINT: (3, True),
    _D.UMEDIUMINT: (3, False),
    _D.INT: (4, True),
    _D.UINT: (4, False),
    _D.BIGINT: (8, True),
    _D.UBIGINT: (8, False),
    _D.BOOLEAN: (1, True),
}

_LENGTHS = {
    _D.TINYTEXT: 255,
    _D.TEXT: 65_535,
    _D.MEDIUMTEXT: 16_777_215,
    _D.LONGTEXT: 4_294_967_295,
    _D.TINYBLOB: 255,
    _D.BLOB: 65_535,
    _D.MEDIUMBLOB: 16_777_215,
    _D.LONGBLOB: 4_294_967_295,
}

_TEXTS = {_D.CHAR, _D.VARCHAR, _D.TINYTEXT, _D.TEXT, _D.MEDIUMTEXT, _D.LONGTEXT}

_BINARIES = {_D.BINARY, _D.VARBINARY, _D.TINYBLOB, _D.BLOB, _D.MEDIUMBLOB, _D.LONGBLOB}

_MOMENTS = {_D.DATE: 3, _D.DATETIME: 5, _D.TIMESTAMP: 4, _D.TIMESTAMPTZ: 4}

_TYPICAL_TEXT = 30  # bytes of a text whose declaration allows many


def column_type(kind: exp.DataType, collation: str) -> ColumnType:
    """The column type of a declaration. Raises `NotImplementedError` if the model does not have it."""
    wanted = kind.this
    numbers = [int(each.this.name) for each in kind.expressions if isinstance(each, exp.DataTypeParam)]
    length = _LENGTHS.get(wanted) or (numbers or [1])[0]
    made: ColumnType | None = None
    if wanted in _INTEGERS:
        size, signed = _INTEGERS[wanted]
        made = Integer(size, -(1 << 8 * size - 1) if signed else 0, (1 << 8 * size - signed) - 1)
    elif wanted in _TEXTS:
        binary, padded = collation.endswith("_bin"), "_0900_" not in collation
        made = Text(min(length, _TYPICAL_TEXT), length, binary, padded, wanted == _D.CHAR, wanted in _LENGTHS)
    elif wanted in _BINARIES:
        made = Binary(min(length, _TYPICAL_TEXT), length, wanted in _LENGTHS)
    elif wanted in _MOMENTS:
        made = Moment(_MOMENTS[wanted], None if wanted == _D.DATE else (numbers or [0])[0])
    elif wanted == _D.DECIMAL:
        digits, scale = [*numbers, *(10, 0)[len(numbers) :]][:2]
        made = Decimals(digits // 2 + 1, digits, scale)
    elif wanted in (_D.FLOAT, _D.DOUBLE):
        made = Doubles(8)
    elif wanted == _D.ENUM:
        made = Enumeration(1, tuple(each.name for each in kind.expressions))
    if made is None:
        raise unsupported(kind)
    return made
