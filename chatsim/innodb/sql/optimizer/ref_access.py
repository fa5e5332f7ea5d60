"""Access by equalities: ``const``, ``ref`` and ``ref_or_null`` (manual, "EXPLAIN Join Types")."""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.innodb.sql.optimizer.access_request import AccessRequest
from chatsim.innodb.sql.optimizer.cost_model import PAGE, Candidate, estimated_rows, key_parts
from chatsim.innodb.storage.scan import AccessPath, Range
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.values import Key, has_null

__all__ = ["const_access", "counted_ref", "ref_access", "ref_cost"]


def const_access(request: AccessRequest) -> Candidate[AccessPath] | None:
    """The access to one row by a unique index."""
    for index in request.indexes:
        columns = index.definition.columns
        values = request.equal_values(index, columns)
        if index.definition.unique and len(values) == len(columns) and not has_null(values):
            ranges = [Range(values, values, exact=True)]
            path = AccessPath(request.table, index, ranges, covering=request.covers(index), access="const")
            return Candidate(path, 1, 0.0, len(columns))
    return None


def ref_access(request: AccessRequest, ranges: Sequence[Candidate[AccessPath]]) -> Candidate[AccessPath] | None:
    """The cheapest ref access, by equalities on the first columns of an index, unless a range uses more columns."""
    found = (counted_ref(request, ranges, index) for index in request.searchable)
    return min((each for each in found if each is not None), key=lambda each: each.cost, default=None)


def counted_ref(
    request: AccessRequest, ranges: Sequence[Candidate[AccessPath]], index: Index
) -> Candidate[AccessPath] | None:
    """The ref access by constants to one index, with its rows counted; None if there is none."""
    keys = _lookups(request, index, key_parts(index))
    parts = len(keys[0])
    if not parts or any(each.path.index is index and each.parts > parts for each in ranges):
        return None
    spans = [Range(values, values, exact=True) for values in keys]
    rows = sum(estimated_rows(index, span) for span in spans)
    path = AccessPath(request.table, index, spans, covering=request.covers(index), access="ref")
    return Candidate(path, rows, ref_cost(request, index, rows), parts)


def ref_cost(request: AccessRequest, index: Index, rows: float) -> float:
    """The cost of reading rows by one value of an index."""
    if index.definition.clustered:
        return request.page_reads.clustered(1, rows)
    if request.covers(index):
        return request.page_reads.entries(index, rows)
    worst = max(min(request.rows / 10 * PAGE, 3 * request.page_reads.whole), 2 * PAGE)
    return min(rows * PAGE, worst)


def _lookups(request: AccessRequest, index: Index, columns: Sequence[int]) -> list[Key]:
    """The values of the first columns, as many as have only one value; for ``ref_or_null`` also with NULL."""
    values = request.equal_values(index, columns)
    rest = columns[len(values) :]
    left = request.column_ranges.get(rest[0]) if rest else None
    if left is None or not left.or_null or left.points is None:
        return [values]
    at = len(values)
    behind = request.equal_values(index, columns, at + 1)
    return [(*values, index.own_part(at, point), *behind) for point in reversed(left.points)]  # NULL comes last
