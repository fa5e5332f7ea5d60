"""The types of the hidden columns of functional key parts (manual, "Functional Key Parts")."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.column_types import column_type
from chatsim.innodb.sql.expressions import Scope, native_function, unsupported
from chatsim.innodb.sql.expressions.explicit_collation import explicit_type
from chatsim.innodb.sql.expressions.json_values import json_type
from chatsim.innodb.sql.expressions.result_type import ResultType, result_type
from chatsim.innodb.sql.syntax import TypeSyntax
from chatsim.innodb.storage.collations import DEFAULT, collation_named
from chatsim.innodb.storage.column_types import (
    Binary,
    ColumnType,
    Decimals,
    Doubles,
    Enumeration,
    Integer,
    Json,
    MemberSet,
    Moment,
    Text,
    TypedArray,
)

__all__ = ["expression_type"]

_BIGINT = Integer(8, -(1 << 63), (1 << 63) - 1)
_TEXT_FUNCTIONS = (exp.Lower, exp.Upper, exp.Concat, exp.Left, exp.Substring, exp.Trim)

_ONE_OF = (exp.If, exp.Coalesce, exp.Nullif, exp.Case)
"""What gives one of several values."""

_LONGEST_ELEMENT = 512
"""Characters of a text in an array."""

_OF_ELEMENTS = collation_named("utf8mb4_0900_bin") or DEFAULT
"""The collation of texts in arrays."""

_WIDEST = 30
"""Characters of a number or a time as a text."""


def expression_type(node: exp.Expr, scope: Scope, index: str = "") -> ColumnType:
    """The type of the values of an expression in an index.

    Raises:
        NotImplementedError: the model does not know it.
        DatabaseError: no index may be on it.
    """
    node = node.unnest()
    if isinstance(node, exp.Cast):
        return _array_type(node.to, index) if node.to.this is exp.DataType.Type.ARRAY else _cast_type(node.to)
    if isinstance(node, exp.JSONValue):
        return json_type(node.args.get("returning") or None)
    if isinstance(node, exp.Column):
        raise database_error(3761, "The used storage engine cannot index the expression: it is a column")
    kinds = [kind for each in node.find_all(exp.Column) if (kind := scope.kind(each)) is not None]
    named = native_function(node)
    result = named.result if named else ""
    of_texts = isinstance(node, _ONE_OF) and result_type(node, scope) is ResultType.TEXT
    if isinstance(node, (*_TEXT_FUNCTIONS, exp.Collate)) or result == "text" or of_texts:
        return _text_type(node, kinds)
    if isinstance(node, exp.Length) or result == "integer":
        return Integer(4, -(1 << 31), (1 << 31) - 1)
    if named and named.name == "DATE":
        return Moment(3, None)
    if isinstance(node, exp.JSONExtract | exp.JSONExtractScalar) or result == "document":
        raise database_error(3757, "Cannot create a functional index on an expression that returns a BLOB or TEXT.")
    if isinstance(node, exp.Binary | exp.Neg | exp.Abs | exp.If | exp.Coalesce | exp.Nullif | exp.Case):
        return _number_type(node, kinds)
    raise unsupported(node, "in an index")


def _array_type(wanted: exp.DataType, index: str) -> ColumnType:
    """The type of an array in an index. Raises a `DatabaseError` for elements that it may not have (1235)."""
    element = _element_type(wanted.expressions[0])
    return TypedArray(element.size, element, index)


def _element_type(wanted: exp.DataType) -> ColumnType:
    name, texts = wanted.this.name, ("CHAR", "BINARY")
    lengths = [int(each.name) for each in wanted.expressions] if name in texts else [0]
    if not lengths or lengths[0] > _LONGEST_ELEMENT:
        raise _no_array("char/binary BLOBs")
    if name in ("DOUBLE", "FLOAT", "YEAR", "JSON"):
        raise _no_array(name)
    kind = _cast_type(wanted)
    if isinstance(kind, Binary):
        return replace(kind, fixed=False)
    return replace(kind, collation=_OF_ELEMENTS) if isinstance(kind, Text) else kind


def _no_array(what: str) -> DatabaseError:
    return database_error(1235, f"This version of MySQL doesn't yet support 'CAST-ing data to array of {what}'")


def _cast_type(wanted: exp.DataType) -> ColumnType:
    name = {"UBIGINT": "BIGINT", "TIMESTAMPTZ": "TIMESTAMP", "SIGNED": "BIGINT"}.get(wanted.this.name, wanted.this.name)
    numbers = tuple(int(each.name) for each in wanted.expressions)
    if name == "CHAR":
        name = "VARCHAR"
    unsigned = wanted.this in exp.DataType.UNSIGNED_INTEGER_TYPES
    return column_type(TypeSyntax(name, numbers, unsigned=unsigned), DEFAULT)


def _text_type(node: exp.Expr, kinds: list[ColumnType]) -> ColumnType:
    texts = [kind for kind in kinds if isinstance(kind, Text | Binary)]
    if any(kind.long for kind in texts) or any(isinstance(kind, Json) for kind in kinds):
        raise database_error(3757, "Cannot create a functional index on an expression that returns a BLOB or TEXT.")
    length = sum(len(each.name) for each in node.find_all(exp.Literal) if each.is_string)
    length += sum(kind.length if isinstance(kind, Text | Binary) else _WIDEST for kind in kinds)
    explicit = explicit_type(node)
    if isinstance(explicit, Text):
        collation = explicit.collation
    else:
        collation = next((kind.collation for kind in texts if isinstance(kind, Text)), DEFAULT)
    return Text(min(length, 30), max(length, 1), collation)


def _number_type(node: exp.Expr, kinds: list[ColumnType]) -> ColumnType:
    if any(isinstance(kind, Text | Binary | Enumeration | MemberSet | Json) for kind in kinds):
        return Doubles(8)
    moments = [kind for kind in kinds if isinstance(kind, Moment)]
    if moments and isinstance(node, _ONE_OF):
        return moments[0]
    if any(isinstance(kind, Doubles) for kind in kinds):
        return Doubles(8)
    if isinstance(node, exp.Div) or any(isinstance(kind, Decimals) for kind in kinds):
        scale = max((kind.scale for kind in kinds if isinstance(kind, Decimals)), default=0)
        return Decimals(30, 65, scale + 4 if isinstance(node, exp.Div) else scale)
    return _BIGINT
