"""Assignments to columns: values converted to what a column stores, and CHECK constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Env, Function, Scope, unsupported
from chatsim.innodb.storage.column_types import BadValueError
from chatsim.innodb.storage.values import Value

if TYPE_CHECKING:
    from chatsim.innodb.storage.dictionary import Column
    from chatsim.innodb.storage.tables import Table

__all__ = ["Assignments", "apply_assignments", "check_constraints", "compile_assignments", "stored_value"]

Assignments: TypeAlias = list[tuple[int, Function]]
"""The numbers of columns, each with the expression of its new value."""


def stored_value(
    column: Column, value: Value, number: int, complain: Callable[[int, str, Value], Value] | None = None
) -> Value:
    """A value of the ``number``-th row, converted for its column.

    Raises:
        DatabaseError: the column can't store it, and there is no ``complain``, which returns a value to store instead.
    """
    if value is None:
        if column.nullable:
            return None
        message = f"Column '{column.name}' cannot be null"
        if complain is None:
            raise database_error(1048, message)
        return complain(1048, message, column.type.zero)
    try:
        return column.type.store(value)
    except BadValueError as error:
        message = error.reason.format(column=column.name, row=number)
        if complain is None:
            raise database_error(error.errno, message) from error
        return complain(error.errno, message, error.kept)


def check_constraints(table: Table, row: Sequence[Value]) -> None:
    """Raise `DatabaseError` unless a row satisfies the CHECK constraints of its table."""
    for name, holds in table.checks.items():
        if not holds(row):
            raise database_error(3819, f"Check constraint '{name}' is violated.")


def compile_assignments(scope: Scope, table: Table, nodes: Iterable[exp.Expr]) -> Assignments:
    """Compile ``SET column = value, …``. Raises as `Scope.compile` does."""
    found = []
    for node in nodes:
        if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Column):
            raise unsupported(node)
        name = node.this.name
        if name.lower() not in table.numbers:
            raise database_error(1054, f"Unknown column '{name}' in 'field list'")
        found.append((table.numbers[name.lower()], scope.compile(node.expression)))
    return found


def apply_assignments(assignments: Assignments, table: Table, env: Env, number: int) -> tuple[Value, ...]:
    """The current row after assignments from left to right, each of which sees those before it."""
    before = tuple(env.rows[0])
    row = list(before)
    env.rows[0] = row
    for at, function in assignments:
        row[at] = stored_value(table.columns[at], function(env), number)
    env.rows[0] = before
    if tuple(row) != before:
        set_columns = {at for at, _ in assignments}
        for at, column in enumerate(table.columns):
            if column.on_update is not None and at not in set_columns:
                row[at] = column.on_update()
        check_constraints(table, row)
    return tuple(row)
