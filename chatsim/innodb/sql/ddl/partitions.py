"""PARTITION BY: which rows are in which partition (manual, "Partitioning Types")."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.partition_columns import constant, lists_of_columns, no_partition, ranges_of_columns
from chatsim.innodb.sql.ddl.partition_hash import key_hash, linear_number
from chatsim.innodb.sql.expressions import Context, Env, Scope
from chatsim.innodb.sql.syntax import PartitioningSyntax, PartitionSyntax
from chatsim.innodb.storage.column_types import ColumnType, Integer
from chatsim.innodb.storage.partitions import Partitioning
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Value

__all__ = ["partition"]

_MONOTONIC = ("YEAR", "TO_DAYS", "TO_SECONDS", "UNIX_TIMESTAMP")
"""Functions that grow with their argument."""

_NumberOf = Callable[[Sequence[Value]], int]
_Compute = Callable[[Sequence[Value]], Value]


def partition(table: Table, said: PartitioningSyntax, context: Context) -> None:
    """Divide a new table into partitions.

    Args:
        table: the table.
        said: PARTITION BY.
        context: the session, for expressions.

    Raises:
        NotImplementedError: the model does not have it.
        DatabaseError: it is not valid.
    """
    columns, compute = _source(table, said, context)
    _check_keys(table, columns)
    kinds = [table.columns[at].type for at in columns]
    bare = said.expression is None or isinstance(said.expression.unnest(), exp.Column)
    names = [each.name for each in said.partitions] or [f"p{at}" for at in range(said.count or 1)]
    if said.count and said.partitions and said.count != len(said.partitions):
        raise database_error(1064, "Wrong number of partitions defined, mismatch with previous setting")
    number_of: _NumberOf
    listed: list[Any] = []
    bounds: list[Any] = []
    match said.kind:
        case "HASH" if said.linear:
            linear = linear_number(len(names))
            number_of = lambda values: linear(int(cast("int", compute(values) or 0)))  # noqa: E731
        case "HASH":
            number_of = lambda values: abs(int(cast("int", compute(values) or 0))) % len(names)  # noqa: E731
        case "KEY":
            of_hash = linear_number(len(names)) if said.linear else lambda number: number % len(names)
            hashed = key_hash(kinds)
            number_of = lambda values: of_hash(hashed(values))  # noqa: E731
        case "RANGE" if len(columns) > 1:
            bounds, number_of = ranges_of_columns(said.partitions, kinds, context)
        case "LIST" if len(columns) > 1:
            listed, number_of = lists_of_columns(said.partitions, kinds, context)
        case "RANGE":
            bounds, number_of = _by_range(said.partitions, compute, context, kinds[0] if said.columns else None)
        case _:
            listed, number_of = _by_list(said.partitions, compute, context, kinds[0] if said.columns else None)
    ordered = len(kinds) == 1 and (isinstance(kinds[0], Integer) or getattr(kinds[0], "digits", 0) is None)
    partitioning = Partitioning(said.kind, columns, number_of, listed=listed, bounds=bounds if bare else ())
    partitioning.strictly = bare and ordered
    partitioning.monotonic = said.kind == "RANGE" and (bare or _grows(said.expression))
    table.divide(partitioning, names)


def _source(
    table: Table, said: PartitioningSyntax, context: Context
) -> tuple[tuple[int, ...], Callable[[Sequence[Value]], Value]]:
    """The columns of PARTITION BY, and what is computed of their values."""
    if said.expression is None:
        names = said.columns
        if not names:  # KEY (): the primary key
            columns = table.clustered.definition.columns
        else:
            for name in names:
                if name.lower() not in table.numbers:
                    raise database_error(1488, "Field in list of fields for partition function not found in table")
            columns = tuple(table.numbers[name.lower()] for name in names)
        return columns, lambda values: values[0]
    scope = Scope([(table.name, table)])
    compiled = scope.compile(said.expression)
    columns = tuple(sorted(column for _, column in scope.read))

    def compute(values: Sequence[Value]) -> Value:
        row: list[Value] = [None] * len(table.columns)
        for at, value in zip(columns, values, strict=True):
            row[at] = value
        return cast("Value", compiled(Env(context, (), [row])))

    return columns, compute


def _check_keys(table: Table, columns: Sequence[int]) -> None:
    """Refuse a unique key without a column of the partitioning function, foreign keys, and a hidden key."""
    for index in table.indexes:
        definition = index.definition
        if definition.unique and table.hidden not in definition.columns and not {*columns} <= {*definition.columns}:
            kind = "PRIMARY KEY" if definition.name == "PRIMARY" else "UNIQUE INDEX"
            message = f"A {kind} must include all columns in the table's partitioning function"
            raise database_error(1503, f"{message} (prefixed columns are not considered).")
    if table.parents or table.orphaned:
        raise database_error(1506, "Foreign keys are not yet supported in conjunction with partitioning")


def _grows(node: exp.Expr | None) -> bool:
    """Whether an expression is a function that grows with a column."""
    call = node.unnest() if node is not None else None
    if not isinstance(call, exp.Func):
        return False
    name = call.name.upper() if isinstance(call, exp.Anonymous) else call.sql_name()
    return name in _MONOTONIC


def _by_range(
    partitions: Sequence[PartitionSyntax],
    compute: Callable[[Sequence[Value]], Value],
    context: Context,
    kind: ColumnType | None,
) -> tuple[list[Any], _NumberOf]:
    bounds: list[Any] = []
    for each in partitions:
        (bound,) = each.less_than
        if bound is None:
            break
        value = constant(bound, context, kind)
        if bounds and value <= bounds[-1]:
            message = "VALUES LESS THAN value must be strictly increasing for each partition"
            raise database_error(1493, message)
        bounds.append(value)
    unlimited = len(bounds) < len(partitions)

    def number_of(values: Sequence[Value]) -> int:
        value = compute(values)
        if value is None:
            return 0
        number: int = bisect_right(bounds, kind.order(value) if kind is not None else value)
        if number == len(bounds) and not unlimited:
            raise no_partition(value)
        return number

    return bounds, number_of


def _by_list(
    partitions: Sequence[PartitionSyntax],
    compute: Callable[[Sequence[Value]], Value],
    context: Context,
    kind: ColumnType | None,
) -> tuple[list[Value], _NumberOf]:
    numbers: dict[object, int] = {}
    for at, each in enumerate(partitions):
        for (node,) in each.values:
            value = None if isinstance(node, exp.Null) else constant(node, context, kind)
            if value in numbers:
                raise database_error(1495, "Multiple definition of same constant in list partitioning")
            numbers[value] = at

    def number_of(values: Sequence[Value]) -> int:
        value = compute(values)
        number = numbers.get(kind.order(value) if kind is not None and value is not None else value)
        if number is None:
            raise no_partition(value)
        return number

    return [cast("Value", each) for each in numbers], number_of
