"""The types of the hidden columns of functional key parts (manual, "Functional Key Parts")."""

from __future__ import annotations

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.column_types import column_type
from chatsim.innodb.sql.expressions import Scope, native_function, unsupported
from chatsim.innodb.sql.expressions.explicit_collation import explicit_type
from chatsim.innodb.sql.expressions.json_values import json_type
from chatsim.innodb.sql.expressions.result_type import ResultType, result_type
from chatsim.innodb.sql.syntax import TypeSyntax
from chatsim.innodb.storage.collations import DEFAULT
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
)

__all__ = ["expression_type"]

_BIGINT = Integer(8, -(1 << 63), (1 << 63) - 1)
_TEXT_FUNCTIONS = (exp.Lower, exp.Upper, exp.Concat, exp.Left, exp.Substring, exp.Trim)

_ONE_OF = (exp.If, exp.Coalesce, exp.Nullif, exp.Case)
"""What gives one of several values."""

_WIDEST = 30
"""Characters of a number or a time as a text."""


def expression_type(node: exp.Expr, scope: Scope) -> ColumnType:
    """The type of an expression's values. Raises `NotImplementedError` for one that the model does not know."""
    node = node.unnest()
    if isinstance(node, exp.Cast):
        return _cast_type(node)
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


def _cast_type(node: exp.Cast) -> ColumnType:
    wanted = node.to
    if wanted.this is exp.DataType.Type.ARRAY:
        raise unsupported("multi-valued index")
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
