"""What the optimizer assumes about a table (MySQL manual, "Configuring Optimizer Statistics for InnoDB").

The server counts rows approximately, with each statement, and distinct values only in ANALYZE TABLE. From both it
computes the rows per key when a session first opens the table, and not for each statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from chatsim.innodb.storage.structures import Index

__all__ = ["Statistics"]

_SAMPLE = 100  # entries of an index that are looked at, where nothing was analyzed


class Statistics:
    """The statistics of one table.

    Attributes:
        rows: the estimated number of rows. Inserts and deletes count, rollbacks do not.
        rows_when_opened: what it was when a session last opened the table.
        open: of each session, how many instances of the table it has open.
        distinct: of each index that was analyzed, the numbers of distinct values of its first columns.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.rows_when_opened = 0
        self.open: Counter[int] = Counter()
        self.distinct: Mapping[Index, Sequence[int]] = {}  # replaced, and never changed itself

    def analyze(self, indexes: Iterable[Index]) -> None:
        """Count the rows, and the distinct values of the first columns of each index. Every session opens it again."""
        self.open.clear()
        found: dict[Index, Sequence[int]] = {}
        for index in indexes:
            entries = [record.key for record in index if not record.deleted]
            found[index] = tuple(
                len({key[:width] for key in entries}) for width in range(1, len(index.definition.place) + 1)
            )
            if index.definition.clustered:
                self.rows = len(entries)
        self.distinct = {**self.distinct, **found}

    def reopen(self, rows: int, distinct: Mapping[Index, Sequence[int]]) -> None:
        """Estimate these numbers of rows and distinct values, as if no session had opened the table yet."""
        self.rows = rows
        self.distinct = distinct
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
