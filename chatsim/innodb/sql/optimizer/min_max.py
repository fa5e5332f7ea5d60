"""MIN() and MAX() from the end of an index: EXPLAIN's "Select tables optimized away"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from chatsim.innodb.sql.expressions import Env
from chatsim.innodb.sql.optimizer.column_range import ColumnRange
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.cost_model import key_parts
from chatsim.innodb.sql.optimizer.index_hints import IndexHints
from chatsim.innodb.sql.optimizer.intervals import after
from chatsim.innodb.sql.optimizer.ranges import bound
from chatsim.innodb.storage.scan import AccessPath, Range
from chatsim.innodb.storage.values import NULL, Key, Value

__all__ = ["IndexEnd", "index_end"]


@dataclass(frozen=True)
class IndexEnd:
    """Where an index has MIN() or MAX() of a column: in the first row of the first path that begins within the group.

    Attributes:
        paths: they have no end, since only their first row is read, whether it meets the conditions or not. The second
            path is for a group that has NULL only.
        group: how the keys of the group begin.
    """

    paths: Sequence[AccessPath]
    group: Key

    def has(self, row: Sequence[Value]) -> bool:
        """Whether a row is in the group."""
        return self.paths[0].index.key_of(row)[: len(self.group)] == self.group


def index_end(
    conditions: Conditions, env: Env, hints: IndexHints, of: tuple[int, bool], read: set[int]
) -> IndexEnd | None:
    """The end of an index that has MIN() or MAX() of a column; None if no index will do.

    Args:
        conditions: the conditions on the table.
        env: the values known now.
        hints: of the statement.
        of: the column, and whether its greatest value is wanted.
        read: the columns that the statement reads.
    """
    column, greatest = of
    left = conditions.column_ranges(env) if hints.partitions is None else None
    fixed = [each for each, own in (left or {}).items() if own.point is not None]
    if left is None or not conditions.is_simple(fixed) or any(_is_nothing(own) for own in left.values()):
        return None
    for index in filter(hints.search.permits, conditions.table.indexes):
        definition = index.definition
        if definition.lengths or definition.descending or definition.array is not None:
            continue
        parts = tuple(key_parts(index))
        before = tuple(takewhile(lambda each: each != column, parts))
        if before == parts or set(left) - {*before, column}:
            continue
        points = tuple(left.get(each, ColumnRange()).point for each in before)
        if None in points:
            continue
        own = left.get(column, ColumnRange())
        skips_nulls = own.is_open_below and own.points is None and conditions.table.columns[column].nullable
        low, low_included = bound(points, after(NULL) if skips_nulls else own.first, 0)
        high, high_included = bound(points, own.last, -1)
        if greatest:
            ranges = [Range(None, high or None, high_included=high_included)]
        else:
            ranges = [Range(low or None, None, low_included=low_included)]
            ranges += [Range(low, low, exact=True)] if skips_nulls else []
        covering = definition.clustered or read <= set(definition.place)
        made = AccessPath(conditions.table, index, [], descending=greatest, covering=covering, access="range")
        path = replace(made, in_order=True)
        return IndexEnd([replace(path, ranges=[each]) for each in ranges], points)
    return None


def _is_nothing(span: ColumnRange) -> bool:
    """Whether a column can have no value; the server reads from one end of a range without seeing that it has none."""
    return span.points == () and not span.ends_before_it_starts
