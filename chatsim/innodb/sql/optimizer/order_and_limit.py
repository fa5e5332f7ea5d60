"""Sort avoidance and LIMIT: another index may give the wanted order, or may let the statement stop early.

Sources: manual, "ORDER BY Optimization", "LIMIT Query Optimization", "GROUP BY Optimization".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chatsim.innodb.sql.optimizer.access_request import AccessRequest, is_ref_or_null
from chatsim.innodb.sql.optimizer.cost_model import PAGE, ROW, Candidate
from chatsim.innodb.sql.optimizer.key_length import index_length
from chatsim.innodb.sql.optimizer.range_access import cheapest_below, range_candidates
from chatsim.innodb.sql.optimizer.scan_access import avoided_scan_cost, cheapest_scan, index_scan, limited_scan_cost
from chatsim.innodb.storage.scan import AccessPath
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.table_access import TableAccess

__all__ = ["expected_rows", "filtered_rows", "for_limit", "for_order"]

_LEAST_FILTERED = 0.05  # the smallest estimate of rows that conditions leave


def filtered_rows(
    request: AccessRequest, ranges: Sequence[Candidate[AccessPath]], candidate: Candidate[TableAccess]
) -> float:
    """The estimated number of its rows for which all conditions are true (manual, "Condition Filtering").

    Conditions that a range of an index answers count as the index does; others by fixed guesses.
    """
    if not isinstance(candidate.path, AccessPath):
        return candidate.rows
    known = set(candidate.path.index.definition.place[: candidate.parts])
    selectivity = 1.0
    for each in ranges:
        columns = {*each.path.index.definition.place[: each.parts]}
        if not columns & known:
            selectivity *= min(each.rows / request.rows, 1)
            known |= columns
    selectivity = max(selectivity * request.conditions.selectivity(request.rows, known), 1 / request.rows)
    return max(candidate.rows * selectivity, _LEAST_FILTERED)


def expected_rows(request: AccessRequest, candidate: Candidate[TableAccess]) -> float:
    """The estimated number of rows that a path gives: those of a range or scan that meet the conditions."""
    searched = candidate.path.access in ("ref", "const")
    return float(candidate.rows) if searched else filtered_rows(request, range_candidates(request), candidate)


# -- LIMIT


def for_limit(
    request: AccessRequest, ranges: Sequence[Candidate[AccessPath]], candidate: Candidate[TableAccess]
) -> Candidate[TableAccess]:
    """A range in place of a scan, if the LIMIT is smaller than the expected number of rows."""
    if request.limit is None or request.limit >= filtered_rows(request, ranges, candidate):
        return candidate
    scan = cheapest_scan(request)
    if not isinstance(candidate.path, AccessPath):
        return _one_instead_of_merge(request, ranges, candidate, scan)
    if request.order:
        ranges = [each for each in ranges if each.rows < request.rows and request.direction(each) is not None]
    below = limited_scan_cost(request)
    if scan.path.access == "index":
        below = min(below, scan.cost)
    return cheapest_below(ranges, below) or candidate


def _one_instead_of_merge(
    request: AccessRequest,
    ranges: Sequence[Candidate[AccessPath]],
    merge: Candidate[TableAccess],
    scan: Candidate[AccessPath],
) -> Candidate[TableAccess]:
    """One index in place of an index merge: the server searches again for one in the wanted order, and takes it."""
    indexes = [each for each in request.indexes if each in request.range_tree]
    if not any(request.direction(index_scan(request, each)) is not None for each in indexes):
        return merge
    ordered = [each for each in ranges if request.direction(each) is not None]
    return min(ordered, key=lambda each: (len(each.path.index.definition.columns), each.rows), default=scan)


# -- ORDER BY, GROUP BY


def for_order(
    request: AccessRequest, ranges: Sequence[Candidate[AccessPath]], candidate: Candidate[TableAccess]
) -> Candidate[TableAccess]:
    """An index that gives the wanted order, if stopping early is cheaper than sorting."""
    path = candidate.path
    if request.direction(candidate) is not None or not isinstance(path, AccessPath) or is_ref_or_null(path):
        return candidate
    knows = {column for column, _ in request.order} <= path.columns | {*request.table.clustered.definition.columns}
    if not knows and (other := _same_prefix(request, ranges, path, candidate)) is not None:
        return other
    found = [
        each
        for index in filter(request.ordering_choice.permits, request.every)
        if (each := _in_order(request, ranges, index, candidate)) is not None
    ]
    if not found:
        return candidate
    return min(found, key=lambda each: (not each.path.covering, len(each.path.index.definition.columns)))


def _same_prefix(
    request: AccessRequest,
    ranges: Sequence[Candidate[AccessPath]],
    path: AccessPath,
    candidate: Candidate[TableAccess],
) -> Candidate[AccessPath] | None:
    """A search by the same columns in the shortest other index that gives the wanted order."""
    by = path.index.definition.columns[: candidate.parts]
    if len(by) < max(candidate.parts, 1):
        return None
    alike = [each for each in request.searchable if each.definition.columns[: len(by)] == by]
    if request.covers(path.index, entry=True):
        alike = [each for each in alike if request.covers(each, entry=True)]
    searches = (_search(request, ranges, index, path, candidate) for index in alike)
    found = [each for each in searches if each is not None and request.direction(each) is not None]
    return min(found, key=lambda each: index_length(request.table, each.path.index.definition), default=None)


def _search(
    request: AccessRequest,
    ranges: Sequence[Candidate[AccessPath]],
    index: Index,
    like: AccessPath,
    candidate: Candidate[TableAccess],
) -> Candidate[AccessPath] | None:
    """The search of an index in place of another one: its range, if the other has one, or if it uses more columns."""
    own = [each for each in ranges if each.path.index is index]
    if like.access != "ref":
        return cheapest_below(own, _range_limit(request))
    longer = [each for each in own if each.parts > candidate.parts]
    path = replace(like, index=index, covering=request.covers(index))
    return next(iter(longer), Candidate(path, candidate.rows, candidate.read_cost, candidate.parts))


def _in_order(
    request: AccessRequest,
    ranges: Sequence[Candidate[AccessPath]],
    index: Index,
    instead: Candidate[TableAccess],
) -> Candidate[AccessPath] | None:
    """An index that is read in the wanted order, if that is cheaper than a path with a sort."""
    covering = request.covers(index)
    other = index_scan(request, index)
    scans = not instead.parts
    welcome = scans and (covering or request.ordering_choice.forced or request.grouped)
    wanted = welcome or covering or request.limit is not None
    if not request.order or request.direction(other) is None or not wanted:
        return None
    likely = _likely_rows(request, ranges, instead)
    needed = request.rows
    if request.limit is not None and request.limit <= likely:
        needed = request.limit * request.rows // likely
    searches = isinstance(instead.path, AccessPath) and not scans and request.covers(instead.path.index, entry=True)
    if covering and searches and likely < needed:
        return None
    if not welcome and _ordered_read_cost(request, index, needed) >= _sorted_read_cost(request, ranges, instead):
        return None
    own = [each for each in ranges if each.path.index is index]
    return cheapest_below(own, _range_limit(request)) or other


def _likely_rows(
    request: AccessRequest, ranges: Sequence[Candidate[AccessPath]], instead: Candidate[TableAccess]
) -> int:
    """The estimated number of rows for which the conditions are true; for a SELECT, those of the narrowest range."""
    if instead.path.access == "ref" or not request.is_select:
        return instead.rows
    return min((each.rows for each in ranges), default=request.rows)


def _ordered_read_cost(request: AccessRequest, index: Index, rows: int) -> float:
    """The cost of reading rows in the order of an index."""
    per_key = request.table.statistics.rows_per_key(index, len(index.definition.columns))
    return rows / per_key * min(per_key * PAGE, request.page_reads.whole)


def _sorted_read_cost(
    request: AccessRequest, ranges: Sequence[Candidate[AccessPath]], instead: Candidate[TableAccess]
) -> float:
    """The cost of reading the rows of a path with a sort, including rows that do not match."""
    cost = instead.read_cost if instead.parts else request.page_reads.whole
    if request.is_select and instead.path.access != "ref":
        cost += (instead.rows - filtered_rows(request, ranges, instead)) * ROW
    return cost


def _range_limit(request: AccessRequest) -> float:
    """The cost below which a range is chosen, with the given LIMIT."""
    scan = cheapest_scan(request)
    unlimited = request.limit is None or request.limit >= request.rows
    cost = avoided_scan_cost(request, scan) if unlimited else limited_scan_cost(request)
    return min(cost, scan.cost) if scan.path.access == "index" else cost
