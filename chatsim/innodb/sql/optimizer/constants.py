"""Expressions without columns: which have one value for the whole statement, and which may have another for each row.

The server evaluates a condition of the first kind before it reads a row ("Impossible WHERE"): also those on user
variables, unless the statement itself sets them, on system variables, and on functions such as NOW() and ROW_COUNT().
An expression of the second kind is evaluated with each row of the last table, so that nothing can be looked up by it
(in the server: ``RAND_TABLE_BIT``).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlglot import exp

from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.storage.column_types import Bits, ColumnType, Decimals, Doubles, Integer, Text, Year
from chatsim.innodb.storage.values import Value

__all__ = ["are_same", "is_constant", "is_of_kind", "is_random"]

_VARYING = (*(exp.Column, OuterValue, SubqueryValue, exp.Query, exp.AggFunc, exp.Window), exp.PropertyEQ)
_RANDOM = frozenset("BENCHMARK RAND SLEEP SYSDATE UUID UUID_SHORT".split())  # noqa: SIM905
_SIDE_EFFECTS = frozenset("GET_LOCK IS_FREE_LOCK IS_USED_LOCK RELEASE_ALL_LOCKS RELEASE_LOCK VALUES".split())  # noqa: SIM905
"""Functions that are evaluated once where something is looked up by them, but not before."""


def is_constant(node: exp.Expr) -> bool:
    """Whether an expression has the same value for each row."""
    return not any(isinstance(each, _VARYING) or _varies(each) for each in node.walk())


def is_random(node: exp.Expr) -> bool:
    """Whether an expression may have another value for each row, whatever the columns are that it names."""
    return any(_is_random(each) for each in node.walk())


def are_same(low: exp.Expr, high: exp.Expr, kind: ColumnType | None) -> bool:
    """Whether two literals are the same, so that what is between them equals them (in the server: ``Item::eq``)."""
    if not isinstance(low, exp.Literal) or not isinstance(high, exp.Literal) or low.is_string != high.is_string:
        return False
    alike = low.is_string and isinstance(kind, Text) and kind.order(low.name) == kind.order(high.name)
    return low.name == high.name or alike


def _varies(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Anonymous):
        return _is_random(node)
    name = node.name.upper()
    return name in _RANDOM or name in _SIDE_EFFECTS or (name == "LAST_INSERT_ID" and bool(node.expressions))


def _is_random(node: exp.Expr) -> bool:
    match node:
        case exp.Anonymous():
            return node.name.upper() in _RANDOM
        case exp.Parameter():
            return bool(node.meta.get("assigned"))
        case SubqueryValue():
            return bool(node.args.get("random"))
    return False


def is_of_kind(kind: ColumnType, value: Value) -> bool:
    """Whether a value is of a column's kind: an integer, a DECIMAL, a float, or none of these.

    Only then does the server put it in the column's place (``check_simple_equality`` compares the ``result_type``).
    """
    own = int if isinstance(kind, Integer | Year | Bits) else _NUMBERS.get(type(kind), None)
    return isinstance(value, own) if own else not isinstance(value, int | float | Decimal)


_NUMBERS: Mapping[type[ColumnType], type] = {Decimals: Decimal, Doubles: float}
