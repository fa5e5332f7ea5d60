"""Which access path a statement takes to a table's rows: a stated rule, since it decides what is locked.

The rule, after the manual's "Optimizing SELECT Statements" and "The Optimizer Cost Model", on exact counts. Reading a
page costs 1/4, looking at a row 1/10. An index is *covering* when it has all columns that a SELECT reads; for UPDATE
and DELETE none is.

1. Only indexes that FORCE INDEX or USE INDEX names are looked at, and none that IGNORE INDEX does (`index_hints`). One
   that was made after the transaction's snapshot is not searched unless it is forced, which is an error then (1412).
2. A unique index of whose columns each equals one value (not NULL) finds the row at once: `const` (`ref_access`).
   PRIMARY goes first. In an UPDATE or DELETE it is a range like others, and has to be the cheapest.
3. The cheapest `range` of an index (`range_access`) is a candidate if it is cheaper than a scan of the shortest
   covering index; where there is none, than one of the table (`scan_access`) with 2.1 put on top, or with FORCE INDEX
   at any cost. A range costs a page for each of its intervals and each row; by PRIMARY for each interval and the pages
   that the rows fill; by a covering index for the pages that the entries fill. Its rows are counted in the index; where
   only one index is forced, an equality has as many as ANALYZE TABLE said (`statistics`), a unique key one, an interval
   one.
4. Equalities on an index's first columns (`ref`, `ref_access`) are a candidate in a SELECT, if no range of that index
   goes by more columns. They cost a page a row, but at most a tenth of the table's rows, and two at least. The cheaper
   candidate is taken; a scan of the table before a `ref`, if it costs less.
5. A LIMIT below the rows expected makes a range cheaper than a scan of the table, in a SELECT if it gives the wanted
   order, and if it is cheaper than a scan of the shortest covering index (`order_and_limit`).
6. If the path does not give the wanted order (or, if there is none, that of the groups), the shortest index that does
   and begins with the columns that the path searches by is searched instead. Else one that gives it is walked, or its
   range searched if that is cheaper than a scan (3, 5): a covering one, or for groups any, instead of a scan; else one
   that costs less to read until the LIMIT is likely to be reached. UPDATE and DELETE do that only with a LIMIT and
   instead of a scan (`order_and_limit`).
7. MIN() and MAX() are read from the end of the first index that has the column behind others that equal one value
   each (`min_max`), if nothing else is asked; then before all other rules.

Before 4, several indexes may be searched together, if that is cheaper still (`index_merge`); no order is looked for
then. A value or NULL is an equality too: the value is looked up first (`ref_or_null`).

Before 3, a query of groups alone may read a covering index from group to group (`group_skip`), if that is cheaper than
a scan; a range then has to be cheaper still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chatsim.innodb.sql.expressions import Env, Function, is_true
from chatsim.innodb.sql.optimizer.access_request import AccessRequest, Direction, Grouping
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.cost_model import Candidate
from chatsim.innodb.sql.optimizer.group_skip import best_group_skip
from chatsim.innodb.sql.optimizer.index_hints import IndexHints
from chatsim.innodb.sql.optimizer.order_and_limit import for_limit, for_order
from chatsim.innodb.sql.optimizer.partition_pruning import used_partitions
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.sql.optimizer.range_access import best_range_or_merge, range_candidates
from chatsim.innodb.sql.optimizer.range_tree import RangeTree
from chatsim.innodb.sql.optimizer.ref_access import const_access, ref_access
from chatsim.innodb.sql.optimizer.scan_access import avoided_scan_cost, cheapest_scan, limited_scan_cost, table_scan
from chatsim.innodb.storage.partitions import PartitionedIndex
from chatsim.innodb.storage.scan import AccessPath
from chatsim.innodb.storage.structures import Index, ReadView
from chatsim.innodb.storage.table_access import TableAccess
from chatsim.innodb.storage.values import Value

__all__ = ["access_by", "choose_access", "plan_access", "pushed_conditions", "request_access"]

_NO_ROW = "no matching row in const table"
"""EXPLAIN's message for a SELECT that can have no row, by range analysis."""


def plan_access(
    conditions: Conditions,
    env: Env,
    hints: IndexHints,
    *,
    touched: set[int],
    ordering: Sequence[tuple[int, bool | None]] = (),
    limit: int | None = None,
    is_select: bool = True,
    grouped: bool = False,
    intersects: bool = True,
    view: ReadView | None = None,
) -> AccessPlan:
    """Choose the access path of a statement for one of its tables.

    Args:
        conditions: the conditions on the table.
        env: the values that are known now.
        hints: the index hints of the statement.
        touched: the columns that the statement reads or writes.
        ordering: the wanted order: columns, and whether each is descending; None if either will do.
        limit: the number of wanted rows.
        is_select: whether it is a SELECT, so that conditions may be pushed to the index.
        grouped: whether the order is for GROUP BY.
        intersects: whether an index merge intersection is allowed; not for DELETE.
        view: the read view of the transaction.
    """
    request = request_access(
        *(conditions, env, hints), touched=touched, is_select=is_select, intersects=intersects, view=view
    )
    if isinstance(request, AccessPlan):
        return request
    return choose_access(request, ordering=ordering, limit=limit, grouped=grouped)


def request_access(
    conditions: Conditions,
    env: Env,
    hints: IndexHints,
    *,
    touched: set[int],
    is_select: bool = True,
    intersects: bool = True,
    view: ReadView | None = None,
    whole_rows: bool = False,
    deletes: bool = False,
    alone: bool = True,
    pushes: bool = True,
    changes: bool = False,
    joined: bool = False,
) -> AccessRequest | AccessPlan:
    """The request for the access to a table; a plan without a path if the conditions hold for no row.

    For the arguments see `plan_access` and `AccessRequest`. One of several ``joined`` tables has no range analysis if
    the first column of no index is compared with a constant (in the server: ``const_keys``).
    """
    every: Sequence[Index] = conditions.table.indexes
    indexes = [each for each in conditions.table.indexes if hints.search.permits(each)]
    column_ranges = conditions.column_ranges(env, indexes)
    if column_ranges is None or any(each.equal and each.points == () for each in column_ranges.values()):
        false = not is_select or not conditions.constants_hold(env)
        return AccessPlan(conditions, why_none="Impossible WHERE" if false else _NO_ROW)
    used = None
    if (partitioning := conditions.table.partitioning) is not None:
        used = used_partitions(conditions.table, conditions.range_tree(env, [partitioning.key]), hints.partitions)
        if not used:
            return AccessPlan(conditions, why_none="no matching row after partition pruning")
        indexes = [each.among(used) for each in indexes if isinstance(each, PartitionedIndex)]
        every = [each.among(used) for each in every if isinstance(each, PartitionedIndex)]
    ranged = [each for each in indexes if each.definition.name not in hints.without_ranges]
    range_tree = RangeTree()
    if not joined or conditions.leads_into(indexes):
        range_tree = conditions.range_tree(env, ranged)
    if range_tree.impossible:
        return AccessPlan(conditions, why_none=_NO_ROW if is_select else "Impossible WHERE")
    return AccessRequest(
        *(conditions, env, indexes),
        searchable=[each for each in indexes if hints.search.forced or view is None or view.sees(each.made)],
        column_ranges=column_ranges,
        range_tree=range_tree,
        touched=touched,
        is_select=is_select,
        order=(),
        limit=None,
        grouped=False,
        intersects=intersects,
        forced=hints.search.forced,
        hints=hints,
        every=every,
        whole_rows=whole_rows,
        deletes=deletes,
        alone=alone,
        pushes=pushes and hints.pushes,
        guarded=conditions.optional,
        merges=hints.merges,
        used=used,
        in_order=changes or not is_select,
    )


def choose_access(
    request: AccessRequest,
    *,
    ordering: Sequence[tuple[int, bool | None]] = (),
    limit: int | None = None,
    grouped: bool = False,
    grouping: Grouping | None = None,
) -> AccessPlan:
    """Choose the path for a request, when its rows are wanted in an order, or only some of them, or groups of them."""
    ranges = request.column_ranges
    if ordering or limit is not None or grouped or grouping is not None:
        order = [(at, down) for at, down in ordering if at not in ranges or ranges[at].point is None]
        request = replace(request, order=order, limit=limit, grouped=grouped, grouping=grouping)
    return access_by(request, _for_select(request) if request.is_select else _for_change(request), ordering)


def access_by(
    request: AccessRequest, candidate: Candidate[TableAccess], ordering: Sequence[tuple[int, bool | None]] = ()
) -> AccessPlan:
    """The access plan with one of the candidates for a request."""
    conditions = request.conditions
    direction = request.direction(candidate)
    path = candidate.path
    if isinstance(path, AccessPath):
        if request.used is not None:
            path = replace(path, in_order=path.in_order or (bool(request.order) and direction is not None))
        if direction is Direction.BACKWARD:
            path = _backward(path, {column for column, _ in ordering})
        searches = request.is_select and candidate.parts and path.access != "const"
        guarded = request.guarded and path.access == "range"
        if searches and request.pushes and not guarded and not request.covers(path.index):
            path = _pushed(conditions, path, request.env)
    return AccessPlan(conditions, path, direction is not None, candidate, request)


def _for_select(request: AccessRequest) -> Candidate[TableAccess]:
    """The path of a SELECT."""
    if (const := const_access(request)) is not None:
        return const
    ranges = range_candidates(request)
    candidate = _cheapest(request, ranges)
    if candidate.path.access != "ref":
        candidate = for_limit(request, ranges, candidate)
    return for_order(request, ranges, candidate)


def _cheapest(request: AccessRequest, ranges: Sequence[Candidate[AccessPath]]) -> Candidate[TableAccess]:
    """The cheapest of ranges, index merges, refs and the scan."""
    scan = cheapest_scan(request)
    by_index = scan.path.access == "index"
    below = scan.cost if by_index else avoided_scan_cost(request, scan)
    groups = best_group_skip(request, below)
    best = best_range_or_merge(request, ranges, below if groups is None else groups.read_cost) or groups
    ref = ref_access(request, ranges)
    if ref is None:
        return best or scan
    if best is None:
        return ref if by_index or request.forced else _ref_or(ref, scan)
    same = isinstance(best.path, AccessPath) and best.path.index is ref.path.index
    return ref if same else _ref_or(ref, best)


def _ref_or(ref: Candidate[AccessPath], other: Candidate[TableAccess]) -> Candidate[TableAccess]:
    if ref.rows < other.rows and ref.read_cost <= other.read_cost:
        return ref
    return other if other.cost < ref.cost else ref


def _for_change(request: AccessRequest) -> Candidate[TableAccess]:
    """The path of an UPDATE or DELETE."""
    ranges = range_candidates(request)
    scan = table_scan(request)
    limited = request.limit is not None and request.limit < request.rows
    below = limited_scan_cost(request) if limited else avoided_scan_cost(request, scan)
    best = best_range_or_merge(request, ranges, below)
    if best is not None:
        const = const_access(request)
        return const if const and isinstance(best.path, AccessPath) and best.path.index is const.path.index else best
    return scan if request.limit is None else for_order(request, ranges, scan)


def _backward(path: AccessPath, order: set[int]) -> AccessPath:
    """A path that is read backwards. The server reads on to the record before a range, unless it is one row's key."""
    definition = path.index.definition
    whole = order <= set(definition.columns)  # a secondary index has the primary key after these
    ranges = tuple(
        each if whole and len(each.low or ()) >= len(definition.columns) else replace(each, exact=False)
        for each in reversed(path.ranges)
    )
    return replace(path, descending=True, ranges=ranges)


def _pushed(conditions: Conditions, path: AccessPath, env: Env) -> AccessPath:
    """A path with the conditions that are pushed to the index."""
    looked_up = len(path.ranges[0].low or ()) if path.access == "ref" else 0
    return pushed_conditions(path, conditions.index_conditions(path.index, looked_up), conditions.at, env)


def pushed_conditions(path: AccessPath, functions: Sequence[Function], at: int, env: Env) -> AccessPath:
    """A path with conditions pushed to its index (manual, "Index Condition Pushdown Optimization"), if there are any.

    Args:
        path: the path.
        functions: the conditions.
        at: the number of the table.
        env: the values that are known now.
    """
    if not functions:
        return path

    def holds(row: Sequence[Value]) -> bool:
        before = env.rows[at]
        env.rows[at] = row
        try:
            return all(is_true(function(env)) for function in functions)
        finally:
            env.rows[at] = before

    return replace(path, pushed=holds)
