"""What a SELECT of one table wants to know of groups of rows, so that an index may be read from group to group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.optimizer.access_request import Grouping

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.select import Select

__all__ = ["any_order", "groups_wanted", "ordered_groups"]

_Ordered = Sequence[tuple[int, int, bool]]
_Wanted = list[tuple[int, int, "bool | None"]]

_OF_DISTINCT = (exp.Count, exp.Sum, exp.Avg)


def any_order(columns: _Ordered) -> _Wanted:
    """Columns of groups, each with its table, of which either direction will do."""
    return [(at, column, None) for at, column, _ in columns]


def ordered_groups(columns: _Ordered, order: _Ordered | None) -> _Wanted | None:
    """The order in which groups are wanted: that of ORDER BY, if it names the first of their columns.

    Args:
        columns: the columns of GROUP BY.
        order: those of ORDER BY; empty without one, None if it has other expressions.

    Returns:
        None if the groups have to be sorted.
    """
    if order is None or any_order(order) != any_order(columns[: len(order)]):
        return None
    return [*order, *any_order(columns[len(order) :])]


def groups_wanted(select: Select) -> Grouping | None:
    """What it wants of groups; None if it has to read each row.

    It does not if it groups by columns or has DISTINCT of columns, with no aggregates but MIN() and MAX() of one
    column, or with aggregates of the same distinct columns.
    """
    if select.joined.count != 1 or isinstance(select.joined.table(0), Derived) or select.rolls_up or select.windows:
        return None
    groups = select.groups is not None
    by = _columns(select, select.grouped_by if groups else [])
    if by is None or (groups and select.distinct):
        return None
    aggregates = select.scope.aggregates
    if not aggregates:
        return Grouping(by) if groups else _distinct(select)
    if all(isinstance(each, exp.Min | exp.Max) for each in aggregates):
        return _ends(select, by, aggregates) if groups else None
    values = {_distinct_values(select, each) for each in aggregates}
    one = values.pop()
    return None if one is None or values or select.distinct else Grouping(by, one)


def _distinct(select: Select) -> Grouping | None:
    """What a SELECT DISTINCT wants."""
    columns = _columns(select, [each.unalias() for each in select.select_list]) if select.distinct else None
    return None if columns is None else Grouping((), frozenset(columns), len(columns))


def _ends(select: Select, by: Sequence[int], aggregates: Sequence[exp.Expr]) -> Grouping | None:
    """What MIN() and MAX() want, if they are of one column."""
    of = set(_columns(select, [each.this for each in aggregates]) or ())
    least, greatest = (any(isinstance(each, kind) for each in aggregates) for kind in (exp.Min, exp.Max))
    return Grouping(by, column=of.pop(), least=least, greatest=greatest) if len(of) == 1 else None


def _columns(select: Select, nodes: Sequence[exp.Expr]) -> list[int] | None:
    """The columns that expressions are; None if one of them is no column."""
    columns = [each for each in nodes if isinstance(each, exp.Column)]
    return [select.scope.column(each)[1] for each in columns] if len(columns) == len(nodes) else None


def _distinct_values(select: Select, aggregate: exp.Expr) -> frozenset[int] | None:
    """The columns whose distinct values an aggregate is of."""
    if not isinstance(aggregate, _OF_DISTINCT) or not isinstance(aggregate.this, exp.Distinct):
        return None
    found = _columns(select, aggregate.this.expressions)
    return None if found is None else frozenset(found)
