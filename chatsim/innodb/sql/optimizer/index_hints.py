"""Index hints: manual, "Index Hints"."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import Table

__all__ = ["IndexHints"]


@dataclass(frozen=True)
class IndexHints:
    """The indexes that may be used; None is all.

    Attributes:
        forced: whether a scan of the table must be avoided at any cost.
    """

    allowed: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()
    forced: bool = False

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
        return cls(allowed, ignored, forced)

    def permits(self, index: Index) -> bool:
        """Whether an index may be used."""
        name = index.definition.name
        return index.definition.visible and name not in self.ignored and (self.allowed is None or name in self.allowed)
