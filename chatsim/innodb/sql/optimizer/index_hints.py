"""Index hints, and the choice of partitions: manual, "Index Hints" and "Partition Selection"."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import Table

__all__ = ["IndexChoice", "IndexHints", "partitions_named"]


@dataclass(frozen=True)
class IndexChoice:
    """The indexes that may be used for one purpose.

    Attributes:
        allowed: the names of the indexes that may be used; None is all.
        ignored: the names of those that may not.
        forced: whether a scan of the table must be avoided at any cost.
    """

    allowed: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()
    forced: bool = False

    def permits(self, index: Index) -> bool:
        """Whether an index may be used."""
        name = index.definition.name
        return index.definition.visible and name not in self.ignored and (self.allowed is None or name in self.allowed)

    def with_hint(self, word: str, names: frozenset[str]) -> IndexChoice:
        """The choice with one more hint, USE, FORCE or IGNORE."""
        if word == "IGNORE":
            return replace(self, ignored=self.ignored | names)
        return replace(self, allowed=names | (self.allowed or frozenset()), forced=self.forced or word == "FORCE")


_EVERY = IndexChoice()


@dataclass(frozen=True)
class IndexHints:
    """The indexes and the partitions that may be used; None is all.

    Attributes:
        search: the indexes by which rows may be found (FOR JOIN).
        order: the indexes that may give the order of ORDER BY.
        group: the indexes that may give the order of GROUP BY.
        partitions: the numbers of the partitions that may be used.
        merges: whether several indexes may be searched together.
        pushes: whether conditions may be pushed to an index.
        without_ranges: the names of the indexes whose ranges may not be searched.
    """

    search: IndexChoice = _EVERY
    order: IndexChoice = _EVERY
    group: IndexChoice = _EVERY
    partitions: frozenset[int] | None = None
    merges: bool = True
    pushes: bool = True
    without_ranges: frozenset[str] = frozenset()

    @classmethod
    def of(cls, table: Table, node: exp.Expr) -> IndexHints:
        """The hints for a table in a statement. Raises `DatabaseError` if there is no such index."""
        if not node.args.get("hints") and not node.args.get("partition"):
            return _NONE
        known = {
            each.definition.name.lower(): each.definition.name for each in table.indexes if each.definition.visible
        }
        choices = dict.fromkeys(_PURPOSES, _EVERY)
        without_ranges: frozenset[str] = frozenset()
        words = set[str]()
        for hint in node.args.get("hints") or ():
            words.add(word := str(hint.this).upper())
            if word in ("NO_INDEX_MERGE", "NO_ICP"):
                continue
            names = [each.name for each in hint.expressions]
            for name in names:
                if name.lower() not in known:
                    raise database_error(1176, f"Key '{name}' doesn't exist in table '{table.name}'")
            found = frozenset(known[name.lower()] for name in names)
            if word == "NO_RANGE":
                without_ranges |= found
                continue
            for purpose in [hint.args["target"]] if hint.args.get("target") else _PURPOSES:
                choices[purpose] = choices[purpose].with_hint(word, found)
        merges, pushes = "NO_INDEX_MERGE" not in words, "NO_ICP" not in words
        search, order, group = choices.values()
        return cls(search, order, group, partitions_named(table, node), merges, pushes, without_ranges)


_PURPOSES = ("JOIN", "ORDER BY", "GROUP BY")
"""What an index hint may be for."""

_NONE = IndexHints()


def partitions_named(table: Table, node: exp.Expr) -> frozenset[int] | None:
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
