"""Range access (manual, "Range Optimization"), and index merges (`index_merge`)."""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.innodb.sql.optimizer.access_request import AccessRequest
from chatsim.innodb.sql.optimizer.cost_model import PAGE, ROW, Candidate, estimated_rows, is_unique_key
from chatsim.innodb.sql.optimizer.index_merge import IndexMerges
from chatsim.innodb.sql.optimizer.ranges import ranges_of
from chatsim.innodb.sql.optimizer.scan_access import index_scan
from chatsim.innodb.storage.scan import AccessPath, Range
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.table_access import TableAccess
from chatsim.innodb.storage.values import has_null

__all__ = ["best_range_or_merge", "cheapest_below", "range_candidates"]


def range_candidates(request: AccessRequest) -> list[Candidate[AccessPath]]:
    """A candidate for each index whose ranges are restricted by the conditions."""
    found = (_range_candidate(request, index) for index in request.searchable)
    return [each for each in found if each is not None]


def cheapest_below(ranges: Sequence[Candidate[AccessPath]], cost: float) -> Candidate[AccessPath] | None:
    """The cheapest range, if it costs less than ``cost``."""
    best = min(ranges, key=lambda each: each.read_cost, default=None)
    return best if best is not None and best.read_cost < cost else None


def best_range_or_merge(
    request: AccessRequest, ranges: Sequence[Candidate[AccessPath]], below: float
) -> Candidate[TableAccess] | None:
    """The cheapest range or index merge, if it costs less than ``below``."""
    best: Candidate[TableAccess] | None = cheapest_below(ranges, below)
    if not request.merges:
        return best
    merges = IndexMerges(
        request.table, request.searchable, request.rows, request.page_reads, request.touched, in_order=request.in_order
    )
    if request.intersects:
        best = merges.intersection(ranges, best.read_cost if best else below) or best
    for sides in request.range_tree.merges:
        best = merges.union(sides, best.read_cost if best else below) or best
    return best


def _range_candidate(request: AccessRequest, index: Index) -> Candidate[AccessPath] | None:
    found = ranges_of(request.range_tree.by_index.get(index))
    if found is None:
        return None
    ranges, parts = found
    rows = sum(_expected_rows(request, index, each) for each in ranges)
    covering = request.covers(index, entry=True)
    path = AccessPath(request.table, index, ranges, covering=covering, access="range", in_order=request.in_order)
    if index.definition.clustered:
        read_cost = request.page_reads.clustered(len(ranges), rows)
    elif request.covers(index):
        read_cost = request.page_reads.entries(index, rows)
    else:
        read_cost = (len(ranges) + rows) * PAGE
    return Candidate(path, rows, read_cost + rows * ROW + 0.01, parts)


def _expected_rows(request: AccessRequest, index: Index, span: Range) -> int:
    """The estimated number of rows of a range.

    The server counts them, unless the only index of one table is forced, and no rows have to be sorted or grouped. In
    the server: ``check_skip_records_in_range_qualification``.
    """
    skips = request.forced and len(request.indexes) == 1 and request.is_select and request.alone and _in_order(request)
    looks = not skips or (span.high_included and has_null(span.high or ()))
    if looks or is_unique_key(index, span):
        return estimated_rows(index, span)
    if not span.exact:
        return 1
    return max(int(request.table.statistics.rows_per_key(index, len(span.low or ()))), 1)


def _in_order(request: AccessRequest) -> bool:
    """Whether the only index gives the wanted order, if there is one."""
    return not request.order or request.direction(index_scan(request, request.indexes[0])) is not None
