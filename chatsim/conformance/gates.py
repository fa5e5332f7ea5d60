"""Gates: sessions that hold a lock in a statement's way, so that others can overtake it inside.

No schedule can stop a statement between two records. But the statement waits at a record that somebody has locked, and
goes on when that session commits. So what happens only inside statements can be forced where some lock stands in the
right place.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from chatsim.db.text import quoted
from chatsim.exploration.callers import Caller
from chatsim.exploration.problem import Problem, Server

if TYPE_CHECKING:
    from chatsim.db.session import Session
    from chatsim.exploration.callers import Program
    from chatsim.innodb.storage.structures import Index
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["GATE", "gates"]

GATE = "gate"
"""The name of the session."""


def gates(problem: Problem) -> Iterator[Caller]:
    """Callers that each lock one record of one index, in S or in X, and commit.

    A locking read of the columns of an index alone takes no lock on the row if it shares.
    """
    level = problem.callers[0].isolation
    for table in Server(problem).start().tables.values():
        for index in table.indexes:
            for key in _keys(table, index):
                for clause in ("FOR SHARE", "FOR UPDATE"):
                    yield Caller(GATE, _program(_reading(table, index, key, clause)), level)


def _keys(table: Table, index: Index) -> list[tuple[Value, ...]]:
    """The keys of the rows in an index, without those that have no literal."""
    definition = index.definition
    if definition.lengths or not definition.visible or (definition.clustered and definition.hidden is not None):
        return []
    rows = [record.row for record in table.clustered if not record.deleted]
    found = dict.fromkeys(tuple(row[at] for at in definition.columns) for row in rows)
    return [key for key in found if all(isinstance(each, int | str | Decimal) for each in key)]


def _reading(table: Table, index: Index, key: tuple[Value, ...], clause: str) -> tuple[str, list[object]]:
    names = [quoted(table.columns[at].name) for at in index.definition.columns]
    where = " AND ".join(f"{name} = ?" for name in names)
    forced = f"{quoted(table.name)} FORCE INDEX ({quoted(index.definition.name)})"
    return f"SELECT {', '.join(names)} FROM {forced} WHERE {where} {clause}", list(key)  # noqa: S608


def _program(reading: tuple[str, list[object]]) -> Program:
    async def hold(tx: Session) -> None:
        await tx.begin()
        await tx.execute(*reading)
        await tx.commit()

    return hold
