"""What the optimizer assumes about a table (MySQL manual, "Configuring Optimizer Statistics for InnoDB").

The server counts rows approximately, with each statement, and distinct values only in ANALYZE TABLE. From both it
computes the rows per key when a session first opens the table, and not for each statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Final

from chatsim.innodb.storage.structures import Index

__all__ = ["Statistics"]

_SAMPLE = 100  # entries of an index that are looked at, where nothing was analyzed


class Statistics:
    """The statistics of one table.

    Attributes:
        rows: the estimated number of rows. Inserts and deletes count, rollbacks do not.
        rows_when_opened: what it was when a session last opened the table.
        open: of each session, how many instances of the table it has open.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.rows_when_opened = 0
        self._distinct: Final[dict[Index, list[int]]] = {}
        self.open: Counter[int] = Counter()

    def analyze(self, indexes: Iterable[Index]) -> None:
        """Count the rows, and the distinct values of the first columns of each index. Every session opens it again."""
        self.open.clear()
        for index in indexes:
            entries = [record.key for record in index if not record.deleted]
            self._distinct[index] = [
                len({key[:width] for key in entries}) for width in range(1, len(index.definition.place) + 1)
            ]
            if index.definition.clustered:
                self.rows = len(entries)

    def reopen(self, rows: int) -> None:
        """Estimate this number of rows, as if no session had opened the table yet."""
        self.rows = rows
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
        if index not in self._distinct:
            keys = [record.key[:width] for record in islice(index, _SAMPLE)]
            return len(keys) / len(set(keys)) if keys else 1.0
        distinct = self._distinct[index][width - 1] if width else 1
        return max(self.rows_when_opened / max(distinct, 1), 1.0)
