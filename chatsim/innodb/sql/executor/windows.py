"""Window functions: manual, "Window Function Concepts and Syntax", "Window Function Descriptions".

They are computed when all rows have been read. The frame is the usual one: up to the current row and those that are
sorted like it, or the whole partition where nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from chatsim.innodb.sql.executor.aggregate import Aggregate
from chatsim.innodb.sql.executor.clauses import sorted_rows
from chatsim.innodb.sql.expressions import Env, Function, Scope, unsupported
from chatsim.innodb.sql.expressions.scope import compiled

if TYPE_CHECKING:
    from chatsim.innodb.storage.values import Value

__all__ = ["WindowFunction", "window_values"]

_AGGREGATES = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)

Snapshot = list[Any]
"""The rows of all tables that make one row of the result."""


@compiled.register(exp.Window)
def _window(node: exp.Window, scope: Scope) -> Function:
    if not scope.grouping:
        raise unsupported(node, "a window function outside of the select list and ORDER BY")
    if all(each is not node for each in scope.windows):
        scope.windows.append(node)
    number = id(node)
    return lambda env: env.found[number]


class WindowFunction:
    """A function over a window.

    Args:
        node: its syntax tree.
        scope: names the tables.

    Raises:
        NotImplementedError: it is another function, or it has a frame of its own.
    """

    def __init__(self, node: exp.Window, scope: Scope) -> None:
        self.number = id(node)
        function = node.this
        if node.args.get("spec") or node.args.get("alias") or node.args.get("over") not in (None, "OVER"):
            raise unsupported(node, "a window with a frame or a name")
        order = node.args.get("order")
        self._partition = [scope.place(each) for each in node.args.get("partition_by") or ()]
        self._order = [scope.place(each.this) for each in order.expressions] if order else []
        self._down = [bool(each.args.get("desc")) for each in order.expressions] if order else []
        self._compute = self._of(function, scope)

    def _of(self, node: exp.Expr, scope: Scope) -> Callable[[Sequence[Snapshot], Sequence[Any], Env], list[Value]]:
        match node:
            case exp.RowNumber():
                return lambda rows, _, __: list(range(1, len(rows) + 1))
            case exp.Rank():
                return lambda _, keys, __: [keys.index(each) + 1 for each in keys]
            case exp.DenseRank():
                return lambda _, keys, __: [len({*map(tuple, keys[: keys.index(each) + 1])}) for each in keys]
            case exp.Lag() | exp.Lead():
                return self._neighbour(node, scope)
            case exp.FirstValue():
                value = scope.compile(node.this)
                return lambda rows, _, env: [_value(value, rows[0], env)] * len(rows)
        if isinstance(node, _AGGREGATES):
            return self._aggregate(Aggregate(node, scope))
        raise unsupported(node, "as a window function")

    def _neighbour(
        self, node: exp.Lag | exp.Lead, scope: Scope
    ) -> Callable[[Sequence[Snapshot], Sequence[Any], Env], list[Value]]:
        value = scope.compile(node.this)
        given = node.args.get("offset")
        if given is not None and not (isinstance(given, exp.Literal) and given.name.isdigit()):
            raise unsupported(node, "an offset that is no number")
        steps = (int(given.name) if given is not None else 1) * (-1 if isinstance(node, exp.Lag) else 1)
        instead = scope.compile(node.args["default"]) if node.args.get("default") else None

        def values(rows: Sequence[Snapshot], _: Sequence[Any], env: Env) -> list[Value]:
            found: list[Value] = []
            for at, row in enumerate(rows):
                if 0 <= at + steps < len(rows):
                    found.append(_value(value, rows[at + steps], env))
                else:
                    found.append(None if instead is None else _value(instead, row, env))
            return found

        return values

    def _aggregate(self, aggregate: Aggregate) -> Callable[[Sequence[Snapshot], Sequence[Any], Env], list[Value]]:
        def values(rows: Sequence[Snapshot], keys: Sequence[Any], env: Env) -> list[Value]:
            found: list[Value] = []
            state, at = aggregate.start(), 0
            while at < len(rows):
                peers = 1 if self._order else len(rows)
                while self._order and at + peers < len(rows) and keys[at + peers] == keys[at]:
                    peers += 1
                for row in rows[at : at + peers]:
                    env.rows = row
                    state = aggregate.add(state, env)
                found += [aggregate.end(state)] * peers
                at += peers
            return found

        return values

    def sort(self, rows: list[Snapshot], env: Env) -> list[Snapshot]:
        """The rows in the order of the window: by partitions, and within them."""

        def key(row: Snapshot) -> list[Any]:
            env.rows = row
            return [function(env) for function in (*self._partition, *self._order)]

        return sorted_rows(rows, [*([False] * len(self._partition)), *self._down], key)

    def values(self, rows: Sequence[Snapshot], env: Env) -> list[Value]:
        """Its value for each of the rows, which are in the order of the window."""
        found: list[Value] = []
        start = 0
        keys = [_keys(self._partition, row, env) for row in rows]
        for at in range(1, len(rows) + 1):
            if at == len(rows) or keys[at] != keys[start]:
                part = rows[start:at]
                found += self._compute(part, [_keys(self._order, row, env) for row in part], env)
                start = at
        return found


def window_values(
    functions: Sequence[WindowFunction], rows: list[Snapshot], env: Env
) -> list[tuple[Snapshot, dict[int, Value]]]:
    """The rows in the order of the last window, each with the values of the functions, by their numbers."""
    by_row: dict[int, dict[int, Value]] = {id(row): {} for row in rows}
    for each in functions:
        rows = each.sort(rows, env)
        for row, value in zip(rows, each.values(rows, env), strict=True):
            by_row[id(row)][each.number] = value
    return [(row, by_row[id(row)]) for row in rows]


def _keys(functions: Sequence[Function], row: Snapshot, env: Env) -> list[Any]:
    env.rows = row
    return [function(env) for function in functions]


def _value(function: Function, row: Snapshot, env: Env) -> Value:
    env.rows = row
    found: Value = function(env)
    return found
