"""The kind of value that an expression gives, and that of one of several (manual, "Flow Control Functions").

IF, CASE, COALESCE, IFNULL and the columns of UNION give a value of one of several expressions, as what suits all of
them: of a number and a text a text, of a date and a time of day both, of an integer and a DOUBLE a DOUBLE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from functools import singledispatch
from typing import Any

from sqlglot import exp

from chatsim.innodb.sql.expressions.date_functions import at_midnight
from chatsim.innodb.sql.expressions.environment import Context, Env, Function
from chatsim.innodb.sql.expressions.native import native_function
from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.sql.expressions.scope import Scope
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
    TimeOfDay,
    Year,
)
from chatsim.innodb.storage.values import Document, Value, as_text

__all__ = [
    "Computed",
    "ResultType",
    "common_type",
    "converted",
    "converted_rows",
    "one_of",
    "result_type",
    "type_of_column",
]


class ResultType(Enum):
    """What an expression gives. A ``MOMENT`` is a date, a time of day or both: it depends on the value."""

    INTEGER = auto()
    DECIMAL = auto()
    DOUBLE = auto()
    TEXT = auto()
    DATE = auto()
    TIME = auto()
    DATETIME = auto()
    MOMENT = auto()
    DOCUMENT = auto()


_NUMBERS = (ResultType.INTEGER, ResultType.DECIMAL, ResultType.DOUBLE)
"""From the narrowest to the widest."""

_MOMENTS = frozenset((ResultType.DATE, ResultType.TIME, ResultType.DATETIME, ResultType.MOMENT))


def common_type(types: Iterable[ResultType | None]) -> ResultType | None:
    """The type that values of several types become; None if none is known."""
    found = {each for each in types if each is not None}
    if len(found) <= 1:
        return next(iter(found), None)
    if found <= {*_NUMBERS}:
        return max(found, key=_NUMBERS.index)
    if found <= _MOMENTS:
        return ResultType.MOMENT if ResultType.MOMENT in found else ResultType.DATETIME
    return ResultType.TEXT


def converted(value: Value, wanted: ResultType | None, session: Context) -> Value:
    """A value of one of several expressions, as one of their common type.

    Args:
        value: the value.
        wanted: the type.
        session: the session, whose present date a time of day is given.
    """
    if value is None:
        return None
    if wanted is ResultType.TEXT:
        return value if type(value) in (str, bytes) else as_text(value)
    if wanted is ResultType.DOUBLE and isinstance(value, int | Decimal):
        return float(value)
    if wanted is ResultType.DATETIME:
        if isinstance(value, timedelta):
            return datetime.combine(session.now(), datetime.min.time()) + value
        return at_midnight(value) if isinstance(value, date) else value
    return value


def converted_rows(
    rows: Sequence[tuple[Value, ...]],
    types: Sequence[ResultType | None],
    wanted: Sequence[ResultType | None],
    session: Context,
) -> list[tuple[Value, ...]]:
    """Rows with columns of some types, as rows with columns of others; see `converted`."""
    if types == wanted:
        return [*rows]
    return [tuple([converted(value, each, session) for value, each in zip(row, wanted, strict=True)]) for row in rows]


def one_of(nodes: Iterable[exp.Expr | None], scope: Scope) -> Callable[[Env, Value], Value]:
    """What makes the value of one of several expressions a value of their common type."""
    parts = [each for each in nodes if each is not None]
    types = [result_type(each, scope) for each in parts]
    # the type of a placeholder or variable is that of its value
    varying: list[Function] = [scope.compile(each) for each in parts if isinstance(each.unnest(), _OF_ANY_TYPE)]
    wanted = common_type(types)
    if not varying:
        return lambda env, value: converted(value, wanted, env.session)

    def convert(env: Env, value: Value) -> Value:
        wanted = common_type([*types, *(_type_of_value(each(env)) for each in varying)])
        return converted(value, wanted, env.session)

    return convert


_OF_ANY_TYPE = (exp.Placeholder, exp.Parameter, exp.SessionParameter)


def _type_of_value(value: Any) -> ResultType | None:
    for kind, found in _OF_VALUES:
        if isinstance(value, kind):
            return found
    return None


_OF_VALUES: tuple[tuple[type, ResultType], ...] = (
    (int, ResultType.INTEGER),
    (Decimal, ResultType.DECIMAL),
    (float, ResultType.DOUBLE),
    (Document, ResultType.DOCUMENT),
    (str, ResultType.TEXT),
    (bytes, ResultType.TEXT),
    (datetime, ResultType.DATETIME),
    (date, ResultType.DATE),
    (timedelta, ResultType.TIME),
)


@dataclass(frozen=True)
class Computed(ColumnType):
    """The type of a column of a derived table that comes from no column of another table.

    Attributes:
        result: what its values are.
    """

    result: ResultType | None


@singledispatch
def result_type(_: exp.Expr, __: Scope) -> ResultType | None:
    """The type of an expression's values; None if it is not known, or of NULL."""
    return None


def type_of_column(kind: ColumnType | None) -> ResultType | None:
    """What the values of a column are."""
    if isinstance(kind, Computed):
        return kind.result
    if isinstance(kind, Moment):
        return ResultType.DATE if kind.digits is None else ResultType.DATETIME
    return next((found for classes, found in _OF_COLUMNS if isinstance(kind, classes)), None)


_OF_COLUMNS: tuple[tuple[tuple[type[ColumnType], ...], ResultType], ...] = (
    ((Integer, Year), ResultType.INTEGER),
    ((Decimals,), ResultType.DECIMAL),
    ((Doubles,), ResultType.DOUBLE),
    ((Text, Binary, Enumeration, MemberSet), ResultType.TEXT),
    ((TimeOfDay,), ResultType.TIME),
    ((Json,), ResultType.DOCUMENT),
)


@result_type.register(exp.Column | OuterValue)
def _column(node: exp.Expr, scope: Scope) -> ResultType | None:
    return type_of_column(scope.kind(node))


@result_type.register
def _subquery(node: SubqueryValue, scope: Scope) -> ResultType | None:
    subquery = scope.subqueries[node.args["number"]]
    if subquery.quantifier != "scalar":
        return ResultType.INTEGER
    found: ResultType | None = subquery.query.results[0]
    return found


@result_type.register
def _literal(node: exp.Literal, _: Scope) -> ResultType:
    if node.is_string:
        return ResultType.TEXT
    if "e" in node.name.lower():
        return ResultType.DOUBLE
    return ResultType.INTEGER if node.name.isdigit() else ResultType.DECIMAL


@result_type.register(exp.Predicate | exp.Connector | exp.Not | exp.Boolean | exp.Count | exp.Length | exp.IntDiv)
@result_type.register(exp.BitwiseAndAgg | exp.BitwiseOrAgg | exp.BitwiseXorAgg | exp.Grouping | exp.StrPosition)
@result_type.register(exp.BitwiseAnd | exp.BitwiseOr | exp.BitwiseXor | exp.BitwiseNot | exp.BitwiseLeftShift)
@result_type.register(exp.BitwiseRightShift | exp.RowNumber | exp.Rank | exp.DenseRank | exp.Ntile)
def _integer(_: exp.Expr, __: Scope) -> ResultType:
    return ResultType.INTEGER


@result_type.register(exp.StddevPop | exp.StddevSamp | exp.VariancePop | exp.Variance | exp.PercentRank | exp.CumeDist)
def _double(_: exp.Expr, __: Scope) -> ResultType:
    return ResultType.DOUBLE


@result_type.register(exp.HexString | exp.BitString | exp.Introducer | exp.Collate | exp.Concat | exp.Left | exp.Lower)
@result_type.register(exp.Upper | exp.Substring | exp.Trim | exp.Chr | exp.GroupConcat | exp.CurrentUser)
@result_type.register(exp.JSONExtractScalar)
def _text(_: exp.Expr, __: Scope) -> ResultType:
    return ResultType.TEXT


@result_type.register(exp.JSONArrayAgg | exp.JSONObjectAgg | exp.JSONExtract)
def _document(_: exp.Expr, __: Scope) -> ResultType:
    return ResultType.DOCUMENT


@result_type.register(exp.CurrentTimestamp | exp.Localtime | exp.Localtimestamp)
def _now(_: exp.Expr, __: Scope) -> ResultType:
    return ResultType.DATETIME


@result_type.register
def _today(_: exp.CurrentDate, __: Scope) -> ResultType:
    return ResultType.DATE


@result_type.register
def _time(_: exp.CurrentTime, __: Scope) -> ResultType:
    return ResultType.TIME


@result_type.register(exp.Paren | exp.Alias | exp.AnyValue | exp.Min | exp.Max | exp.Nullif | exp.Window)
@result_type.register(exp.FirstValue | exp.LastValue | exp.NthValue)
def _same(node: exp.Expr, scope: Scope) -> ResultType | None:
    return result_type(node.this, scope)


@result_type.register(exp.Neg | exp.Abs | exp.Sum)
def _number(node: exp.Expr, scope: Scope) -> ResultType:
    found = result_type(node.this, scope)
    if isinstance(node, exp.Sum) and found is ResultType.INTEGER:
        return ResultType.DECIMAL
    return found if found in _NUMBERS else ResultType.DOUBLE


@result_type.register
def _average(node: exp.Avg, scope: Scope) -> ResultType:
    exact = result_type(node.this, scope) in (ResultType.INTEGER, ResultType.DECIMAL)
    return ResultType.DECIMAL if exact else ResultType.DOUBLE


@result_type.register(exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod)
def _arithmetic(node: exp.Binary, scope: Scope) -> ResultType:
    if isinstance(node.left, exp.Interval) or isinstance(node.right, exp.Interval):
        return ResultType.MOMENT
    found = common_type(result_type(each, scope) for each in (node.left, node.right))
    if found not in _NUMBERS:
        return ResultType.DOUBLE
    return ResultType.DECIMAL if isinstance(node, exp.Div) and found is ResultType.INTEGER else found


@result_type.register
def _cast(node: exp.Cast, _: Scope) -> ResultType | None:
    wanted = node.to.this
    if wanted in exp.DataType.INTEGER_TYPES:
        return ResultType.INTEGER
    return _CASTS.get(wanted, ResultType.TEXT)


_CASTS = {
    exp.DataType.Type.DECIMAL: ResultType.DECIMAL,
    exp.DataType.Type.DOUBLE: ResultType.DOUBLE,
    exp.DataType.Type.FLOAT: ResultType.DOUBLE,
    exp.DataType.Type.YEAR: ResultType.INTEGER,
    exp.DataType.Type.DATE: ResultType.DATE,
    exp.DataType.Type.TIME: ResultType.TIME,
    exp.DataType.Type.DATETIME: ResultType.DATETIME,
    exp.DataType.Type.TIMESTAMP: ResultType.DATETIME,
    exp.DataType.Type.TIMESTAMPTZ: ResultType.DATETIME,
    exp.DataType.Type.JSON: ResultType.DOCUMENT,
}


@result_type.register
def _named(node: exp.Anonymous, scope: Scope) -> ResultType | None:
    name = node.name.upper()
    if name in ("VALUES", "DEFAULT", "LAST_INSERT_ID") and len(node.expressions) == 1:
        return result_type(node.expressions[0], scope)
    if name in ("ROUND", "TRUNCATE", "FLOOR", "CEIL", "CEILING") and node.expressions:
        found = result_type(node.expressions[0], scope)
        return found if found in _NUMBERS else ResultType.DOUBLE
    native = native_function(node)
    return _NAMED.get(name) if native is None else _NATIVE[native.result]


_NAMED = {
    **dict.fromkeys(("CONNECTION_ID", "LAST_INSERT_ID", "FOUND_ROWS", "ROW_COUNT", "ISNULL"), ResultType.INTEGER),
    **dict.fromkeys(("GET_LOCK", "RELEASE_LOCK", "IS_FREE_LOCK", "IS_USED_LOCK", "SLEEP"), ResultType.INTEGER),
    **dict.fromkeys(("VERSION", "DATABASE", "SCHEMA", "USER", "SESSION_USER", "SYSTEM_USER"), ResultType.TEXT),
    **dict.fromkeys(("DATE_ADD", "DATE_SUB", "ADDDATE", "SUBDATE", "TIMESTAMPADD"), ResultType.MOMENT),
    "TIMESTAMPDIFF": ResultType.INTEGER,
}

_NATIVE = {
    "integer": ResultType.INTEGER,
    "number": ResultType.DOUBLE,
    "text": ResultType.TEXT,
    "moment": ResultType.MOMENT,
    "document": ResultType.DOCUMENT,
}


@result_type.register
def _if(node: exp.If, scope: Scope) -> ResultType | None:
    return _common([node.args["true"], node.args.get("false")], scope)


@result_type.register
def _case(node: exp.Case, scope: Scope) -> ResultType | None:
    return _common([*(each.args["true"] for each in node.args["ifs"]), node.args.get("default")], scope)


@result_type.register(exp.Coalesce | exp.Least | exp.Greatest)
def _several(node: exp.Func, scope: Scope) -> ResultType | None:
    return _common([node.this, *node.expressions], scope)


def _common(nodes: Iterable[exp.Expr | None], scope: Scope) -> ResultType | None:
    return common_type(result_type(each, scope) for each in nodes if each is not None)
