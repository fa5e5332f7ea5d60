"""Conditions on the arrays of multi-valued indexes: manual, "Using multi-valued Indexes".

They are `value MEMBER OF (array)`, `JSON_CONTAINS(array, values)`, and `JSON_OVERLAPS` of both in either order, where
the array is the expression of a key part, and the values are constants of its type. The server then compares values of
that type, and not those of the document, whether it searches the index or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from chatsim.innodb.sql.expressions.environment import Env, Function
from chatsim.innodb.sql.expressions.expression_key import expression_key
from chatsim.innodb.sql.expressions.json_functions import as_document, member_of
from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.sql.expressions.scope import Scope, compiled
from chatsim.innodb.storage.column_types import TypedArray
from chatsim.innodb.storage.values import ArrayValue

__all__ = ["MEMBER", "ArrayCondition", "array_condition", "on_array"]

MEMBER = "MEMBER OF"
_FUNCTIONS = ("JSON_CONTAINS", "JSON_OVERLAPS")


@dataclass(frozen=True)
class ArrayCondition:
    """A condition on the array of a multi-valued index.

    Attributes:
        operator: MEMBER OF, JSON_CONTAINS or JSON_OVERLAPS.
        at: the number of the table.
        column: the number of the column with the array.
        node: the expression of the values that it is compared with.
        value: gives these.
        kind: the type of the array.
    """

    operator: str
    at: int
    column: int
    node: exp.Expr
    value: Function
    kind: TypedArray

    def wanted(self, env: Env, *, skips_nulls: bool = False) -> ArrayValue | None:
        """The values as an array; None if they are not of its type.

        With ``skips_nulls``, those among them that are JSON's null, which no array has, are left out.
        """
        value = self.value(env)
        if value is None:
            return None
        if self.operator == MEMBER:
            return self.kind.member(value)
        return self.kind.members(as_document(value, self.operator.lower(), 2), skips_nulls=skips_nulls)


def array_condition(node: exp.Expr, scope: Scope) -> ArrayCondition | None:
    """What a condition is, if it is one on the array of a multi-valued index."""
    for operator, array, value in _sides(node) if any(table.arrays for _, table in scope.tables) else ():
        if value.find(exp.Column, OuterValue, SubqueryValue) or len(tables := scope.tables_of(array)) != 1:
            continue
        (at,) = tables
        table = scope.tables[at][1]
        if (column := table.arrays.get(expression_key(array))) is not None:
            kind = table.columns[column].type
            assert isinstance(kind, TypedArray)
            return ArrayCondition(operator, at, column, value, scope.compile(value), kind)
    return None


def _sides(node: exp.Expr) -> Iterator[tuple[str, exp.Expr, exp.Expr]]:
    """The operator, what may be the array, and what may be the values."""
    match node:
        case exp.JSONArrayContains():
            yield MEMBER, node.expression.unnest(), node.this
        case exp.Anonymous(expressions=[one, other]) if node.name.upper() in _FUNCTIONS:
            yield node.name.upper(), one, other
            if node.name.upper() == "JSON_OVERLAPS":
                yield node.name.upper(), other, one


def on_array(node: exp.Expr, scope: Scope, plain: Function) -> Function:
    """A function that gives the value of a condition: ``plain``, unless it is one on the array of an index."""
    condition = array_condition(node, scope)
    if condition is None:
        return plain
    at, column, holds = condition.at, condition.column, any if condition.operator == "JSON_OVERLAPS" else all
    order = condition.kind.order

    def value(env: Env) -> object:
        row, wanted = env.rows[at], condition.wanted(env)
        array = row[column] if wanted is not None and column < len(row) else None
        if wanted is None or not isinstance(array, ArrayValue):
            return plain(env)
        keys = {order(each) for each in array.elements}
        return int(holds(order(each) in keys for each in wanted.elements))

    return value


@compiled.register
def _member_of(node: exp.JSONArrayContains, scope: Scope) -> Function:
    return on_array(node, scope, member_of(node, scope))
