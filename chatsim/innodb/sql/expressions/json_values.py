"""Values taken out of JSON documents as values of a type: JSON_VALUE, and the columns of JSON_TABLE."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.environment import Env, Function, unsupported
from chatsim.innodb.sql.expressions.json_functions import as_document
from chatsim.innodb.sql.expressions.json_paths import found, parsed_path
from chatsim.innodb.sql.expressions.scope import Scope, compiled
from chatsim.innodb.storage.column_types import (
    BadValueError,
    ColumnType,
    Decimals,
    Doubles,
    Integer,
    Json,
    Moment,
    Text,
    TimeOfDay,
    Year,
)
from chatsim.innodb.storage.column_types.documents import document
from chatsim.innodb.storage.values import Value, as_text, is_number

__all__ = ["UnfitError", "json_type", "typed_value"]

_Type = exp.DataType.Type

_TYPICAL_TEXT = 30
_WHOLE = 512
"""The characters of a text, if no type is named."""


class UnfitError(Exception):
    """A part of a document is no value of the type that is wanted."""


def json_type(wanted: exp.DataType | None) -> ColumnType:
    """The type of values that are taken out. Raises `NotImplementedError` for one that the model does not have."""
    if wanted is None:
        return Text(_TYPICAL_TEXT, _WHOLE)
    kind, numbers = wanted.this, [int(each.name) for each in wanted.expressions if each.name.isdigit()]
    if (size := _BYTES.get(kind)) is not None:
        unsigned = kind in exp.DataType.UNSIGNED_INTEGER_TYPES
        return Integer(size, 0 if unsigned else -(1 << 8 * size - 1), (1 << 8 * size - (not unsigned)) - 1)
    if kind in (_Type.CHAR, _Type.NCHAR, _Type.VARCHAR):
        length = numbers[0] if numbers else (1 if kind is _Type.VARCHAR else _WHOLE)
        return Text(min(length, _TYPICAL_TEXT), length)
    if kind is _Type.TEXT:
        return Text(_TYPICAL_TEXT, 65_535, long=True)
    digits, scale = [*numbers, *(10, 0)[len(numbers) :]][:2]
    made: Callable[[], ColumnType] | None = {
        _Type.DECIMAL: lambda: Decimals(5, digits, scale),
        _Type.DOUBLE: lambda: Doubles(8),
        _Type.FLOAT: lambda: Doubles(4),
        _Type.JSON: lambda: Json(_TYPICAL_TEXT),
        _Type.DATE: lambda: Moment(3, None),
        _Type.DATETIME: lambda: Moment(5, next(iter(numbers), 0)),
        _Type.TIME: lambda: TimeOfDay(3, next(iter(numbers), 0)),
        _Type.YEAR: lambda: Year(1),
    }.get(kind)
    if made is None:
        raise unsupported(f"type {wanted.sql('mysql')} of a value of a document")
    return made()


_BYTES = {
    _Type.TINYINT: 1,
    _Type.UTINYINT: 1,
    _Type.BOOLEAN: 1,
    _Type.SMALLINT: 2,
    _Type.USMALLINT: 2,
    _Type.MEDIUMINT: 3,
    _Type.UMEDIUMINT: 3,
    _Type.INT: 4,
    _Type.UINT: 4,
    _Type.BIGINT: 8,
    _Type.UBIGINT: 8,
}


def typed_value(part: Any, kind: ColumnType, *, whole: bool) -> Value:
    """A part of a document as a value of a type; NULL for ``null``.

    Args:
        part: the part.
        kind: the type.
        whole: whether an array or object may become a text.

    Raises:
        UnfitError: it is none.
    """
    if isinstance(kind, Json):
        return document(part)
    if part is None:
        return None
    if isinstance(part, list | dict):
        if not whole or not isinstance(kind, Text):
            raise UnfitError
        part = document(part)
    if isinstance(part, bool):
        part = str(part).lower() if isinstance(kind, Text) else int(part)
    if isinstance(part, float) and isinstance(kind, Integer | Decimals):
        part = Decimal(repr(part))
    if isinstance(part, str) and isinstance(kind, Integer | Decimals | Doubles) and not is_number(part):
        raise UnfitError
    try:
        return kind.store(as_text(part) if isinstance(kind, Text) else part)
    except BadValueError as error:
        if error.harmless:
            return error.kept
        raise UnfitError from None


@compiled.register
def _json_value(node: exp.JSONValue, scope: Scope) -> Function:
    inner, kind = scope.compile(node.this), json_type(node.args.get("returning") or None)
    path_node = node.args["path"]
    if not isinstance(path_node, exp.Literal):
        raise unsupported(node, "a path that is no text")
    path = parsed_path(path_node.name)
    condition = node.args.get("on_condition")
    said = condition.args if condition is not None else {}
    empty, unfit = (_instead(said.get(each), kind, scope) for each in ("empty", "error"))

    def value(env: Env) -> Value:
        a = inner(env)
        if a is None:
            return None
        parts = found(as_document(a, "json_value"), path)
        if not parts:
            return empty(env, 3966, "No value was found by 'json_value' on the specified path.")
        if len(parts) > 1:
            return unfit(env, 3967, "More than one value was found by 'json_value' on the specified path.")
        try:
            return None if parts == [None] else typed_value(parts[0], kind, whole=True)
        except UnfitError:
            return unfit(env, 1690, f"{_type_name(node)} value is out of range in 'json_value'")

    return value


def _instead(said: Any, kind: ColumnType, scope: Scope) -> Callable[[Env, int, str], Value]:
    """What is given, or raised, in place of a value that is not there or does not fit."""
    given = scope.compile(said) if isinstance(said, exp.Expr) else None

    def instead(env: Env, errno: int, message: str) -> Value:
        if given is not None:
            return typed_value(given(env), kind, whole=True)
        if isinstance(said, str) and said.startswith("ERROR"):
            raise database_error(errno, message)
        return None

    return instead


def _type_name(node: exp.JSONValue) -> str:
    returning = node.args.get("returning")
    name = returning.sql("mysql").upper() if returning else "CHAR"
    return {"BIGINT": "SIGNED", "BIGINT UNSIGNED": "UNSIGNED"}.get(name, name)
