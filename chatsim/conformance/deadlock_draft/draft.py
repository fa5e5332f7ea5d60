"""A draft of a schedule that ends in the deadlock of a report.

Sessions begin, statements that stand in for the unknown ones take the locks that the report shows, and then the
statements of the report wait for each other. Of the stand-ins that are possible, those are taken with which the model
ends in the same cycle of waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from string import ascii_lowercase

from chatsim.conformance import model_player
from chatsim.conformance.deadlock_draft.rows import Key, insert, key_of, known_rows, unread_values
from chatsim.conformance.deadlock_draft.stand_ins import Held, stand_ins
from chatsim.conformance.deadlock_draft.tables import made, table_statements, without_schemas
from chatsim.conformance.schedule import BadScheduleError, NotPlayedError, Schedule, number_steps
from chatsim.db.deadlock import SUPREMUM, Deadlock, LockKind, Participant
from chatsim.db.deadlock_kinds import same_waits
from chatsim.db.deadlock_report.reader import ReportedTransaction, transactions
from chatsim.db.deadlock_report.records import Field, RecordDump, ReportedLock
from chatsim.db.text import statements
from chatsim.innodb.storage.tables import Table

__all__ = ["Draft", "draft"]

_MOST_TRIES = 100
_COMPLETE = "To complete:"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft of a schedule.

    Attributes:
        schedule: what can be played.
        open: what the reader has to complete, by the session it is about; the name is empty for the setup.
        ending: how it ends in the model, a sentence.
        is_same: whether it ends there in the cycle of waits of the report.
    """

    schedule: Schedule
    open: tuple[tuple[str, str], ...]
    ending: str
    is_same: bool

    def sql(self) -> str:
        """The draft as an SQL file, with comments where it is to be completed."""
        lines = [f"-- {self.schedule.title}", f"-- {self.ending}", f"-- isolation {self.schedule.isolation}", ""]
        lines += [f"{sql.rstrip(';')};" for sql in self.schedule.setup]
        lines += self._comments("")
        session, begun = "", set()
        for step in self.schedule.steps:
            if step.session != session:
                session = step.session
                lines += ["", f"-- session {session}"]
            lines.append(f"{step.sql};")
            if session not in begun:
                begun.add(session)
                lines += self._comments(session)
        return "\n".join([*lines, ""])

    def _comments(self, session: str) -> list[str]:
        return [f"-- {_COMPLETE} {text}" for name, text in self.open if name == session]


def draft(deadlock: Deadlock, tables: str) -> Draft:
    """Draft a schedule from a deadlock that was read from a report.

    Args:
        deadlock: the deadlock.
        tables: the statements that make its tables, or what SHOW CREATE TABLE prints.

    Raises:
        BadScheduleError: the model can't make the tables, or the deadlock was not read from a report.
    """
    setup = table_statements(tables)
    schemas = {lock.schema for one in deadlock.participants for lock in (*(one.holds or ()), one.waits) if lock}
    setup = [without_schemas(sql, schemas) for sql in setup]
    return _Drafting(deadlock, setup, made(setup), schemas).best()


class _Drafting:
    """What is known for a draft.

    Args:
        deadlock: the deadlock.
        setup: the statements that make the tables.
        tables: the tables, by name.
        schemas: the schemas of the report.
    """

    def __init__(self, deadlock: Deadlock, setup: list[str], tables: Mapping[str, Table], schemas: set[str]) -> None:
        self._deadlock = _without_schemas(deadlock, schemas)
        self._setup = setup
        self._tables = tables
        reported = transactions(deadlock.raw)
        self._reported = [reported[number] for number in sorted(reported)]
        if len(self._reported) != len(deadlock.participants):
            raise BadScheduleError("the deadlock does not have the text of a report that can be read")
        self._addresses = _addresses(self._reported)
        numbered = dict(enumerate(self._reported, 1))
        self._rows = {name: known_rows(table, numbered, self._addresses) for name, table in tables.items()}
        self._unread = [
            text
            for name, table in tables.items()
            for text in unread_values(table, numbered, self._addresses, self._rows[name])
        ]
        self._sessions = {
            one.number: one.session or ascii_lowercase[(one.number - 1) % len(ascii_lowercase)]
            for one in deadlock.participants
        }

    def best(self) -> Draft:
        """The draft that comes nearest to the report: same cycle of waits, same victim, same sizes."""
        choices = [list(self._stand_ins(one)) or [""] for one in self._deadlock.participants]
        perfect = (3, 1, len(self._deadlock.participants))
        best, result = (-1, 0, 0), None
        for chosen in islice(product(*choices), _MOST_TRIES):
            quality, found = self._played(chosen)
            if quality > best:
                best, result = quality, found
            if quality == perfect:
                break
        assert result is not None
        return result

    def _played(self, chosen: Sequence[str]) -> tuple[tuple[int, int, int], Draft]:
        """A draft with these stand-ins, played in the model, and how near its ending is to the report."""
        schedule, notes = self._schedule(chosen), tuple(self._open(chosen))
        try:
            outcome = model_player.play(schedule)
        except NotPlayedError as error:
            ending = f"The model does not play it: {' '.join(str(error).split())}"
            return (0, 0, 0), Draft(schedule, notes, ending, is_same=False)
        if not outcome.deadlocks:
            ending = "In the model, it does not end in a deadlock yet."
            return (1, 0, 0), Draft(schedule, notes, ending, is_same=False)
        every = [each for step in outcome.deadlocks.values() for each in step]
        found = next((each for each in every if same_waits(each, self._deadlock)), every[-1])
        near = self._likeness(found)
        if same_waits(found, self._deadlock):
            return (3, *near), Draft(schedule, notes, "In the model, it ends in the same cycle of waits.", is_same=True)
        return (2, *near), Draft(schedule, notes, "In the model, it ends in another deadlock.", is_same=False)

    def _likeness(self, found: Deadlock) -> tuple[int, int]:
        """Whether the same transaction is the victim, and how many are of the same size."""
        played = {one.session: one for one in found.participants}
        pairs = [(one, played.get(self._sessions[one.number])) for one in self._deadlock.participants]
        same_victim = any(
            other is not None and one.number == self._deadlock.victim and other.number == found.victim
            for one, other in pairs
        )
        alike = [other for one, other in pairs if other is not None and _size(one) == _size(other)]
        return int(same_victim), len(alike)

    def _schedule(self, chosen: Sequence[str]) -> Schedule:
        inserted_later = [sql for sql in chosen if sql.startswith("INSERT")]
        rows = [
            insert(self._tables[name], row)
            for name, known in self._rows.items()
            for row in known.values()
            if not row.inserted and insert(self._tables[name], row) not in inserted_later
        ]
        steps = [
            (self._sessions[one.number], sql)
            for one, stand_in in zip(self._deadlock.participants, chosen, strict=True)
            for sql in ("BEGIN", stand_in)
            if sql
        ]
        steps += [
            (self._sessions[one.number], one.statement) for one in _in_order_of_waits(self._deadlock) if one.statement
        ]
        when = f" of {self._deadlock.time}" if self._deadlock.time else ""
        sessions = [self._sessions[one.number] for one in self._deadlock.participants]
        return Schedule(
            id="deadlock",
            title=f"A draft from the report of a deadlock{when}",
            setup=[*self._setup, *rows],
            sessions=sessions,
            steps=number_steps(steps),
        )

    def _open(self, chosen: Sequence[str]) -> Iterator[tuple[str, str]]:
        """What is to be completed."""
        yield "", "the rows that the report does not show. The isolation level is not in a report."
        yield from (("", text) for text in self._unread)
        for one, sql in zip(self._deadlock.participants, chosen, strict=True):
            session = self._sessions[one.number]
            if not one.statement:
                yield session, "the report does not have the whole statement that waits."
            if one.holds == ():
                continue
            what = "the next statement stands in for what this transaction did before it waited."
            if not sql:
                what = "what this transaction did before it waited is missing here."
            yield session, f"{what} Its undo records: {one.changes}." if one.changes else what

    def _stand_ins(self, one: Participant) -> Iterator[str]:
        """The statements that may have taken the lock of ``one`` that stands in another's way."""
        seen = set()
        for held in self._held(one):
            for sql in stand_ins(held, one.statement, self._rows[held.table.name]):
                if sql not in seen:
                    seen.add(sql)
                    yield sql

    def _held(self, one: Participant) -> Iterator[Held]:
        """The locks of ``one`` in the way of the one before it; by the other's request, if the report has none."""
        before = next(waiter for waiter, holder in self._deadlock.cycle() if holder is one)
        wanted = self._reported[before.number - 1].wanted
        gap = wanted is not None and wanted.kind is LockKind.INSERT_INTENTION
        held = self._reported[one.number - 1].held
        if held is None and wanted is not None:
            held = [wanted]
        spots = {(lock.index, lock.address(record)) for lock in [wanted] if lock for record in lock.records}
        for lock in held or ():
            if lock.waiting and lock is not wanted:
                continue
            for record in lock.records:
                if (lock.index, lock.address(record)) in spots:
                    yield from self._at(one, lock, record, gap=gap)

    def _at(self, one: Participant, lock: ReportedLock, record: RecordDump, *, gap: bool) -> Iterator[Held]:
        table = self._tables.get(lock.table)
        found = [each.definition for each in table.indexes if each.definition.name == lock.index] if table else []
        if table is None or not found:
            return
        fields = record.fields or self._addresses.get(lock.address(record), ())
        key: Key | str | None = SUPREMUM if record.is_supremum else key_of(table, found[0], fields)
        primary = table.indexes[0].definition.columns
        row = next(
            (
                row
                for row in self._rows[table.name].values()
                if key == tuple(row.values.get(column) for column in found[0].columns)
                and all(column in row.values for column in primary)
            ),
            None,
        )
        yield Held(one.number, table, found[0], lock.mode == "S", lock.kind, key, row, gap)


def _without_schemas(deadlock: Deadlock, schemas: set[str]) -> Deadlock:
    """The deadlock with statements that do not name the schemas, and without those that are cut off within quotes."""
    named = [without_schemas(one.statement.rstrip("; \n"), schemas) for one in deadlock.participants]
    ones = [
        replace(one, statement=sql if _is_whole(sql) else "")
        for one, sql in zip(deadlock.participants, named, strict=True)
    ]
    return replace(deadlock, participants=tuple(ones))


def _is_whole(sql: str) -> bool:
    """Whether another statement can follow: no quote and no comment is open at its end."""
    return len(statements(f"{sql}\n;\nSELECT 1")) == 2


def _size(one: Participant) -> tuple[int | None, int | None]:
    """How many locks and undo records a transaction has together, and how many undo records."""
    return one.weight, one.changes


def _addresses(reported: Sequence[ReportedTransaction]) -> dict[tuple[object, ...], Sequence[Field]]:
    """The fields of each record that is dumped anywhere, by its address: a busy page's records are dumped without."""
    every = [lock for one in reported for lock in (*(one.held or ()), one.wanted) if lock is not None]
    return {lock.address(record): record.fields for lock in every for record in lock.records if record.fields}


def _in_order_of_waits(deadlock: Deadlock) -> list[Participant]:
    """The participants in an order in which their statements may have come.

    The victim comes last, as it mostly does. One who holds nothing is in the way by its request only: it comes before
    the one that waits for it, so the others come against the direction of the cycle.
    """
    ones = list(deadlock.participants)
    last = (deadlock.victim or len(ones)) - 1
    if ones[last].holds == ():
        last = next((place for place, one in enumerate(ones) if one.holds != ()), last)
    return [ones[(last - 1 - step) % len(ones)] for step in range(len(ones))]
