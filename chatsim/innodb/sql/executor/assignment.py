"""Assignments to columns: values converted to what a column stores, and CHECK constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Context, Env, Function, Scope, unsupported
from chatsim.innodb.storage.column_types import BadValueError
from chatsim.innodb.storage.values import Value

if TYPE_CHECKING:
    from chatsim.innodb.storage.tables import Table

__all__ = [
    "Assignments",
    "Warn",
    "apply_assignments",
    "check_constraints",
    "compile_assignments",
    "completed",
    "default_of",
    "generate",
    "is_default",
    "refuse_generated",
    "stored_value",
]

Assignments: TypeAlias = list[tuple[int, Function]]
"""The numbers of columns, each with the expression of its new value."""


_MISSING = object()
"""The value of DEFAULT for a column that has no default."""

Warn: TypeAlias = "Callable[[int, str], None]"
"""Notes a warning: its number and its text."""


def stored_value(table: Table, at: int, value: Value, number: int, warn: Warn, *, strict: bool = True) -> Value:
    """A value of the ``number``-th row, converted for a column.

    Args:
        table: the table.
        at: the number of the column.
        value: the value.
        number: the number of the row in the statement, for messages.
        warn: notes a warning.
        strict: whether a value that the column can't store is an error: not with IGNORE. Otherwise the nearest value
            is stored, with a warning.

    Raises:
        DatabaseError: the column can't store it.
    """
    column = table.columns[at]
    if value is None:
        if column.nullable:
            return None
        message = f"Column '{column.name}' cannot be null"
        if strict:
            raise database_error(1048, message)
        warn(1048, message)
        return column.type.zero
    try:
        return column.type.store(value)
    except BadValueError as error:
        if error.hopeless or (strict and not error.harmless):
            raise database_error(error.errno, error.message(table.name, column.name, number)) from error
        if strict:
            warn(error.errno, error.message(table.name, column.name, number))
        else:
            warn(*error.warning(table.name, column.name, number))
        return error.kept


def generate(table: Table, row: list[Value], number: int, warn: Warn, *, strict: bool = True) -> None:
    """Give the generated columns of a row their values. See `stored_value` for the arguments."""
    for at in table.generated:
        made = table.columns[at].generated
        assert made is not None
        row[at] = stored_value(table, at, made(row), number, warn, strict=strict)


def check_constraints(table: Table, row: Sequence[Value]) -> None:
    """Raise `DatabaseError` unless a row satisfies the CHECK constraints of its table."""
    for name, holds in table.checks.items():
        if not holds(row):
            raise database_error(3819, f"Check constraint '{name}' is violated.")


def completed(table: Table, row: Iterable[Value], number: int, warn: Warn, *, strict: bool = True) -> tuple[Value, ...]:
    """A row that triggers have changed, with its generated columns. See `stored_value` for the arguments.

    Raises:
        DatabaseError: a generated column can't store its value, or a CHECK constraint is violated.
    """
    made = list(row)
    generate(table, made, number, warn, strict=strict)
    check_constraints(table, made)
    return tuple(made)


def compile_assignments(scope: Scope, table: Table, nodes: Iterable[exp.Expr]) -> Assignments:
    """Compile ``SET column = value, …``. Raises as `Scope.compile` does."""
    found = []
    for node in nodes:
        if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Column):
            raise unsupported(node)
        name = node.this.name
        if name.lower() not in table.numbers:
            raise database_error(1054, f"Unknown column '{name}' in 'field list'")
        at = table.numbers[name.lower()]
        default = is_default(node.expression)
        if default and table.columns[at].generated is not None:
            continue  # it is made anew anyway
        refuse_generated(table, at)
        found.append((at, partial(_default, table, at) if default else scope.compile(node.expression)))
    return found


def is_default(node: exp.Expr) -> bool:
    """Whether an expression is the word DEFAULT; in backticks it is the name of a column."""
    quoted = isinstance(node, exp.Column) and bool(node.this.quoted)
    return isinstance(node, exp.Column | exp.Var) and node.name.upper() == "DEFAULT" and not quoted


def default_of(table: Table, at: int, session: Context) -> Value:
    """The default value of a column that has one."""
    column = table.columns[at]
    return column.default(session) if callable(column.default) else column.default


def _default(table: Table, at: int, env: Env) -> Value | object:
    return default_of(table, at, env.session) if table.columns[at].has_default else _MISSING


def refuse_generated(table: Table, at: int) -> None:
    """Refuse a value for a generated column. Raises a `DatabaseError` (3105)."""
    if table.columns[at].generated is not None:
        message = f"The value specified for generated column '{table.columns[at].name}' in table '{table.name}'"
        raise database_error(3105, f"{message} is not allowed.")


def apply_assignments(
    assignments: Assignments, table: Table, env: Env, number: int, warn: Warn, *, strict: bool = True, at: int = 0
) -> tuple[Value, ...]:
    """The current row of the ``at``-th table after assignments from left to right, each of which sees those before it.

    See `stored_value` for the other arguments.
    """
    before = tuple(env.rows[at])
    row = list(before)
    env.rows[at] = row
    try:
        for column, function in assignments:
            value = function(env)
            if value is _MISSING:
                message = f"Field '{table.columns[column].name}' doesn't have a default value"
                if strict:
                    raise database_error(1364, message)
                warn(1364, message)
                value = table.columns[column].type.zero
            row[column] = stored_value(table, column, value, number, warn, strict=strict)
    finally:
        env.rows[at] = before
    if tuple(row) != before:
        assigned = {column for column, _ in assignments}
        for own, definition in enumerate(table.columns):
            if definition.on_update is not None and own not in assigned:
                row[own] = definition.on_update(env.session)
        generate(table, row, number, warn, strict=strict)
        check_constraints(table, row)
    return tuple(row)
