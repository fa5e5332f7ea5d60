"""Parsing the deadlock report of a MySQL server.

``SHOW ENGINE INNODB STATUS`` has only the latest deadlock. ``innodb_print_all_deadlocks=ON`` would write each one to
the error log, but printing is slow: a race for one gap ran at a third to a half of its rate (``docs/findings.md``). And
``performance_schema.error_log`` has only the headings of a report; the locks are written directly into the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import TypeAlias, cast

from chatsim.db.deadlock import SUPREMUM, Deadlock, Lock, LockKind, Mode, Participant
from chatsim.db.errors import DatabaseError
from chatsim.db.session import Session

__all__ = ["KeyColumns", "key_columns", "latest", "parse"]

KeyColumns: TypeAlias = Mapping[tuple[str, str, str], int]
"""The number of columns of each index, by (schema, table, index)."""

_ACCESS_DENIED = 1227
"""The error number for a missing privilege, here PROCESS (Server Error Message Reference)."""

_STATUS_SECTION = re.compile(r"LATEST DETECTED DEADLOCK\n-+\n(.*?\n)-+\nTRANSACTIONS\n", re.DOTALL)
_HEADING = re.compile(
    r"^ ?\*\*\* (\(\d+\) (?:TRANSACTION|HOLDS THE LOCK\(S\)|WAITING FOR THIS LOCK TO BE GRANTED):"
    r"|WE ROLL BACK TRANSACTION \(\d+\)) *$",
    re.MULTILINE,
)
_ROLL_BACK = re.compile(r"WE ROLL BACK TRANSACTION \((\d+)\)")
_STRUCTS = re.compile(r"^(?:.* )?(\d+) lock struct\(s\)(?:.*, undo log entries (\d+))?", re.MULTILINE)
_THREAD = re.compile(r"^MySQL thread id (\d+),.*$", re.MULTILINE)
_LOCK = re.compile(
    r"RECORD LOCKS (?P<page>space id \d+ page no \d+) n bits \d+ index (?P<index>.+)"
    r" of table `(?P<schema>(?:[^`]|``)+)`\.`(?P<table>(?:[^`]|``)+)`(?: /\* Partition .* \*/)?"
    r" trx id \d+ lock[_ ]mode (?P<mode>[SX])"
    r"(?P<gap> locks gap before rec)?(?P<record> locks rec but not gap)?"
    r"(?P<intention> insert intention)?(?P<waiting> waiting)?"
)
_RECORD = re.compile(r"Record lock, heap no (\d+)(?: PHYSICAL RECORD: .*)?")
_FIELD = re.compile(
    r" \d+: (?:SQL NULL.*|len (?P<length>\d+); hex (?P<hex>[0-9a-f]*); asc .*?;;?(?: \(total (?P<total>\d+) bytes\);)?)"
)

_SUPREMUM_HEAP_NO = 1
"""The heap number of the supremum, the second record of every index page (InnoDB's page0types.h)."""

_Field: TypeAlias = tuple[int, bytes] | None
"""A field's full length and its bytes, of which InnoDB prints the first 30; None is NULL."""


def parse(raw: str, columns: KeyColumns | None = None) -> Deadlock:
    """Parse one deadlock out of ``raw``, the text of the InnoDB status.

    Text before and after the report is ignored. The key of a record is shown as ``(30, 31)``. The report has only bytes
    without their types, so numbers and texts are guessed; anything else is shown as hex. InnoDB leaves out the fields
    of a record if its page is busy; if they are nowhere else in the report, the record is shown as ``heap no 4``.

    Args:
        raw: the report.
        columns: the number of columns of each secondary index. Without it, the columns of the primary key, which
            InnoDB appends to each entry, are shown too.

    Raises:
        ValueError: something expected is missing. The message names it and the line that was found instead.
    """
    transactions, victim = _transactions(raw)
    dumped = [record for _, held, wanted in transactions for record in (*held, *wanted)]
    known = {record.address: record.fields for record in dumped if record.fields}
    participants: list[Participant] = []
    for number, (about, held, wanted) in enumerate(transactions, start=1):
        if not wanted:
            raise ValueError(f"expected the lock that transaction {number} waits for, found nothing")
        # A waiting lock among those held is the transaction's own request in the queue: it is in ``wanted`` too.
        holds = tuple(_lock(record, known, columns or {}) for record in held if not record.waiting)
        participants.append(_participant(number, about, holds, _lock(wanted[0], known, columns or {})))
    if not 1 <= victim <= len(participants):
        raise ValueError(f"transaction {victim} was rolled back but is not in the report")
    return Deadlock(tuple(participants), victim, raw)


async def key_columns(session: Session) -> dict[tuple[str, str, str], int]:
    """The number of columns of each index that the session's user may see."""
    found = await session.execute(
        "SELECT table_schema, table_name, index_name, COUNT(*) FROM information_schema.statistics"
        " WHERE table_schema NOT IN ('mysql', 'sys') GROUP BY table_schema, table_name, index_name"
    )
    return {(str(row[0]), str(row[1]), str(row[2])): int(str(row[3])) for row in found.rows}


async def latest(session: Session) -> Deadlock | None:
    """The server's latest deadlock in any schema; None if there was none, or if PROCESS is not granted.

    Raises:
        ValueError: the report can't be parsed. The exception has its text as a note.
    """
    try:
        status = await session.execute("SHOW ENGINE INNODB STATUS")
    except DatabaseError as error:
        if error.errno == _ACCESS_DENIED:
            return None
        raise
    section = _STATUS_SECTION.search(_text(status.rows[0][2]))
    return _parse_noted(section[1], await key_columns(session)) if section else None


def _parse_noted(raw: str, columns: KeyColumns) -> Deadlock:
    """`parse`, with ``raw`` as a note of the exception."""
    try:
        return parse(raw, columns)
    except ValueError as error:
        error.add_note(raw)
        raise


@dataclass(frozen=True, slots=True)
class _Record:
    """One record of a lock: the parts of the lock's line, and the fields below it."""

    lock: re.Match[str]
    heap_no: int
    fields: list[_Field]

    @property
    def address(self) -> tuple[str, int]:
        return self.lock["page"], self.heap_no

    @property
    def waiting(self) -> bool:
        return self.lock["waiting"] is not None


def _transactions(raw: str) -> tuple[list[tuple[str, list[_Record], list[_Record]]], int]:
    """For each transaction its description, the locks it holds and the one it waits for; then the victim's number."""
    sections = _sections(raw)
    transactions: list[tuple[str, list[_Record], list[_Record]]] = []
    for number in count(1):
        heading, about = next(sections)
        if transactions and (ended := _ROLL_BACK.fullmatch(heading)):
            return transactions, int(ended[1])
        _expect(f"({number}) TRANSACTION:", heading)
        heading, held = next(sections)
        _expect(f"({number}) HOLDS THE LOCK(S):", heading)
        heading, wanted = next(sections)
        _expect(f"({number}) WAITING FOR THIS LOCK TO BE GRANTED:", heading)
        transactions.append((about, _records(held), _records(wanted)))
    raise AssertionError("count() does not end")


def _sections(raw: str) -> Iterator[tuple[str, str]]:
    """Each heading with the text below it. After the last one, the iterator raises ValueError."""
    # splitting at a pattern with one group gives: the text before, then heading, body, heading, body, …
    _, *parts = _HEADING.split(raw)
    yield from zip(parts[::2], parts[1::2], strict=True)
    raise ValueError(f"expected another '***' heading after {parts[-2] if parts else 'the start'!r}, found the end")


def _expect(expected: str, found: str) -> None:
    if found != expected:
        raise ValueError(f"expected '*** {expected}', found '*** {found}'")


def _records(body: str) -> list[_Record]:
    """The records that the locks in one section cover."""
    lock: re.Match[str] | None = None
    records: list[_Record] = []
    for line in filter(str.strip, body.splitlines()):
        if found := _LOCK.fullmatch(line):
            lock = found
        elif lock and (found := _RECORD.fullmatch(line)):
            records.append(_Record(lock, int(found[1]), []))
        elif records and (found := _FIELD.fullmatch(line)):
            records[-1].fields.append(_field(found))
        else:
            raise ValueError(f"expected a record lock, found {line!r}")
    return records


def _participant(number: int, about: str, holds: tuple[Lock, ...], waits: Lock) -> Participant:
    """The transaction that ``about`` describes: at most four lines, then its statement."""
    structs = _STRUCTS.search(about)
    if structs is None:
        raise ValueError(f"expected '… lock struct(s)' of transaction {number}, found {_first_line(about)!r}")
    thread = _THREAD.search(about)
    return Participant(
        number=number,
        connection_id=int(thread[1]) if thread else 0,
        statement=about[thread.end() :].strip() if thread else "",
        holds=holds,
        waits=waits,
        weight=int(structs[1]) + int(structs[2] or 0),
    )


def _lock(record: _Record, known: Mapping[tuple[str, int], Sequence[_Field]], columns: KeyColumns) -> Lock:
    """The lock of one record. Its key is looked up in ``known`` by the record's address."""
    index = record.lock["index"]
    schema, table = (record.lock[name].replace("``", "`") for name in ("schema", "table"))
    if record.heap_no == _SUPREMUM_HEAP_NO:
        key = SUPREMUM
    elif fields := known.get(record.address):
        end = _clustered_key(fields) or columns.get((schema, table, index))
        key = f"({', '.join(map(_value, fields[:end]))})"
    else:
        key = f"heap no {record.heap_no}"
    return Lock(table, index, cast("Mode", record.lock["mode"]), _kind(record.lock), key)


def _kind(lock: re.Match[str]) -> LockKind:
    if lock["intention"]:
        return LockKind.INSERT_INTENTION
    if lock["gap"]:
        return LockKind.GAP
    return LockKind.RECORD if lock["record"] else LockKind.NEXT_KEY


def _field(found: re.Match[str]) -> _Field:
    return (int(found["total"] or found["length"]), bytes.fromhex(found["hex"])) if found["length"] else None


def _clustered_key(fields: Sequence[_Field]) -> int | None:
    """The number of fields of the primary key; None for a secondary index.

    A row is its primary key, a transaction id of 6 bytes, a roll pointer of 7, then the other columns
    (MySQL manual, "InnoDB Multi-Versioning"). A transaction id below 2**40 starts with a zero byte, which no
    text does.
    """
    for place, (one, two) in enumerate(pairwise(fields)):
        if place and one and two and (one[0], two[0]) == (6, 7) and one[1].startswith(b"\0"):
            return place
    return None


def _value(found: _Field) -> str:
    """A field's value: a printable text, an integer of one of MySQL's sizes, or hex."""
    if found is None:
        return "NULL"
    length, stored = found
    cut = length > len(stored)
    try:
        text = stored.decode(errors="ignore" if cut else "strict")
    except UnicodeDecodeError:
        text = "\0"
    if text.isprintable():
        return f"'{text}{'…' if cut else ''}'"
    if length in {1, 2, 3, 4, 8}:
        return str(_integer(stored))
    return f"0x{stored.hex()}{'…' if cut else ''}"


def _integer(stored: bytes) -> int:
    """A big-endian integer. A signed one has its sign bit flipped, so that bytes sort as numbers do.

    The report does not say which it is: a bigint counts as signed only near zero, where no unsigned id would be.
    """
    signed = stored[0] in {0x7F, 0x80} if len(stored) == 8 else stored[0] >= 0x7F
    return int.from_bytes(stored) - (1 << (8 * len(stored) - 1) if signed else 0)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _text(value: object) -> str:
    """The text of a result. A binary one (LOAD_FILE, SHOW in some drivers) is UTF-8."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
