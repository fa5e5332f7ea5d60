"""Aggregate functions: manual, "Aggregate Function Descriptions"."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol, cast

from sqlglot import exp

from chatsim.innodb.sql.executor.json_aggregates import JsonArray, JsonObject
from chatsim.innodb.sql.executor.more_aggregates import BitAggregate, Concatenation, Spread
from chatsim.innodb.sql.expressions import Env, Function, Scope, compare, divide, unsupported
from chatsim.innodb.storage.column_types import ColumnType, place
from chatsim.innodb.storage.values import Value

__all__ = ["Aggregate", "GroupFunction", "group_function"]


class GroupFunction(Protocol):
    """An aggregate function."""

    def start(self) -> Any:
        """The state before the first row of a group."""
        ...

    def add(self, state: Any, env: Env) -> Any:
        """The state with the current row."""
        ...

    def end(self, state: Any) -> Value:
        """The value for a group."""
        ...


def group_function(node: exp.Expr, scope: Scope) -> GroupFunction:
    """An aggregate function of a query. Raises `NotImplementedError` if the model does not have it."""
    if isinstance(node, exp.BitwiseAndAgg | exp.BitwiseOrAgg | exp.BitwiseXorAgg):
        return BitAggregate(node, scope)
    if isinstance(node, exp.StddevPop | exp.StddevSamp | exp.VariancePop | exp.Variance):
        return Spread(node, scope)
    if isinstance(node, exp.Grouping):
        return GroupingLevel()
    if isinstance(node, exp.JSONArrayAgg):
        return JsonArray(node, scope)
    if isinstance(node, exp.JSONObjectAgg):
        return JsonObject(node, scope)
    return Concatenation(node, scope) if isinstance(node, exp.GroupConcat) else Aggregate(node, scope)


class GroupingLevel:
    """GROUPING, which does not depend on rows: it is 0, unless ROLLUP has made the group."""

    def start(self) -> Any:
        """Nothing."""

    def add(self, state: Any, env: Env) -> Any:  # noqa: ARG002 - as others
        """Still nothing."""
        return state

    def end(self, state: Any) -> Value:  # noqa: ARG002 - as others
        """The value for a group that has all columns."""
        return 0


class Aggregate:
    """COUNT, MIN, MAX, SUM or AVG."""

    def __init__(self, node: exp.Expr, scope: Scope) -> None:
        self._distinct = isinstance(node.this, exp.Distinct)
        self._columns: list[tuple[Function, ColumnType | None]] = []
        if self._distinct:
            if len(node.this.expressions) != 1:
                if not isinstance(node, exp.Count):
                    raise unsupported(node)
                self._columns = [(scope.compile(each), scope.kind(each)) for each in node.this.expressions]
            node = type(node)(this=node.this.expressions[0])
            self._distinct = not isinstance(node, exp.Min | exp.Max)  # of which it changes nothing
        self._kind = type(node)
        star = isinstance(node.this, exp.Star)
        self._by = None if star else scope.kind(node.this)
        value = scope.number if self._kind in (exp.Sum, exp.Avg) else scope.compile
        self._value: Function = (lambda _: 1) if star else value(node.this)

    def start(self) -> Any:
        """The state before the first row of a group."""
        return (0, {} if self._distinct else None)

    def add(self, state: Any, env: Env) -> Any:
        """The state with the current row."""
        count, so_far = state
        if self._columns:
            return self._with_row(so_far, env)
        value = self._value(env)
        if value is None:
            return state
        if self._distinct:
            so_far.setdefault(place(value, self._by), value)
            return len(so_far), so_far
        if self._kind in (exp.Min, exp.Max):
            sign = 0 if so_far is None else compare(value, so_far, self._by)
            better = so_far is None or (sign < 0 if self._kind is exp.Min else sign > 0)
            return count + 1, value if better else so_far
        if self._kind is exp.Count:
            return count + 1, None
        number = Decimal(value) if isinstance(value, int) else value
        return count + 1, number if so_far is None else so_far + number

    def _with_row(self, so_far: Any, env: Env) -> Any:
        """The state with a row of several columns, of which none may be NULL."""
        values = [(function(env), kind) for function, kind in self._columns]
        if all(value is not None for value, _ in values):
            so_far[tuple(place(value, kind) for value, kind in values)] = True
        return len(so_far), so_far

    def end(self, state: Any) -> Value:
        """The value for a group."""
        count, so_far = state
        if self._kind is exp.Count:
            return cast("int", count)
        if self._distinct:
            numbers = [Decimal(each) if isinstance(each, int) else each for each in so_far.values()]
            so_far = sum(numbers[1:], numbers[0]) if numbers else None
        if self._kind is exp.Avg and so_far is not None:
            return divide(so_far, Decimal(count)) if isinstance(so_far, Decimal) else cast("float", so_far / count)
        return cast("Value", so_far)
