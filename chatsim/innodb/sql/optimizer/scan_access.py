"""Scans of a whole table or a whole index, and their costs when they are compared with other access paths."""

from __future__ import annotations

import math

from chatsim.innodb.sql.optimizer.access_request import AccessRequest
from chatsim.innodb.sql.optimizer.cost_model import PAGE, ROW, Candidate
from chatsim.innodb.sql.optimizer.key_length import index_length
from chatsim.innodb.storage.scan import AccessPath, Range
from chatsim.innodb.storage.structures import Index

__all__ = ["avoided_scan_cost", "cheapest_scan", "index_scan", "limited_scan_cost", "table_scan"]

_AVOIDED = 2.1  # what the server adds to the cost of a table scan when it compares it with a range


def table_scan(request: AccessRequest) -> Candidate[AccessPath]:
    """All rows, in the order of the primary key (``ALL``)."""
    path = AccessPath(request.table, request.clustered, [Range()], covering=True)
    return Candidate(path, request.rows, request.page_reads.whole)


def cheapest_scan(request: AccessRequest) -> Candidate[AccessPath]:
    """A scan of the shortest covering index (``index``), or of the table if there is none."""
    index = _shortest_covering(request)
    if index is None:
        return table_scan(request)
    path = AccessPath(request.table, index, [Range()], covering=True, access="index")
    return Candidate(path, request.rows, request.page_reads.entries(index, request.rows))


def index_scan(request: AccessRequest, index: Index) -> Candidate[AccessPath]:
    """A scan of a whole index."""
    path = AccessPath(request.table, index, [Range()], covering=request.covers(index), access="index")
    return Candidate(path, request.rows, 0.0)


def avoided_scan_cost(request: AccessRequest, scan: Candidate[AccessPath]) -> float:
    """The cost of a table scan when it is compared with ranges."""
    return math.inf if request.forced else scan.cost + _AVOIDED


def limited_scan_cost(request: AccessRequest) -> float:
    """The cost of a table scan when a LIMIT makes the server avoid it."""
    return request.rows * (PAGE + ROW) + 2


def _shortest_covering(request: AccessRequest) -> Index | None:
    """The shortest covering index; the clustered index if it is the only one, or this one has all columns of the table.

    In the server: ``find_shortest_key``.
    """
    covering = [each for each in request.indexes if request.covers(each, entry=True)]
    others = [each for each in covering if not each.definition.clustered]
    if not others:
        return covering[0] if covering else None
    shortest = min(others, key=lambda each: index_length(request.table, each.definition))
    has_all = request.table.hidden is None and len(shortest.definition.columns) >= len(request.table.columns)
    return request.clustered if has_all and request.clustered in covering else shortest
