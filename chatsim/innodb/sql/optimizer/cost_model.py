"""What the optimizer assumes that reading costs: manual, "The Optimizer Cost Model"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chatsim.innodb.storage.index_merge import Merge
from chatsim.innodb.storage.scan import AccessPath, Range
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import NULL

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
"""A page has so many of the blocks that are counted when rows are read in their order."""

_HEADER = 20
"""Bytes of a row beside its columns."""

P_co = TypeVar("P_co", bound="AccessPath | Merge", covariant=True)


@dataclass(frozen=True)
class Candidate(Generic[P_co]):
    """An access path that is compared with others.

    Attributes:
        path: the access path.
        rows: how many rows it is estimated to read.
        read_cost: what reading them is estimated to cost.
        parts: how many key parts the search uses; 0 for a scan.
    """

    path: P_co
    rows: int
    read_cost: float
    parts: int = 0

    @property
    def cost(self) -> float:
        """What it is thought to cost to read them and to look at them."""
        return self.read_cost + self.rows * ROW


class PageReads:
    """What it costs to read a table's pages.

    Args:
        table: the table.
        rows: how many it is thought to have.
    """

    def __init__(self, table: Table, rows: int) -> None:
        self._table = table
        self._rows_per_page = _PAGE_SIZE / (columns_length(table, range(len(table.columns))) + _HEADER)
        leaves = math.ceil(rows / self._rows_per_page)
        self._count = leaves + (leaves > 1)

    @property
    def whole(self) -> float:
        """All of them."""
        return self._count * PAGE

    def clustered(self, ranges: int, rows: int) -> float:
        """So many rows in ranges of the clustered index: a page for a range, and those that they fill."""
        return PAGE * (rows if rows <= 2 else ranges + rows / self._rows_per_page / 2)

    def entries(self, index: Index, rows: int) -> float:
        """So many entries of an index: the server takes its pages to be half full."""
        key = columns_length(self._table, [*index.definition.columns, *self._table.clustered.definition.columns])
        per_page = _PAGE_SIZE // 2 // key + 1
        return (rows + per_page - 1) / per_page * PAGE

    def sweep(self, rows: int) -> float:
        """So many rows anywhere, in the order of their keys: some are in the same block."""
        blocks = self._count * _BLOCKS
        return PAGE * blocks * (1 - (1 - 1 / blocks) ** rows)


def key_parts(index: Index) -> Sequence[int]:
    """The columns that a search may go by: with those of the primary key at the end, unless it is unique."""
    return index.definition.columns if index.definition.unique else index.definition.place


def records_in_range(index: Index, span: Range) -> int:
    """How many records a range has."""
    return index.count(span.low, span.high, low_included=span.low_included, high_included=span.high_included)


def estimated_rows(index: Index, span: Range) -> int:
    """How many rows the server expects in a range: of a unique key one, else what it counts there, but one at least."""
    return 1 if is_unique_key(index, span) else max(records_in_range(index, span), 1)


def is_unique_key(index: Index, span: Range) -> bool:
    """Whether a range is a unique key; with NULL in it there may be many."""
    whole = span.exact and len(span.low or ()) == len(index.definition.columns)
    return whole and index.definition.unique and NULL not in (span.low or ())


def columns_length(table: Table, columns: Iterable[int]) -> int:
    """How many bytes columns take."""
    return sum(table.columns[at].type.size + table.columns[at].nullable for at in columns)
