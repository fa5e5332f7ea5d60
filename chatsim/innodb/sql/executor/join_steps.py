"""The steps of a join, as the planner decides them and the executor follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from chatsim.innodb.sql.optimizer.join_order import Position, Strategy

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.from_clause import Nest
    from chatsim.innodb.sql.executor.joined_tables import Filter
    from chatsim.innodb.sql.expressions import Function
    from chatsim.innodb.sql.optimizer.access_request import Grouping
    from chatsim.innodb.sql.optimizer.join_access import Lookup
    from chatsim.innodb.sql.optimizer.plan import AccessPlan

__all__ = ["JoinPlan", "NestStep", "Order", "Step", "TableStep", "WeedoutStep"]


@dataclass(frozen=True)
class Order:
    """The order in which rows are wanted, and how many of them.

    Attributes:
        columns: the columns of the order, each with its table and whether it is descending (None if either will do);
            None if it has others.
        by: what the rows are sorted by, if they can't be read in this order: sort keys, and whether each is descending.
        tables: the tables that the order names.
        limit: how many rows are wanted, if they are given as they come, or in this order.
        grouped: whether the order is for GROUP BY.
        groups: how many groups are wanted, if they are given as they come.
        grouping: what is wanted of the groups of a single table; None if rows are.
    """

    columns: Sequence[tuple[int, int, bool | None]] | None = ()
    by: Sequence[tuple[Function, bool]] = ()
    tables: frozenset[int] = frozenset()
    limit: int | None = None
    grouped: bool = False
    groups: int | None = None
    grouping: Grouping | None = None


@dataclass
class TableStep:
    """A table that is read.

    Attributes:
        at: its number.
        access: how it is read; None for a derived table, or where it is planned for each row of the tables before it.
        filters: the conditions that are checked on each row of it.
        own: those of them that need no row of another table.
        buffered: whether it is read once, and the rows before it are kept.
        position: where the optimizer has put it; None for a single table.
        known: the tables whose rows are known when it is read, if it is planned then.
        sorted_by: the sort keys by which its rows are sorted before other tables are read, and which are descending.
    """

    at: int
    access: AccessPlan | Lookup | None
    filters: list[Filter] = field(default_factory=list)
    buffered: bool = False
    position: Position | None = None
    known: frozenset[int] = frozenset()
    sorted_by: Sequence[tuple[Function, bool]] = ()


@dataclass
class NestStep:
    """The tables of a nest.

    Attributes:
        nest: the nest.
        steps: how its tables are read.
        filters: the conditions that are checked on the rows with those of the nest.
        not_exists: only rows without a match are wanted, so that the first match is enough.
        kept: how the rows of a subquery are used that is read once; None if it is read for each row before it.
        joining: the conditions that say which of the kept rows match.
        distinct: the columns in which kept rows differ, each with its table.
        keys: the values in which kept rows differ.
    """

    nest: Nest
    steps: list[Step]
    filters: list[Filter] = field(default_factory=list)
    not_exists: bool = False
    kept: Strategy | None = None
    joining: list[Filter] = field(default_factory=list)
    distinct: list[tuple[int, int]] = field(default_factory=list)
    keys: list[Function] = field(default_factory=list)


@dataclass
class WeedoutStep:
    """Tables of which rows that come up again are dropped.

    Attributes:
        steps: how they are read.
        tables: those of them whose rows count; the others are of subqueries.
        filters: none: they are checked within.
    """

    steps: list[Step]
    tables: list[int]
    filters: list[Filter] = field(default_factory=list)


Step: TypeAlias = TableStep | NestStep | WeedoutStep
"""A step of a join."""


@dataclass
class JoinPlan:
    """How a join is executed.

    Attributes:
        steps: the tables in their order, those of a nest as one step.
        constants: the tables of which the one row has been read, in order.
        ordered: whether the rows come in the wanted order.
        none: why there are no rows; empty if there may be some.
        rows: the estimated number of rows.
        per_group: how many rows are read of each group, if an index is read from group to group; else 0.
    """

    steps: list[Step] = field(default_factory=list)
    constants: list[int] = field(default_factory=list)
    ordered: bool = False
    none: str = ""
    rows: float = 1.0
    per_group: int = 0
