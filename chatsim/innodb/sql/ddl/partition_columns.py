"""PARTITION BY RANGE COLUMNS and LIST COLUMNS of several columns, and the constants of all kinds of partitions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Context, Env, Scope
from chatsim.innodb.sql.syntax import PartitionSyntax
from chatsim.innodb.storage.column_types import ColumnType
from chatsim.innodb.storage.partitions import MAXVALUE, column_place
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["constant", "lists_of_columns", "no_partition", "ranges_of_columns"]

_NumberOf = Callable[[Sequence[Value]], int]
_Place = tuple[Any, ...]
"""The sort key of a row of values."""


def ranges_of_columns(
    partitions: Sequence[PartitionSyntax], kinds: Sequence[ColumnType], context: Context
) -> tuple[list[_Place], _NumberOf]:
    """The bounds of RANGE COLUMNS, and what gives the number of a partition. Raises a `DatabaseError` (1493, 1064)."""
    bounds: list[_Place] = []
    for each in partitions:
        bound = _row(each.less_than, kinds, context)
        if bounds and bound <= bounds[-1]:
            raise database_error(1493, "VALUES LESS THAN value must be strictly increasing for each partition")
        bounds.append(bound)

    def number_of(values: Sequence[Value]) -> int:
        number = bisect_right(bounds, _place(values, kinds))
        if number == len(bounds):
            raise no_partition("from column_list")
        return number

    return bounds, number_of


def lists_of_columns(
    partitions: Sequence[PartitionSyntax], kinds: Sequence[ColumnType], context: Context
) -> tuple[list[tuple[_Place, int]], _NumberOf]:
    """The rows of LIST COLUMNS with their partitions, and what gives the number of a partition.

    Raises a `DatabaseError` (1495, 1064).
    """
    numbers: dict[_Place, int] = {}
    for at, each in enumerate(partitions):
        for row in each.values:
            place = _row(row, kinds, context)
            if place in numbers:
                raise database_error(1495, "Multiple definition of same constant in list partitioning")
            numbers[place] = at

    def number_of(values: Sequence[Value]) -> int:
        number = numbers.get(_place(values, kinds))
        if number is None:
            raise no_partition("from column_list")
        return number

    return list(numbers.items()), number_of


def _row(nodes: Sequence[exp.Expr | None], kinds: Sequence[ColumnType], context: Context) -> _Place:
    """The place of a row of constants, of which None is MAXVALUE."""
    if len(nodes) != len(kinds):
        raise database_error(1064, "You have an error in your SQL syntax: Inconsistency in usage of column lists")
    return tuple(
        MAXVALUE
        if node is None
        else column_place(None if isinstance(node, exp.Null) else constant(node, context, kind))
        for node, kind in zip(nodes, kinds, strict=True)
    )


def _place(values: Sequence[Value], kinds: Sequence[ColumnType]) -> _Place:
    return tuple(
        column_place(None if value is None else kind.order(value)) for value, kind in zip(values, kinds, strict=True)
    )


def constant(node: exp.Expr, context: Context, kind: ColumnType | None) -> Any:
    """A constant of a partition; for a column its sort key."""
    value = cast("Value", Scope().compile(node)(Env(context, ())))
    if kind is None:
        return value
    return kind.order(kind.store(value))


def no_partition(value: Value) -> Exception:
    """The error for a value for which there is no partition."""
    shown = "NULL" if value is None else as_text(value)
    return database_error(1526, f"Table has no partition for value {shown}")
