"""Windows: manual, "Window Function Concepts and Syntax".

Window functions are computed when all rows have been read, and groups made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.clauses import sorted_rows
from chatsim.innodb.sql.executor.window_frames import Frame, Part, Snapshot
from chatsim.innodb.sql.executor.window_functions import computed
from chatsim.innodb.sql.expressions import Env, Function, Scope, unsupported
from chatsim.innodb.sql.expressions.scope import compiled
from chatsim.innodb.storage.values import Value

__all__ = ["WindowFunction", "check_having", "window_values"]


@compiled.register(exp.Window)
def _window(node: exp.Window, scope: Scope) -> Function:
    if not scope.grouping:
        raise _misplaced(node)
    if all(each is not node for each in scope.windows):
        scope.windows.append(node)
    number = id(node)
    return lambda env: env.found[number]


def check_having(node: exp.Expr, aliased: Sequence[tuple[str, exp.Expr]]) -> None:
    """Refuse window functions in a condition of HAVING. Raises a `DatabaseError` (3593, 3594).

    Args:
        node: the condition.
        aliased: what the aliases in it stand for.
    """
    if (window := node.find(exp.Window)) is not None:
        raise _misplaced(window)
    for alias, meaning in aliased:
        if meaning.find(exp.Window) is not None:
            message = f"You cannot use the alias '{alias}' of an expression containing a window function"
            raise database_error(3594, f"{message} in this context.'")


def _misplaced(node: exp.Window) -> DatabaseError:
    function = node.this
    name = function.sql_name().lower() if isinstance(function, exp.Func) else function.name.lower()
    return database_error(3593, f"You cannot use the window function '{name}' in this context.'")


class WindowFunction:
    """A function over a window.

    Args:
        node: its syntax tree.
        scope: names the tables.

    Raises:
        NotImplementedError: it is another function.
        DatabaseError: the window is not valid.
    """

    def __init__(self, node: exp.Window, scope: Scope) -> None:
        self.number = id(node)
        if (alias := node.args.get("alias")) is not None:
            raise database_error(3579, f"Window name '{alias.name}' is not defined.")
        if node.args.get("over") not in (None, "OVER"):
            raise unsupported(node)
        order = node.args["order"].expressions if node.args.get("order") else []
        self._partition = [scope.place(each) for each in node.args.get("partition_by") or ()]
        self._order = [scope.place(each.this) for each in order]
        self._down = [bool(each.args.get("desc")) for each in order]
        self._compute = computed(node.this, scope, Frame(node.args.get("spec"), order, scope))

    def sort(self, rows: list[Snapshot], env: Env) -> list[Snapshot]:
        """The rows in the order of the window: by partitions, and within them."""
        by = (*self._partition, *self._order)
        return sorted_rows(rows, [*([False] * len(self._partition)), *self._down], lambda row: _keys(by, row, env))

    def values(self, rows: Sequence[Snapshot], env: Env) -> list[Value]:
        """Its value for each of the rows, which are in the order of the window."""
        found: list[Value] = []
        start = 0
        keys = [_keys(self._partition, row, env) for row in rows]
        for at in range(1, len(rows) + 1):
            if at == len(rows) or keys[at] != keys[start]:
                part = rows[start:at]
                found += self._compute(Part(part, [_keys(self._order, row, env) for row in part], env))
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
    env.rows, found = row
    env.found.update(found)
    return [function(env) for function in functions]
