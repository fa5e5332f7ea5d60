"""A deadlock as data, as sentences and as a table. MySQL's and the model's deadlocks have the same form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from html import escape
from textwrap import shorten
from typing import Literal, TypeAlias

__all__ = ["SUPREMUM", "Deadlock", "Lock", "LockKind", "Mode", "Participant", "TableMode"]

Mode: TypeAlias = Literal["S", "X"]
"""Shared or exclusive."""

TableMode: TypeAlias = Literal["IS", "IX", "S", "X", "AUTO_INC"]
"""The mode of a lock of a whole table."""

SUPREMUM = "supremum"
"""The pseudo-record after the last one of an index; only the gap before it can be locked."""


class LockKind(StrEnum):
    """What a lock covers: a part of an index, or a whole table (MySQL manual, "InnoDB Locking")."""

    RECORD = "record"
    GAP = "gap"
    NEXT_KEY = "next-key"
    INSERT_INTENTION = "insert intention"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on one place of an index, or on a table, held or waited for.

    Attributes:
        table: the table's name, without its schema.
        index: the index; ``PRIMARY`` is the table itself. Empty for a lock of the whole table.
        mode: shared or exclusive; for a table also IS, IX and AUTO_INC.
        kind: the record, the gap before it, or both. An insert intention waits for a gap, and blocks no one.
        record: the key of the record as text, such as ``(30, 31)``, or `SUPREMUM`; empty if it is not known.
        schema: the table's schema, if it is known.
        deleted: whether the record is delete-marked.
    """

    table: str
    index: str
    mode: TableMode
    kind: LockKind
    record: str
    schema: str = field(default="", compare=False)
    deleted: bool = field(default=False, compare=False)

    @property
    def place(self) -> str:
        """The index with its table: ``private_chat.uniq_private_thread``; the table alone for a lock of all of it."""
        return f"{self.table}.{self.index}" if self.index else self.table

    def words(self) -> str:
        """The lock in words: ``the gap before (30, 31)``, ``to insert into the gap before …``."""
        record = f"record {self.record}{' (delete-marked)' if self.deleted else ''}" if self.record else "a record"
        gap = f"the gap before {self.record}" if self.record else "a gap"
        if self.record == SUPREMUM:
            gap = "the gap after the last row"
        match self.kind:
            case LockKind.RECORD:
                return record
            case LockKind.GAP:
                return gap
            case LockKind.NEXT_KEY:
                return gap if self.record == SUPREMUM else f"{record} and the gap before it"
            case LockKind.INSERT_INTENTION:
                return f"to insert into {gap}"
            case LockKind.TABLE:
                return "the AUTO-INC lock" if self.mode == "AUTO_INC" else "the table"

    @property
    def spot(self) -> tuple[str, str]:
        """The place and the record."""
        return self.place, self.record

    def is_near(self, other: Lock) -> bool:
        """Whether it may be on the same spot as another lock, as far as the records of both are known."""
        return self.place == other.place and (self.record == other.record or not (self.record and other.record))


@dataclass(frozen=True, slots=True)
class Participant:
    """One transaction of a deadlock.

    Attributes:
        number: its position in the cycle, from 1.
        connection_id: the ``CONNECTION_ID()`` of its session; 0 if the report does not have it.
        statement: the waiting statement; empty if the report does not have it.
        holds: granted locks that block the previous participant, perhaps with other records that the report shows with
            them. Empty if only this transaction's own request blocks it, because it is earlier in the queue. None if
            the report does not say.
        waits: the lock that it waits for; None if the report does not say.
        weight: the number that InnoDB compares to choose the victim: lock structs plus undo records. None if the report
            does not say.
        session: the name of its session, where sessions have names.
        transaction_id: the server's number of it, as the report writes it; empty if it has none.
        changes: how many undo records it has, one for each change of a row; None if the report does not say.
    """

    number: int
    connection_id: int
    statement: str
    holds: tuple[Lock, ...] | None
    waits: Lock | None
    weight: int | None
    session: str = ""
    transaction_id: str = ""
    changes: int | None = None

    def summary(self, width: int) -> str:
        """The statement on one line of at most ``width`` characters."""
        return shorten(self.statement, width, placeholder=" …")


@dataclass(frozen=True, slots=True)
class Deadlock:
    """A cycle of transactions. Each waits for the next one, and the last waits for the first.

    Attributes:
        participants: the transactions, in the order of the cycle.
        victim: the number of the participant that was rolled back (error 1213); None if the report does not say.
        raw: the original report.
        time: when it was detected, as the report writes it; empty if it does not say.
        missing: what the report should have and does not, a sentence each.
    """

    participants: tuple[Participant, ...]
    victim: int | None
    raw: str = field(repr=False)
    time: str = ""
    missing: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Deadlock:
        """The latest deadlock of a text: of SHOW ENGINE INNODB STATUS, or of an error log, as people paste them.

        `chatsim.deadlocks` reads all that a text has.

        Raises:
            NoDeadlockError: there is none in the text.
        """
        from chatsim.db.deadlock_report.reader import deadlocks

        return deadlocks(text)[-1]

    def waits_for(self) -> list[tuple[int, int, Lock | None]]:
        """The edges of the wait-for graph: who waits, for whom, and for which lock."""
        return [(one.number, other.number, one.waits) for one, other in self.cycle()]

    def rows(self) -> list[dict[str, object]]:
        """One row for each lock, for a `pandas.DataFrame`."""
        return [
            {
                "transaction": one.number,
                "connection": one.connection_id,
                "role": role,
                "mode": lock.mode,
                "kind": lock.kind.value,
                "table": lock.table,
                "index": lock.index,
                "record": lock.record,
                "died": one.number == self.victim,
            }
            for one in self.participants
            for role, lock in [*(("holds", lock) for lock in one.holds or ()), ("waits", one.waits)]
            if lock is not None
        ]

    def named(self, sessions: Mapping[int, str]) -> Deadlock:
        """The same deadlock with the names of the sessions, by their connection ids."""
        participants = [replace(each, session=sessions.get(each.connection_id, "")) for each in self.participants]
        return replace(self, participants=tuple(participants))

    def in_the_way(self, one: Participant) -> tuple[Lock, ...]:
        """The locks of ``one`` that block the participant before it."""
        wanted = next(waiter.waits for waiter, holder in self.cycle() if holder is one)
        held = one.holds or ()
        return tuple(lock for lock in held if wanted is not None and lock.is_near(wanted)) or held

    def explain(self) -> str:
        """An explanation: a sentence for each transaction and one for the victim, each on a line of its own.

        What the report does not have is said in further lines.
        """
        from chatsim.db.deadlock_words import explanation

        return explanation(self)

    def ring(self, width: int = 100) -> str:
        """The cycle as a drawing of text: each transaction with its locks, and an arrow to the one it waits for.

        Args:
            width: of the drawing, in characters. Statements are shortened to it.
        """
        from chatsim.db.deadlock_words import ring

        return ring(self, width)

    def cycle(self) -> list[tuple[Participant, Participant]]:
        """Every participant with the one it waits for."""
        return list(zip(self.participants, self.participants[1:] + self.participants[:1], strict=True))

    def _repr_html_(self) -> str:
        rows = self.rows()
        head = "".join(f"<th>{name}</th>" for name in rows[0]) if rows else ""
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row.values()) + "</tr>" for row in rows
        )
        return (
            f"<p>{escape(self.explain()).replace(chr(10), '<br>')}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<details><summary>the report</summary><pre>{escape(self.raw)}</pre></details>"
        )
