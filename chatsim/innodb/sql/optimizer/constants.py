"""Conditions without columns: they have one value for the whole statement, and if it is false, nothing is locked.

The server evaluates them before it reads a row ("Impossible WHERE"): also those on user variables, unless the statement
itself sets them, on system variables, and on functions such as NOW() and ROW_COUNT().
"""

from __future__ import annotations

from sqlglot import exp

from chatsim.innodb.sql.expressions import Env, Function, Scope
from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.storage.values import Value

__all__ = ["compiled_constant", "is_constant"]

_VARYING = (
    *(exp.Column, OuterValue, SubqueryValue, exp.Query, exp.AggFunc, exp.Window),
    *(exp.PropertyEQ, exp.Rand, exp.Uuid),
)
_VARYING_FUNCTIONS = frozenset(
    """BENCHMARK GET_LOCK IS_FREE_LOCK IS_USED_LOCK RELEASE_ALL_LOCKS RELEASE_LOCK SLEEP UUID_SHORT VALUES""".split()  # noqa: SIM905
)
"""The functions without a kind of expression of their own that may give something else each time."""


def is_constant(node: exp.Expr) -> bool:
    """Whether an expression has the same value for each row, unless the statement sets a user variable in it."""
    return not any(isinstance(each, _VARYING) or _varies(each) for each in node.walk())


def _varies(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Anonymous):
        return False
    name = node.name.upper()
    return name in _VARYING_FUNCTIONS or (name == "LAST_INSERT_ID" and bool(node.expressions))


def compiled_constant(scope: Scope, node: exp.Expr) -> Function:
    """A constant condition, which holds for all that is known if the statement sets one of its user variables."""
    function = scope.compile(node)
    names = {each.name.lower() for each in node.find_all(exp.Parameter)}
    if not names:
        return function

    def value(env: Env) -> Value:
        return function(env) if names.isdisjoint(scope.assigned) else 1

    return value
