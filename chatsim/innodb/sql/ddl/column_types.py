"""The types of columns in declarations: manual, "Data Types"."""

from __future__ import annotations

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.syntax import TypeSyntax
from chatsim.innodb.storage.collations import Collation, collation_named
from chatsim.innodb.storage.column_types import (
    Binary,
    Bits,
    ColumnType,
    Decimals,
    Doubles,
    Enumeration,
    Integer,
    Json,
    MemberSet,
    Moment,
    Text,
    TimeOfDay,
    Year,
)

__all__ = ["collation_of", "column_type", "type_syntax"]

_INTEGERS = {"TINYINT": 1, "SMALLINT": 2, "MEDIUMINT": 3, "INT": 4, "BIGINT": 8, "BOOL": 1}

_TEXTS = {"TINYTEXT": 255, "TEXT": 65_535, "MEDIUMTEXT": 16_777_215, "LONGTEXT": 4_294_967_295}

_BLOBS = {"TINYBLOB": 255, "BLOB": 65_535, "MEDIUMBLOB": 16_777_215, "LONGBLOB": 4_294_967_295}

_MOMENTS = {"DATE": 3, "DATETIME": 5, "TIMESTAMP": 4}

_TYPICAL_TEXT = 30  # bytes of a text whose declaration allows many
_MOST_BITS, _SINGLE_DIGITS = 64, 24  # FLOAT(25) and more is DOUBLE


def collation_of(charset: str, collation: str, default: Collation) -> Collation:
    """The collation of a declaration.

    Args:
        charset: the declared character set, or "".
        collation: the declared collation, or "".
        default: the collation without either.

    Raises:
        NotImplementedError: the model does not have it.
        DatabaseError: the collation is of another character set (1253).
    """
    if not charset and not collation:
        return default
    found = collation_named(collation or charset)
    if found is None:
        raise unsupported(f"collation {collation}" if collation else f"character set {charset}")
    of_set = collation_named(charset) if charset else found
    if of_set is None or of_set.charset != found.charset:
        message = f"COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'"
        raise database_error(1253, message)
    return found


def column_type(kind: TypeSyntax, default: Collation) -> ColumnType:
    """The column type of a declaration.

    Args:
        kind: the declaration.
        default: the collation of texts that declare none.

    Raises:
        NotImplementedError: the model does not have it.
        DatabaseError: it is not valid.
    """
    made = _number_type(kind) or _time_type(kind) or _text_type(kind, default)
    if made is None:
        raise unsupported(f"type {kind.name}")
    return made


def _number_type(kind: TypeSyntax) -> ColumnType | None:
    signed = not kind.unsigned
    if (size := _INTEGERS.get(kind.name)) is not None:
        return Integer(size, -(1 << 8 * size - 1) if signed else 0, (1 << 8 * size - signed) - 1)
    match kind.name:
        case "DECIMAL":
            digits, scale = [*kind.numbers, *(10, 0)[len(kind.numbers) :]][:2]
            return Decimals(digits // 2 + 1, digits, scale, signed)
        case "FLOAT" | "DOUBLE":
            single = kind.name == "FLOAT" and not (len(kind.numbers) == 1 and kind.numbers[0] > _SINGLE_DIGITS)
            digits_scale = (kind.numbers[0], kind.numbers[1]) if len(kind.numbers) > 1 else None
            return Doubles(4 if single else 8, digits_scale, signed)
        case "BIT":
            bits = (kind.numbers or (1,))[0]
            if not 1 <= bits <= _MOST_BITS:
                raise database_error(1439, f"Display width out of range for column (max = {_MOST_BITS})")
            return Bits((bits + 7) // 8, bits)
        case "YEAR":
            return Year(1)
    return None


def _time_type(kind: TypeSyntax) -> ColumnType | None:
    digits = (kind.numbers or (0,))[0]
    if digits > 6 and (kind.name in _MOMENTS or kind.name == "TIME"):
        raise database_error(1426, f"Too-big precision {digits} specified. Maximum is 6.")
    if kind.name in _MOMENTS:
        return Moment(_MOMENTS[kind.name], None if kind.name == "DATE" else digits)
    return TimeOfDay(3, digits) if kind.name == "TIME" else None


def _text_type(kind: TypeSyntax, default: Collation) -> ColumnType | None:
    """The type of texts, bytes, members and documents."""
    name = kind.name
    collation = collation_of(kind.charset, kind.collation, default)
    if collation.charset == "binary" and name not in ("ENUM", "SET"):
        name = {"CHAR": "BINARY", "VARCHAR": "VARBINARY"}.get(name, name.replace("TEXT", "BLOB"))
    if name in ("CHAR", "VARCHAR", "ENUM", "SET") or name in _TEXTS:
        if kind.binary:
            collation = collation_of("", f"{collation.charset}_bin", default)
        if name == "ENUM":
            return Enumeration(1 if len(kind.members) < 256 else 2, kind.members, collation)
        if name == "SET":
            return MemberSet((len(kind.members) + 7) // 8, kind.members, collation)
        length = _TEXTS.get(name) or (kind.numbers or (1,))[0]
        return Text(min(length, _TYPICAL_TEXT), length, collation, name == "CHAR", name in _TEXTS)
    if name in ("BINARY", "VARBINARY"):
        length = (kind.numbers or (1,))[0]
        return Binary(min(length, _TYPICAL_TEXT), length, fixed=name == "BINARY")
    if name in _BLOBS:
        return Binary(_TYPICAL_TEXT, _BLOBS[name], long=True)
    return Json(_TYPICAL_TEXT) if name == "JSON" else None


def type_syntax(kind: ColumnType) -> TypeSyntax:
    """The declaration of a column type: that of a new column like an old one."""
    match kind:
        case Integer(size=size, low=low):
            name = next(name for name, bytes_ in _INTEGERS.items() if bytes_ == size)
            return TypeSyntax(name, unsigned=low == 0)
        case Decimals(digits=digits, scale=scale, signed=signed):
            return TypeSyntax("DECIMAL", (digits, scale), unsigned=not signed)
        case Doubles(digits=pair, signed=signed):
            name = "FLOAT" if kind.size == Doubles.SINGLE else "DOUBLE"
            return TypeSyntax(name, pair or (), unsigned=not signed)
        case Bits(bits=bits):
            return TypeSyntax("BIT", (bits,))
        case Moment(digits=digits_or_none):
            name = next(name for name, size in _MOMENTS.items() if size == kind.size)
            return TypeSyntax(name, () if digits_or_none is None else (digits_or_none,))
    return _text_syntax(kind)


def _text_syntax(kind: ColumnType) -> TypeSyntax:
    match kind:
        case Text(length=length, collation=collation):
            name = next((name for name, most in _TEXTS.items() if kind.long and most == length), "VARCHAR")
            name = "CHAR" if kind.trimmed else name
            return TypeSyntax(name, () if kind.long else (length,), collation=collation.name)
        case Binary(length=length, long=long, fixed=fixed):
            name = next((name for name, most in _BLOBS.items() if long and most == length), "VARBINARY")
            return TypeSyntax("BINARY" if fixed else name, () if long else (length,))
        case Enumeration(members=members, collation=collation):
            return TypeSyntax("ENUM", members=members, collation=collation.name)
        case MemberSet(members=members, collation=collation):
            return TypeSyntax("SET", members=members, collation=collation.name)
        case TimeOfDay(digits=digits):
            return TypeSyntax("TIME", (digits,))
    return TypeSyntax("JSON" if isinstance(kind, Json) else "YEAR")
