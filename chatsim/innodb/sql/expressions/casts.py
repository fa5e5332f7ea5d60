"""CAST and CONVERT: manual, "Cast Functions and Operators"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.arithmetic import to_integer
from chatsim.innodb.sql.expressions.environment import Env, Function, complain, unsupported
from chatsim.innodb.sql.expressions.json_functions import as_document, json_value
from chatsim.innodb.sql.expressions.scope import Scope, compiled, is_numbered
from chatsim.innodb.storage.column_types import BadValueError, ColumnType, Decimals, Moment, TimeOfDay, Year
from chatsim.innodb.storage.column_types.documents import document
from chatsim.innodb.storage.values import (
    BytesLiteral,
    Document,
    Single,
    Value,
    as_number,
    as_text,
    integer_at_start,
    is_number,
    is_whole_number,
    number_at_start,
)

__all__: list[str] = []

_INTEGERS = {*exp.DataType.INTEGER_TYPES}

_Type = exp.DataType.Type

_CHARSETS = ("utf8mb4", "utf8mb3", "utf8", "latin1", "ascii")


@compiled.register
def _cast(node: exp.Cast, scope: Scope) -> Function:
    inner, wanted = scope.compile(node.this), node.to.this
    if wanted is _Type.ARRAY:
        where = "outside of functional index in CREATE(non-SELECT)/ALTER TABLE or in general expressions"
        message = f"This version of MySQL doesn't yet support 'Use of CAST( .. AS .. ARRAY) {where}'"
        raise database_error(1235, message)
    if wanted in _INTEGERS:
        return _to_integers(node, scope)
    if wanted is _Type.DECIMAL:
        return _to_decimals(node, scope)
    made = _MADE.get(wanted)
    if wanted in exp.DataType.TEXT_TYPES or wanted in (_Type.CHARACTER_SET, _Type.BINARY, _Type.VARBINARY):
        made = _to_text
    if made is None:
        raise unsupported(node)
    if wanted in (_Type.DOUBLE, _Type.FLOAT):
        inner = scope.number(node.this)
    convert = made(node.to)
    return lambda env: None if (a := inner(env)) is None else convert(env, a)


Convert = Callable[[Env, Value], Value]


def _to_decimals(node: exp.Cast, scope: Scope) -> Function:
    """A cast to DECIMAL: of a column, a text without a digit is a warning more (in the server: ``Field_str``)."""
    inner, convert, strict = scope.compile(node.this), _to_decimal(node.to), scope.strict
    column, silent = isinstance(node.this.unnest(), exp.Column), scope.is_silent(node.this)

    def value(env: Env) -> Value:
        a = inner(env)
        if a is None:
            return None
        if type(a) is str or type(a) is bytes:
            text = as_text(a)
            number = number_at_start(text)
            if column and number is None:
                complain(env, 1366, "Incorrect DECIMAL value: '0' for column '' at row -1", strict=strict)
            if not silent and (number is None or not is_number(text)):
                complain(env, 1292, f"Truncated incorrect DECIMAL value: '{text}'", strict=strict)
            a = Decimal(repr(number or 0))
        return convert(env, a)

    return value


def _to_integers(node: exp.Cast, scope: Scope) -> Function:
    signed = node.to.this in exp.DataType.SIGNED_INTEGER_TYPES
    inner = scope.number(node.this) if is_numbered(scope.kind(node.this)) else scope.compile(node.this)

    def value(env: Env) -> Value:
        a = inner(env)
        if a is None:
            return None
        if isinstance(a, str) or type(a) is bytes:
            text = as_text(a)
            if not is_whole_number(text):
                complain(env, 1292, f"Truncated incorrect INTEGER value: '{text}'", strict=scope.strict)
            found = integer_at_start(text)
        else:
            found = to_integer(a)
        if signed:
            return found if found < 2**63 else found - 2**64
        return found % 2**64

    return value


def _numbers(to: exp.DataType) -> list[int]:
    return [int(each.name) for each in to.expressions]


def _to_text(to: exp.DataType) -> Convert:
    charset = str(to.args["kind"].name).lower() if to.this is _Type.CHARACTER_SET else "utf8mb4"
    if charset not in (*_CHARSETS, "binary"):
        raise unsupported(f"CAST to CHARACTER SET {charset}")
    binary = charset == "binary" or to.this in (_Type.BINARY, _Type.VARBINARY)
    most = next(iter(_numbers(to)), None)

    def convert(env: Env, value: Value) -> Value:
        found: Any = value if binary and isinstance(value, bytes) else as_text(value)
        found = found.encode() if binary and isinstance(found, str) else str(found) if not binary else bytes(found)
        if most is not None and len(found) > most:
            kind = "BINARY" if binary else "CHAR"
            env.session.note(1292, f"Truncated incorrect {kind}({most}) value: '{as_text(value)}'")
        found = found[:most]
        return found.ljust(most, b"\0") if binary and most else found  # type: ignore[no-any-return]

    return convert


def _by(name: str, kind: ColumnType) -> Convert:
    """The conversion to what a column of a type stores; with a warning if a value is none, or not quite one."""

    def convert(env: Env, value: Value) -> Value:
        try:
            return kind.store(value)
        except BadValueError as error:
            if not error.harmless:
                env.session.note(1292, f"Truncated incorrect {name} value: '{as_text(value)}'")
            return error.kept if error.harmless or isinstance(kind, Decimals) else None

    return convert


def _to_date(_: exp.DataType) -> Convert:
    convert = _by("date", Moment(3, None))

    def converted(env: Env, value: Value) -> Value:
        if isinstance(value, date):
            return date(value.year, value.month, value.day)
        found = convert(env, value)
        return date(found.year, found.month, found.day) if isinstance(found, date) else found

    return converted


def _to_double(to: exp.DataType) -> Convert:
    single = to.this is _Type.FLOAT and not _numbers(to)
    return lambda _, value: Single(as_number(value)) if single else float(as_number(value))


def _to_document(_: exp.DataType) -> Convert:
    def convert(_: Env, value: Value) -> Value:
        if isinstance(value, Document):
            return value
        return document(as_document(value, "cast_as_json") if isinstance(value, str) else json_value(value))

    return convert


def _to_decimal(to: exp.DataType) -> Convert:
    digits, scale = (*_numbers(to), 0, 0)[:2]
    convert = _by("DECIMAL", Decimals(8, digits or 10, scale))

    def converted(env: Env, value: Value) -> Value:
        return convert(env, Decimal(as_number(value)) if isinstance(value, BytesLiteral) else value)

    return converted


_MADE: Mapping[Any, Callable[[exp.DataType], Convert]] = {
    _Type.DATE: _to_date,
    _Type.DATETIME: lambda to: _by("datetime", Moment(5, next(iter(_numbers(to)), 0))),
    _Type.TIMESTAMPTZ: lambda _: _by("datetime", Moment(5, 6)),  # what sqlglot makes of TIMESTAMP '…'
    _Type.TIMESTAMP: lambda to: _by("datetime", Moment(5, next(iter(_numbers(to)), 6))),
    _Type.TIME: lambda to: _by("time", TimeOfDay(3, next(iter(_numbers(to)), 0))),
    _Type.YEAR: lambda _: _by("year", Year(1)),
    _Type.DOUBLE: _to_double,
    _Type.FLOAT: _to_double,
    _Type.JSON: _to_document,
}
"""How each type's conversion is made."""
