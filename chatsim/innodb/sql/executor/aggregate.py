"""Aggregate functions: manual, "Aggregate Function Descriptions"."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from sqlglot import exp

from chatsim.innodb.sql.expressions import Env, Function, Scope, compare, divide, unsupported
from chatsim.innodb.storage.column_types import place
from chatsim.innodb.storage.values import Value

__all__ = ["Aggregate"]


class Aggregate:
    """COUNT, MIN, MAX, SUM or AVG."""

    def __init__(self, node: exp.Expr, scope: Scope) -> None:
        self._distinct = isinstance(node.this, exp.Distinct)
        if self._distinct:
            if not isinstance(node, exp.Count) or len(node.this.expressions) != 1:
                raise unsupported(node)
            node = exp.Count(this=node.this.expressions[0])
        self._kind = type(node)
        star = isinstance(node.this, exp.Star)
        self._by = None if star else scope.kind(node.this)
        value = scope.number if self._kind in (exp.Sum, exp.Avg) else scope.compile
        self._value: Function = (lambda _: 1) if star else value(node.this)

    def start(self) -> Any:
        """The state before the first row of a group."""
        return (0, set() if self._distinct else None)

    def add(self, state: Any, env: Env) -> Any:
        """The state with the current row."""
        count, so_far = state
        value = self._value(env)
        if value is None:
            return state
        if self._distinct:
            so_far.add(place(value, self._by))
            return len(so_far), so_far
        if self._kind in (exp.Min, exp.Max):
            sign = 0 if so_far is None else compare(value, so_far, self._by)
            better = so_far is None or (sign < 0 if self._kind is exp.Min else sign > 0)
            return count + 1, value if better else so_far
        if self._kind is exp.Count:
            return count + 1, None
        number = Decimal(value) if isinstance(value, int) else value
        return count + 1, number if so_far is None else so_far + number

    def end(self, state: Any) -> Value:
        """The value for a group."""
        count, so_far = state
        if self._kind is exp.Count:
            return cast("int", count)
        if self._kind is exp.Avg and so_far is not None:
            return divide(so_far, Decimal(count)) if isinstance(so_far, Decimal) else cast("float", so_far / count)
        return cast("Value", so_far)
