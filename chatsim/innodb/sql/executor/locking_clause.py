"""FOR UPDATE and FOR SHARE, of all tables or of some (manual, "Locking Reads")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.json_parser import columns_of
from chatsim.innodb.storage.locks import WaitPolicy

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.sql.executor.from_clause import FromClause

__all__ = ["Locking"]


@dataclass(frozen=True)
class Locking:
    """How a SELECT locks the rows of each of its tables.

    Attributes:
        modes: the modes of the locks; None for a plain read.
        policies: what is done about rows that others have locked.
    """

    modes: tuple[Mode | None, ...]
    policies: tuple[WaitPolicy, ...]

    @classmethod
    def of(cls, node: exp.Select, clause: FromClause) -> Locking:
        """The locking clauses of a SELECT. Raises a `DatabaseError` if one names a table that there is not."""
        count = len(clause.tables)
        own = [at for at, called in enumerate(clause.called) if called is not None]
        modes: list[Mode | None] = [None] * count
        policies = [WaitPolicy.WAIT] * count
        taken: set[int] = set()
        locks = node.args.get("locks") or ()
        for lock in locks:
            if lock.args.get("key"):
                raise unsupported(lock)
            named = [at for each in lock.expressions for at in _tables(each, clause)] or own
            if len(locks) > 1 and not lock.expressions:
                raise unsupported(node, "locking all tables and some")
            of_document = None if lock.expressions else next((at for at in named if _is_of_document(clause, at)), None)
            if of_document is not None:  # what the server says, though there is one clause only
                taken.add(of_document)
            for at in named:
                if at in taken:
                    raise database_error(3569, f"Table {clause.tables[at][0]} appears in multiple locking clauses.")
                taken.add(at)
                modes[at], policies[at] = "X" if lock.args.get("update") else "S", _policy(lock)
        for at, inner in clause.locks.items():
            for lock in inner:
                if lock.expressions:
                    raise unsupported(lock, "in a derived table")
                modes[at], policies[at] = "X" if lock.args.get("update") else "S", _policy(lock)
        return cls(tuple(modes), tuple(policies))


def _is_of_document(clause: FromClause, at: int) -> bool:
    """Whether a table is one of JSON_TABLE."""
    node = clause.nodes[at]
    return isinstance(node, exp.Lateral) and columns_of(node.this) is not None


def _policy(lock: exp.Expr) -> WaitPolicy:
    wait = lock.args.get("wait")
    if isinstance(wait, exp.Expr):
        raise database_error(1064, "You have an error in your SQL syntax near 'WAIT'")
    return WaitPolicy.WAIT if wait is None else WaitPolicy.NOWAIT if wait is True else WaitPolicy.SKIP_LOCKED


def _tables(node: exp.Expr, clause: FromClause) -> list[int]:
    found = clause.named(node.name)
    if not found:
        raise database_error(3568, f"Unresolved table name `{node.name}` in locking clause.")
    return found
