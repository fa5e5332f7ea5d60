"""An access request: the conditions on one table with the values that are known now, from which a path is chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from chatsim.innodb.sql.expressions import Env
from chatsim.innodb.sql.optimizer.column_range import ColumnRange
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.cost_model import Candidate, PageReads
from chatsim.innodb.sql.optimizer.index_hints import IndexChoice, IndexHints
from chatsim.innodb.sql.optimizer.range_tree import RangeTree
from chatsim.innodb.storage.group_skip import GroupSkip
from chatsim.innodb.storage.index_merge import Merge
from chatsim.innodb.storage.partitions import PartitionedIndex
from chatsim.innodb.storage.scan import AccessPath
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.table_access import TableAccess
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Key

__all__ = ["AccessRequest", "Direction", "Grouping", "is_ref_or_null"]


class Direction(Enum):
    """The direction in which an index gives the wanted order."""

    FORWARD = 1
    BACKWARD = -1


@dataclass(frozen=True)
class Grouping:
    """What a query of one table wants to know of the groups of its rows: nothing, or the ends of one column.

    Attributes:
        by: the columns of GROUP BY, in order.
        distinct: those of DISTINCT, or of aggregates of distinct values.
        furthest: where in an index the last of them may stand.
        column: the column whose least or greatest value is wanted; None if no value is.
        least: whether MIN() is wanted.
        greatest: whether MAX() is.
        last: only some are wanted, the last ones of an order.
    """

    by: Sequence[int]
    distinct: frozenset[int] = frozenset()
    furthest: float = math.inf
    column: int | None = None
    least: bool = False
    greatest: bool = False
    last: bool = False


@dataclass(frozen=True, eq=False)
class AccessRequest:
    """A request for an access path to one table.

    Attributes:
        conditions: the conditions on the table.
        env: the values that are known now.
        indexes: the indexes that index hints permit.
        searchable: those of them that may be searched: none that is newer than the transaction's snapshot.
        column_ranges: the values of columns that the conditions allow.
        range_tree: the ranges of indexes that the conditions allow.
        touched: the columns that the statement reads or writes.
        is_select: whether it is a SELECT, so that a covering index is enough, and conditions may be pushed to an index.
        order: the wanted order, without columns that have only one value: each column, and whether it is descending;
            None if either will do, as for groups.
        limit: the number of wanted rows; None is all.
        grouped: whether the order is for GROUP BY.
        intersects: whether an index merge intersection is allowed.
        forced: whether a scan of the table must be avoided at any cost (FORCE INDEX).
        hints: the index hints of the statement.
        every: all indexes of the table.
        whole_rows: whether the statement needs the whole row, so that no index is enough.
        alone: whether it is the only table of the statement, which has no subquery, and neither groups nor DISTINCT.
        deletes: whether the row is needed only to be deleted.
        pushes: whether conditions may be pushed to an index.
        guarded: whether the conditions are those of an outer join or antijoin: a range does not push them to an index,
            and a lookup all of them or none (in the server they are one, in an ``Item_trig_cond``).
        merges: whether several indexes may be searched together.
        used: the partitions in which there may be rows; None if it has none.
        in_order: whether a range of several partitions is read in order, wanted or not: in what is no SELECT.
        grouping: what is wanted of the groups of rows; None if rows are.
    """

    conditions: Conditions
    env: Env
    indexes: Sequence[Index]
    searchable: Sequence[Index]
    column_ranges: Mapping[int, ColumnRange]
    range_tree: RangeTree
    touched: set[int]
    is_select: bool
    order: Sequence[tuple[int, bool | None]]
    limit: int | None
    grouped: bool
    intersects: bool
    forced: bool
    hints: IndexHints
    every: Sequence[Index]
    whole_rows: bool = False
    deletes: bool = False
    alone: bool = True
    pushes: bool = True
    guarded: bool = False
    merges: bool = True
    used: frozenset[int] | None = None
    in_order: bool = False
    grouping: Grouping | None = None

    @property
    def table(self) -> Table:
        """The table."""
        return self.conditions.table

    @cached_property
    def rows(self) -> int:
        """The estimated number of rows of the table, at least one."""
        if self.table.partitioning is not None:
            return max(sum(self._rows_of_partitions), 1)
        return max(self.table.statistics.rows, 1)

    @property
    def clustered(self) -> Index:
        """The clustered index, with the partitions in which there may be rows."""
        return self.table.clustered if self.used is None else self._partitions.among(self.used)

    @property
    def _partitions(self) -> PartitionedIndex:
        index = self.table.clustered
        assert isinstance(index, PartitionedIndex)
        return index

    @cached_property
    def _rows_of_partitions(self) -> list[int]:
        """The rows of each partition that may have some of those that are wanted."""
        partitions, rows_of = self.table.partitions, self.table.statistics.rows_of
        return [rows_of[partitions[at].name] for at in sorted(self.used or ())]

    @property
    def ordering_choice(self) -> IndexChoice:
        """The indexes that may give the wanted order."""
        return self.hints.group if self.grouped else self.hints.order

    def _may_order(self, candidate: Candidate[Any]) -> bool:
        """Whether its index may give an order: not by a scan, if it has a row several times, or not at all."""
        index: Index = candidate.path.index
        return self.ordering_choice.permits(index) and (bool(candidate.parts) or index.definition.array is None)

    @cached_property
    def page_reads(self) -> PageReads:
        """The costs of reading its pages."""
        return PageReads(self.table, [self.rows] if self.used is None else self._rows_of_partitions)

    def covers(self, index: Index, *, entry: bool = False) -> bool:
        """Whether an index has all columns that are read.

        The clustered index has them; with ``entry``, only if they are in its key.
        """
        definition = index.definition
        if definition.clustered and not entry:
            return True
        if definition.array is not None:
            return False
        columns = definition.columns if definition.clustered else definition.place
        if not self.is_select or self.whole_rows:
            return False
        return self.touched <= set(columns) and definition.has(self.touched)

    def equal_values(self, index: Index, columns: Sequence[int], first: int = 0) -> Key:
        """The values of key parts of an index, as many as have only one value, from the part ``first`` on."""
        values: list[object] = []
        for part, column in enumerate(columns[first:], start=first):
            left = self.column_ranges.get(column)
            if left is None or left.point is None:
                break
            values.append(index.own_part(part, left.point))
        return tuple(values)

    def direction(self, candidate: Candidate[TableAccess]) -> Direction | None:
        """The direction in which a path gives the wanted order; None if it does not give it."""
        path = candidate.path
        if not self.order or path.access == "const":
            return Direction.FORWARD
        if isinstance(path, Merge) or path.access == "ALL" or is_ref_or_null(path) or not self._may_order(candidate):
            return None
        definition = path.index.definition
        place = [
            column if not definition.length(part) else None
            for part, column in enumerate(definition.place)
            if (left := self.column_ranges.get(column)) is None or left.point is None
        ]
        if place[: len(self.order)] != [column for column, _ in self.order]:
            return None
        turned = {down != (column in definition.descending) for column, down in self.order if down is not None}
        if len(turned) > 1 or (isinstance(path, GroupSkip) and True in turned):
            return None
        suffixed = any(column not in definition.columns for column, _ in self.order)
        if True in turned and path.access == "range" and definition.descending and suffixed:
            return None  # no range is read backwards for the order of the primary key behind a descending column
        return Direction.BACKWARD if True in turned else Direction.FORWARD


def is_ref_or_null(path: TableAccess) -> bool:
    """Whether a path looks up a value and then NULL, which is not the order of an index."""
    return isinstance(path, AccessPath) and path.access == "ref" and len(path.ranges) > 1
