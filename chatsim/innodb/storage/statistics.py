"""What the optimizer assumes about a table (MySQL manual, "Configuring Optimizer Statistics for InnoDB").

The server counts rows approximately, with each statement, and distinct values only in ANALYZE TABLE. From both it
computes the rows per key when a session first opens the table, and not for each statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from chatsim.innodb.storage.structures import Index

if TYPE_CHECKING:
    from chatsim.innodb.storage.partitions import Partition

__all__ = ["Statistics"]

_SAMPLE = 100  # entries of an index that are looked at, where nothing was analyzed


class Statistics:
    """The statistics of one table.

    Attributes:
        rows: the estimated number of rows. Inserts and deletes count, rollbacks do not.
        rows_of: the same for each partition, by its name.
        rows_when_opened: what it was when a session last opened the table.
        open: of each session, how many instances of the table it has open.
        distinct: of each index that was analyzed, the numbers of distinct values of its first columns.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.rows_of: Counter[str] = Counter()
        self.rows_when_opened = 0
        self.open: Counter[int] = Counter()
        self.distinct: Mapping[Index, Sequence[int]] = {}  # replaced, and never changed itself

    def changed(self, change: int, partition: Partition | None) -> None:
        """Note that a statement has inserted a row, or deleted one, in a partition if there are any."""
        self.rows = max(self.rows + change, 0)
        if partition is not None:
            self.rows_of[partition.name] = max(self.rows_of[partition.name] + change, 0)

    def recount(self, table: Index, partitions: Iterable[Partition]) -> None:
        """Count the rows that are there, by the clustered index of the table, and in each partition."""
        self.rows = _rows(table)
        self.rows_of = Counter({each.name: _rows(each.clustered) for each in partitions})

    def analyze(self, indexes: Sequence[Index], partitions: Iterable[Partition] = ()) -> None:
        """Count the rows, and the distinct values of the first columns of each index. Every session opens it again."""
        self.open.clear()
        found: dict[Index, Sequence[int]] = {}
        for index in indexes:
            entries = [record.key for record in index if not record.deleted]
            found[index] = tuple(
                len({key[:width] for key in entries}) for width in range(1, len(index.definition.place) + 1)
            )
        self.recount(indexes[0], partitions)
        self.distinct = {**self.distinct, **found}

    def reopen(self, kept: Statistics) -> None:
        """Estimate the numbers of rows and distinct values that were kept, as if no session had opened the table."""
        self.rows, self.rows_of, self.distinct = kept.rows, kept.rows_of.copy(), kept.distinct
        self.rows_when_opened = 0
        self.open.clear()

    def opened(self, session: int, times: int) -> bool:
        """Note that a statement of a session uses the table ``times`` times. Returns whether it had to be opened.

        It stays open for later statements of the session.
        """
        if times <= self.open[session]:
            return False
        self.open[session] = times
        self.rows_when_opened = self.rows
        return True

    def rows_per_key(self, index: Index, width: int) -> float:
        """The estimated number of rows for one value of the first ``width`` columns of an index."""
        index = index.original
        if index not in self.distinct:
            keys = [record.key[:width] for record in islice(index, _SAMPLE)]
            return len(keys) / len(set(keys)) if keys else 1.0
        distinct = self.distinct[index][width - 1] if width else 1
        return max(self.rows_when_opened / max(distinct, 1), 1.0)


def _rows(clustered: Index) -> int:
    return sum(not record.deleted for record in clustered)
