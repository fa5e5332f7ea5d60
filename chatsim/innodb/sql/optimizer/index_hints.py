"""Index hints, and the choice of partitions: manual, "Index Hints" and "Partition Selection"."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import Table

__all__ = ["IndexHints"]


@dataclass(frozen=True)
class IndexHints:
    """The indexes and the partitions that may be used; None is all.

    Attributes:
        allowed: the names of the indexes that may be used.
        ignored: the names of those that may not.
        forced: whether a scan of the table must be avoided at any cost.
        partitions: the numbers of the partitions that may be used.
    """

    allowed: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()
    forced: bool = False
    partitions: frozenset[int] | None = None

    @classmethod
    def of(cls, table: Table, node: exp.Expr) -> IndexHints:
        """The hints for a table in a statement. Raises `DatabaseError` if there is no such index."""
        known = {
            each.definition.name.lower(): each.definition.name for each in table.indexes if each.definition.visible
        }
        allowed: frozenset[str] | None = None
        ignored: frozenset[str] = frozenset()
        forced = False
        for hint in node.args.get("hints") or ():
            names = [each.name for each in hint.expressions]
            for name in names:
                if name.lower() not in known:
                    raise database_error(1176, f"Key '{name}' doesn't exist in table '{table.name}'")
            found = frozenset(known[name.lower()] for name in names)
            if str(hint.this).upper() == "IGNORE":
                ignored |= found
            else:
                allowed = found | (allowed or frozenset())
                forced = forced or str(hint.this).upper() == "FORCE"
        return cls(allowed, ignored, forced, _partitions(table, node))

    def permits(self, index: Index) -> bool:
        """Whether an index may be used."""
        name = index.definition.name
        return index.definition.visible and name not in self.ignored and (self.allowed is None or name in self.allowed)


def _partitions(table: Table, node: exp.Expr) -> frozenset[int] | None:
    """The numbers of the partitions that ``PARTITION (…)`` names. Raises a `DatabaseError` (1747, 1735)."""
    said = node.args.get("partition")
    if said is None:
        return None
    if table.partitioning is None:
        raise database_error(1747, "PARTITION () clause on non partitioned table")
    known = [each.name.lower() for each in table.partitioning.partitions]
    names = [each.name for each in said.expressions]
    for name in names:
        if name.lower() not in known:
            raise database_error(1735, f"Unknown partition '{name}' in table '{table.name}'")
    return frozenset(known.index(name.lower()) for name in names)
