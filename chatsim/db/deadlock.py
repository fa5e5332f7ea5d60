"""A deadlock as data, as sentences and as a table. MySQL's and the model's deadlocks have the same form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from html import escape
from textwrap import shorten
from typing import Literal, TypeAlias

__all__ = ["SUPREMUM", "Deadlock", "Lock", "LockKind", "Mode", "Participant"]

Mode: TypeAlias = Literal["S", "X"]
"""Shared or exclusive."""

SUPREMUM = "supremum"
"""The pseudo-record after the last one of an index; only the gap before it can be locked."""

_STATEMENT_WIDTH = 100
"""The largest length of a statement in a sentence, in characters. The strategies' statements fit."""


class LockKind(StrEnum):
    """The part of an index that a lock covers (MySQL manual, "InnoDB Locking")."""

    RECORD = "record"
    GAP = "gap"
    NEXT_KEY = "next-key"
    INSERT_INTENTION = "insert intention"


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on one place of an index, held or waited for.

    Attributes:
        table: the table's name, without its schema.
        index: the index; ``PRIMARY`` is the table itself.
        mode: shared or exclusive.
        kind: the record, the gap before it, or both. An insert intention waits for a gap, and blocks no one.
        record: the key of the record as text, such as ``(30, 31)``, or `SUPREMUM`.
    """

    table: str
    index: str
    mode: Mode
    kind: LockKind
    record: str

    @property
    def place(self) -> str:
        """The index with its table: ``private_chat.uniq_private_thread``."""
        return f"{self.table}.{self.index}"

    def words(self) -> str:
        """The lock in words: ``the gap before (30, 31)``, ``to insert into the gap before …``."""
        gap = "the gap after the last row" if self.record == SUPREMUM else f"the gap before {self.record}"
        match self.kind:
            case LockKind.RECORD:
                return f"record {self.record}"
            case LockKind.GAP:
                return gap
            case LockKind.NEXT_KEY:
                return gap if self.record == SUPREMUM else f"record {self.record} and the gap before it"
            case LockKind.INSERT_INTENTION:
                return f"to insert into {gap}"

    @property
    def spot(self) -> tuple[str, str]:
        """The place and the record."""
        return self.place, self.record


@dataclass(frozen=True, slots=True)
class Participant:
    """One transaction of a deadlock.

    Attributes:
        number: its position in the cycle, from 1.
        connection_id: the ``CONNECTION_ID()`` of its session; 0 if the report does not have it.
        statement: the waiting statement.
        holds: granted locks that block the previous participant, perhaps with other records that the report shows with
            them. Empty if only this transaction's own request blocks it, because it is earlier in the queue.
        waits: the lock that it waits for.
        weight: the number that InnoDB compares to choose the victim: lock structs plus undo records.
        session: the name of its session, where sessions have names.
    """

    number: int
    connection_id: int
    statement: str
    holds: tuple[Lock, ...]
    waits: Lock
    weight: int
    session: str = ""

    def summary(self, width: int) -> str:
        """The statement on one line of at most ``width`` characters."""
        return shorten(self.statement, width, placeholder=" …")


@dataclass(frozen=True, slots=True)
class Deadlock:
    """A cycle of transactions. Each waits for the next one, and the last waits for the first.

    Attributes:
        participants: the transactions, in the order of the cycle.
        victim: the number of the participant that was rolled back (error 1213).
        raw: the original report.
    """

    participants: tuple[Participant, ...]
    victim: int
    raw: str = field(repr=False)

    def waits_for(self) -> list[tuple[int, int, Lock]]:
        """The edges of the wait-for graph: who waits, for whom, and for which lock."""
        return [(one.number, other.number, one.waits) for one, other in self._cycle()]

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
            for role, lock in [*(("holds", lock) for lock in one.holds), ("waits", one.waits)]
        ]

    def named(self, sessions: Mapping[int, str]) -> Deadlock:
        """The same deadlock with the names of the sessions, by their connection ids."""
        participants = [replace(each, session=sessions.get(each.connection_id, "")) for each in self.participants]
        return replace(self, participants=tuple(participants))

    def in_the_way(self, one: Participant) -> tuple[Lock, ...]:
        """The locks of ``one`` that block the participant before it."""
        wanted = next(waiter.waits for waiter, holder in self._cycle() if holder is one)
        return tuple(lock for lock in one.holds if lock.spot == wanted.spot) or one.holds

    def explain(self) -> str:
        """An explanation: a sentence for each transaction and one for the victim, each on a line of its own."""
        sentences = [_sentence(one, self.in_the_way(one), other) for one, other in self._cycle()]
        weights = ", ".join(str(one.weight) for one in self.participants)
        sentences.append(
            f"Transaction {self.victim} died (1213); the weights (locks plus undo records) were {weights}."
        )
        return "\n".join(sentences)

    def _cycle(self) -> list[tuple[Participant, Participant]]:
        """Every participant with the one it waits for."""
        return list(zip(self.participants, self.participants[1:] + self.participants[:1], strict=True))

    def _repr_html_(self) -> str:
        rows = self.rows()
        head = "".join(f"<th>{name}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row.values()) + "</tr>" for row in rows
        )
        return (
            f"<p>{escape(self.explain()).replace(chr(10), '<br>')}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<details><summary>the report</summary><pre>{escape(self.raw)}</pre></details>"
        )


def _sentence(one: Participant, held: tuple[Lock, ...], other: Participant) -> str:
    """The locks of ``one`` that block another transaction, and why it waits for ``other``."""
    holds = " and ".join(f"{lock.words()} of {lock.place} ({lock.mode})" for lock in held)
    if one.waits.kind is not LockKind.INSERT_INTENTION:
        waits = f"for {one.waits.words()} of {one.waits.place} ({one.waits.mode})"
    elif any(lock.spot == one.waits.spot and lock.kind is not LockKind.RECORD for lock in held):
        waits = "to insert into that gap"
    else:
        waits = f"{one.waits.words()} of {one.waits.place}"
    behind = f"transaction {other.number}" if other.holds else f"the request of transaction {other.number}"
    return (
        f"Transaction {one.number} ({one.session and f'{one.session}: '}{one.summary(_STATEMENT_WIDTH)}) "
        f"{f'holds {holds} and ' if holds else ''}waits {waits}, behind {behind}."
    )
