"""The counts of a node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from chatsim.db.errors import DatabaseError, Kind

__all__ = ["Stats"]


@dataclass
class Stats:
    """Counts since the start of the node.

    Attributes:
        requests: the number of requests, by message id.
        retries: how often a creation was tried again.
        refusals: how often the database has refused a creation, by kind.
        crash: the first unexpected error of a handler.
        resent: the number of texts that were stored before they came: their senders had no answer, and sent them again.
    """

    requests: Counter[int] = field(default_factory=Counter)
    retries: int = 0
    refusals: Counter[Kind] = field(default_factory=Counter)
    crash: Exception | None = None
    resent: int = 0

    def refused(self, error: DatabaseError) -> None:
        """Count a refusal."""
        self.refusals[error.kind] += 1

    def __sub__(self, before: Stats) -> Stats:
        """What has been counted since."""
        return Stats(
            self.requests - before.requests,
            self.retries - before.retries,
            self.refusals - before.refusals,
            self.crash,
            self.resent - before.resent,
        )

    @classmethod
    def sum(cls, parts: Iterable[Stats]) -> Stats:
        """The stats of several nodes together."""
        whole = cls()
        for part in parts:
            whole.requests += part.requests
            whole.retries += part.retries
            whole.refusals += part.refusals
            whole.resent += part.resent
            whole.crash = whole.crash or part.crash
        return whole
