"""From the text of deadlock reports to deadlocks.

A report is read by its headings, the lines that begin with ``***``. What it should have and does not have (it was cut
off, or the server is of a version that does not print it) is said in `Deadlock.missing`; what is there is still read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chatsim.db.deadlock import Deadlock, Lock, Participant
from chatsim.db.deadlock_kinds import Deadlocks
from chatsim.db.deadlock_report.pasted import plain
from chatsim.db.deadlock_report.records import Field, KeyColumns, ReportedLock, locks, split_at
from chatsim.db.deadlock_report.transactions import AboutTransaction, about

__all__ = ["NoDeadlockError", "ReportedTransaction", "deadlocks", "find_deadlocks", "transactions"]

_HEADING = (
    r"(?:\*{1,3}[ \t]*(?:\((?P<number>\d+)\)\s+)?|\((?P<bare>\d+)\)\s+|(?=WE\s+ROLL\s+BACK))"
    r"(?P<what>TRANSACTION:|HOLDS\s+THE\s+LOCK(?:\(S\))?:?|WAITING\s+FOR\s+THIS\s+LOCK\s+TO\s+BE\s+GRANTED:?"
    r"|CONFLICTING\s+WITH:?|WE\s+ROLL\s+BACK\s+TRANSACTION\s+\((?P<victim>\d+)\))"
)
_HEADING_LINE = re.compile(rf"^[ \t]*{_HEADING}", re.MULTILINE | re.IGNORECASE)
_HEADING_ANYWHERE = re.compile(_HEADING, re.IGNORECASE)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]+\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|\d{6}\s+\d{1,2}:\d\d:\d\d)"
    r"(?:[^\n]*|[^\n]*transactions\s+deadlock\s+detected,[^*]*)\s*\Z",
    re.IGNORECASE,
)
_FAR = 300
"""How many characters before a report its time is looked for."""

_TOO_DEEP = re.compile(r"TOO\s+DEEP\s+OR\s+LONG\s+SEARCH", re.IGNORECASE)
_OLD_FORM = (
    "MySQL before 8.0.18 and MariaDB before 10.6 print two transactions of a cycle, even if there were more, and not"
    " what the first one holds."
)


class NoDeadlockError(ValueError):
    """A text has no deadlock in it. The message says where a server prints them."""


@dataclass(slots=True)
class ReportedTransaction:
    """What a report says of one transaction.

    Attributes:
        about: who it is, and its statement.
        held: the locks that it holds, requests of its own in the queue among them; None if nothing is said of them.
        wanted: the lock that it waits for; None if nothing is said of it.
    """

    about: AboutTransaction
    held: list[ReportedLock] | None = None
    wanted: ReportedLock | None = None


@dataclass(slots=True)
class _Report:
    """One report, as it is read: its transactions by number, the victim, and what stands in the text."""

    text: str
    time: str = ""
    transactions: dict[int, ReportedTransaction] = field(default_factory=dict)
    conflicting: list[ReportedLock] = field(default_factory=list)
    victim: int | None = None
    ended: bool = False


def deadlocks(text: str) -> Deadlocks:
    """All deadlocks of a text: of SHOW ENGINE INNODB STATUS, of an error log, or of several of them.

    The text may be quoted, indented, or pasted as one line. One that stands in it several times is returned once.

    Raises:
        NoDeadlockError: there is none in the text.
    """
    found = find_deadlocks(text)
    if not found and _TOO_DEEP.search(text):
        raise NoDeadlockError(
            "the server gave up its search for a deadlock (TOO DEEP OR LONG SEARCH) and rolled a transaction back; it"
            " found no cycle, so there is none to explain"
        )
    if not found:
        raise NoDeadlockError(
            "there is no deadlock in this text; SHOW ENGINE INNODB STATUS prints the latest one under LATEST DETECTED"
            " DEADLOCK, and with innodb_print_all_deadlocks=ON the error log has all"
        )
    return Deadlocks(found)


def find_deadlocks(text: str, columns: KeyColumns | None = None) -> list[Deadlock]:
    """The deadlocks of a text; an empty list if there is none.

    Args:
        text: what was pasted.
        columns: the number of columns of each secondary index. Without it, the columns of the primary key, which
            InnoDB appends to each entry, are shown too.
    """
    found = [_deadlock(report, columns or {}) for report in _reports(plain(text))]
    return list({_identity(each, place): each for place, each in enumerate(found)}.values())


def transactions(raw: str) -> dict[int, ReportedTransaction]:
    """What the text of a deadlock says of its transactions, by number; for those who need the records' bytes.

    Args:
        raw: `Deadlock.raw` of a deadlock that was read.
    """
    reports = _reports(raw)
    return reports[0].transactions if reports else {}


def _identity(deadlock: Deadlock, place: int) -> object:
    """What is equal for the same deadlock printed twice. Without transaction ids, nothing is."""
    ids = tuple(one.transaction_id for one in deadlock.participants)
    return (deadlock.time, ids, deadlock.participants) if all(ids) else place


def _reports(text: str) -> list[_Report]:
    """The reports of a plain text, one after the other. One whose beginning is cut off counts."""
    pattern = _HEADING_LINE
    if 2 * len(pattern.findall(text)) < len(_HEADING_ANYWHERE.findall(text)):
        pattern = _HEADING_ANYWHERE  # the line breaks are lost
    reports: list[_Report] = []
    current: _Report | None = None
    latest = start = 0
    for heading, body in split_at(pattern, text):
        number = int(heading["number"] or heading["bare"] or latest)
        what = heading["what"].upper()
        if current is None or (what.startswith("TRANSACTION") and number <= max(current.transactions, default=0)):
            current = _Report("", _time_before(text, heading.start()))
            start = _start_of_line(text, heading.start()) if current.time else heading.start()
            reports.append(current)
        latest = number
        if heading["victim"]:
            current.victim, current.ended = int(heading["victim"]) or None, True
            current.text = text[start : heading.end()] + "\n"
            current, latest = None, 0
            continue
        current.text = text[start : heading.end()] + body
        _read_section(current, number, what, body)
    for report in reports:
        _assign_conflicting(report)
    return [report for report in reports if report.transactions]


def _time_before(text: str, start: int) -> str:
    found = _TIME.search(text[max(0, start - _FAR) : start])
    return found[1] if found else ""


def _start_of_line(text: str, start: int) -> int:
    """The start of the line before, which has the time."""
    before = text[max(0, start - _FAR) : start].rstrip()
    return max(0, start - _FAR) + before.rfind("\n") + 1


def _read_section(report: _Report, number: int, what: str, body: str) -> None:
    """Read the text below one heading."""
    if what.startswith("TRANSACTION"):
        report.transactions[number] = ReportedTransaction(about(body))
        return
    found = locks(body)
    if what.startswith("CONFLICTING"):
        report.conflicting += found
        return
    transaction = report.transactions.setdefault(number, ReportedTransaction(about("")))
    if what.startswith("HOLDS"):
        transaction.held = (transaction.held or []) + found
    elif found:
        transaction.wanted = found[0]


def _assign_conflicting(report: _Report) -> None:
    """Give the locks of MariaDB's CONFLICTING WITH to the transactions that have them."""
    if not report.conflicting:
        return
    for each in report.transactions.values():
        own = [lock for lock in report.conflicting if lock.transaction_id == each.about.transaction_id]
        if own or report.ended:
            each.held = own


def _deadlock(report: _Report, columns: KeyColumns) -> Deadlock:
    """A report as a deadlock."""
    found = report.transactions
    every = [lock for one in found.values() for lock in (*(one.held or ()), one.wanted) if lock is not None]
    known = {lock.address(record): record.fields for lock in every for record in lock.records if record.fields}
    participants = tuple(
        _participant(place, found[number], known, columns) for place, number in enumerate(sorted(found), start=1)
    )
    places = {number: place for place, number in enumerate(sorted(found), start=1)}
    victim = places.get(report.victim) if report.victim is not None else None
    missing = _missing(report, participants, victim)
    return Deadlock(participants, victim, report.text, report.time, tuple(missing))


def _participant(
    number: int, one: ReportedTransaction, known: Mapping[tuple[object, ...], Sequence[Field]], columns: KeyColumns
) -> Participant:
    holds: tuple[Lock, ...] | None = None
    if one.held is not None:
        # A waiting lock among those held is the transaction's own request in the queue: it is in ``wanted`` too.
        granted = [lock for lock in one.held if not lock.waiting]
        holds = tuple(dict.fromkeys(each for lock in granted for each in lock.as_locks(known, columns)))
    waits = one.wanted.as_locks(known, columns)[0] if one.wanted is not None else None
    who = one.about
    return Participant(
        number,
        who.connection_id,
        who.statement,
        holds,
        waits,
        who.weight,
        transaction_id=who.transaction_id,
        changes=who.changes,
    )


def _missing(report: _Report, participants: Sequence[Participant], victim: int | None) -> list[str]:
    """What the report does not have, in sentences."""
    missing = []
    if len(participants) == 1:
        missing.append("The report has one transaction only; the other one is cut off.")
    first = participants[0]
    if first.holds is None and all(each.holds is not None for each in participants[1:]) and len(participants) == 2:
        missing.append(_OLD_FORM)
        if (wanted := participants[1].waits) is not None:
            spot = f"{wanted.record} of {wanted.place}" if wanted.record else wanted.place
            missing.append(f"If there were only two, transaction 1 holds what transaction 2 waits for, on {spot}.")
    elif any(each.holds is None for each in participants[: len(participants) - (not report.ended)]):
        missing.append("The report does not have what each transaction holds.")
    if not report.ended:
        missing.append("The end of the report is cut off.")
    if report.victim is not None and victim is None:
        missing.append(f"Transaction {report.victim} was rolled back, but is not in the report.")
    on_records = [each.waits for each in participants if each.waits is not None and each.waits.index]
    if without := [lock for lock in on_records if not lock.record]:
        which = "the" if len(without) == len(on_records) else "some"
        missing.append(f"The report does not have the records of {which} locks.")
    return missing
