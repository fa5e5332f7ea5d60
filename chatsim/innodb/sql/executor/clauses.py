"""Clauses that several kinds of statements have: WHERE, ORDER BY, LIMIT, and those that are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Env, Function, Scope, compare, expression_key, is_true, unsupported
from chatsim.innodb.storage.values import Single

if TYPE_CHECKING:
    from chatsim.db.errors import DatabaseError
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = [
    "all_true",
    "compile_limit",
    "limit_value",
    "ordering_columns",
    "refuse",
    "shown_rows",
    "sorted_rows",
    "value_rows",
]


def refuse(node: exp.Expr, *parts: str) -> None:
    """Raise `NotImplementedError` if a statement has one of these parts."""
    for part in parts:
        if node.args.get(part):
            raise unsupported(f"{type(node).__name__.upper()} with {part.strip('_').upper()}")


def compile_limit(node: exp.Expr | None, scope: Scope) -> Function | None:
    """LIMIT or OFFSET as a function that gives a number of rows, if there is one. Raises a `DatabaseError` (1064)."""
    if node is None:
        return None
    wanted = node.expression
    if not isinstance(wanted, exp.Placeholder) and not (isinstance(wanted, exp.Literal) and wanted.name.isdigit()):
        raise _no_count(wanted.sql("mysql"))
    if isinstance(wanted, exp.Literal) and wanted.is_string:
        raise _no_count(wanted.sql("mysql"))
    return scope.compile(wanted)


def limit_value(function: Function | None, env: Env) -> int | None:
    """The number of rows of a compiled LIMIT or OFFSET; None if there is none. Raises a `DatabaseError` (1064)."""
    if function is None:
        return None
    found = function(env)
    if not isinstance(found, int) or found < 0:
        raise _no_count(repr(found))
    return found


def _no_count(shown: str) -> DatabaseError:
    return database_error(1064, f"You have an error in your SQL syntax: LIMIT or OFFSET is no number of rows: {shown}")


def value_rows(node: exp.Values) -> list[list[exp.Expr]]:
    """The rows of VALUES, each with or without the word ROW."""
    rows = []
    for each in node.expressions:
        parts = each.expressions if isinstance(each, exp.Tuple) else [each]
        inner = parts[0] if len(parts) == 1 else None
        is_row = isinstance(inner, exp.Tuple) or (isinstance(inner, exp.Anonymous) and inner.name.upper() == "ROW")
        rows.append(list(inner.expressions) if is_row and inner is not None else list(parts))
    return rows


def all_true(functions: Iterable[Function], env: Env) -> bool:
    """Whether all conditions hold."""
    return all(is_true(function(env)) for function in functions)


def sorted_rows(rows: list[Any], directions: Sequence[bool], key: Callable[[Any], Sequence[Any]]) -> list[Any]:
    """Rows, sorted by keys made by `Scope.place`; NULL is less than anything."""

    def order(left: Any, right: Any) -> int:
        for down, a, b in zip(directions, key(left), key(right), strict=True):
            if a is None or b is None:
                sign = (a is not None) - (b is not None)
            else:
                sign = (a > b) - (a < b) if type(a) is type(b) else compare(a, b)
            if sign:
                return -sign if down else sign
        return 0

    return sorted(rows, key=cmp_to_key(order))


def shown_rows(rows: list[tuple[Value, ...]], tables: Iterable[Table]) -> list[tuple[Value, ...]]:
    """Rows as a client sees them: of a value of a FLOAT column only as many digits as are sure."""
    if not any(table.has_singles for table in tables):
        return rows
    return [tuple(float(str(value)) if isinstance(value, Single) else value for value in row) for row in rows]


def _generated_column(scope: Scope, node: exp.Expr) -> tuple[int, int] | None:
    """The generated column that an expression is, and its table; None if it is none (in the server: substitute_gc)."""
    if not any(table.expressions for _, table in scope.tables) or isinstance(node, exp.Literal):
        return None
    tables = scope.tables_of(node)
    if len(tables) != 1:
        return None
    (at,) = tables
    column = scope.tables[at][1].expressions.get(expression_key(node))
    return None if column is None else (at, column)


def ordering_columns(
    scope: Scope, nodes: Iterable[exp.Expr], directions: Iterable[bool]
) -> list[tuple[int, int, bool]] | None:
    """The columns of an ORDER BY, with their tables, and whether they are descending; None if it has expressions."""
    found: list[tuple[int, int, bool]] = []
    for node, down in zip(nodes, directions, strict=True):
        named = scope.column(node) if isinstance(node, exp.Column) else _generated_column(scope, node)
        if named is None:
            return None
        found.append((*named, down))
    return found
