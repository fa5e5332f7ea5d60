"""The optimizer's estimates of costs: manual, "The Optimizer Cost Model"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chatsim.innodb.sql.optimizer.key_length import index_length
from chatsim.innodb.storage.record_size import least_row_size
from chatsim.innodb.storage.scan import Range
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.table_access import TableAccess
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import has_null

__all__ = [
    "COMPARE",
    "PAGE",
    "ROW",
    "Candidate",
    "PageReads",
    "columns_length",
    "estimated_rows",
    "is_unique_key",
    "key_parts",
    "records_in_range",
]

PAGE, ROW, COMPARE = 0.25, 0.1, 0.05
"""mysql.engine_cost and mysql.server_cost: a page in memory, a row looked at, a comparison of keys."""

_PAGE_SIZE = 16_384
_BLOCKS = 4
"""The number of blocks in a page; blocks are counted when rows are read in their order."""

_HEADER = 20
"""The size of a row without its columns, in bytes."""

P_co = TypeVar("P_co", bound="TableAccess", covariant=True)


@dataclass(frozen=True)
class Candidate(Generic[P_co]):
    """An access path that is compared with others.

    Attributes:
        path: the access path.
        rows: the estimated number of rows that it reads.
        read_cost: the estimated cost of reading them.
        parts: the number of key parts that the search uses; 0 for a scan.
    """

    path: P_co
    rows: int
    read_cost: float
    parts: int = 0

    @property
    def cost(self) -> float:
        """The estimated cost of reading and evaluating the rows."""
        return self.read_cost + self.rows * ROW


class PageReads:
    """The costs of reading the pages of a table.

    Args:
        table: the table.
        rows: its estimated number of rows; of several partitions, that of each.
    """

    def __init__(self, table: Table, rows: Sequence[int]) -> None:
        self._table = table
        rows_per_page = _PAGE_SIZE / (columns_length(table, range(len(table.columns))) + _HEADER)
        leaves = [max(math.ceil(each / rows_per_page), 1) for each in rows]
        self._count = sum(each + (each > 1) for each in leaves)
        most = 2 * _PAGE_SIZE * sum(leaves) / least_row_size(table.columns)
        self._of_row = self._count / most

    @property
    def whole(self) -> float:
        """The cost of reading all pages."""
        return self._count * PAGE

    def clustered(self, ranges: int, rows: float) -> float:
        """The cost of rows in ranges of the clustered index: a page for each range, and those that the rows fill.

        The server takes it that there are twice as many rows as would fill the pages if they were as short as can be.
        Only whole rows count, as in ``ha_innobase::read_time``.
        """
        rows = int(rows)
        return PAGE * (rows if rows <= 2 else ranges + rows * self._of_row)

    def entries(self, index: Index, rows: float) -> float:
        """The cost of entries of an index."""
        per_page = self.entries_per_page(index)
        return (rows + per_page - 1) / per_page * PAGE

    def entries_per_page(self, index: Index) -> int:
        """The number of entries of an index in a page. The server assumes that pages are half full."""
        clustered = self._table.clustered.definition
        key = index_length(self._table, index.definition) + index_length(self._table, clustered)
        return _PAGE_SIZE // 2 // key + 1

    def sweep(self, rows: int) -> float:
        """The cost of single rows, in the order of their keys, so that some are in the same block."""
        blocks = self._count * _BLOCKS
        return PAGE * blocks * (1 - (1 - 1 / blocks) ** rows)


def key_parts(index: Index) -> Sequence[int]:
    """The columns that a search may use, with those of the primary key at the end, unless the index is unique."""
    return index.definition.columns if index.definition.unique else index.definition.place


def records_in_range(index: Index, span: Range) -> int:
    """The number of records in a range."""
    return index.count(span.low, span.high, low_included=span.low_included, high_included=span.high_included)


def estimated_rows(index: Index, span: Range) -> int:
    """The estimated number of rows in a range: one for a unique key, otherwise the counted number, at least one."""
    return 1 if is_unique_key(index, span) else max(records_in_range(index, span), 1)


def is_unique_key(index: Index, span: Range) -> bool:
    """Whether a range is one value of a unique key, without NULL."""
    whole = span.exact and len(span.low or ()) == len(index.definition.columns)
    return whole and index.definition.unique and not has_null(span.low or ())


def columns_length(table: Table, columns: Iterable[int]) -> int:
    """The size of columns, in bytes."""
    return sum(table.columns[at].type.size + table.columns[at].nullable for at in columns)
