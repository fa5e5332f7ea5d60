"""The locks of a report, and the records that InnoDB dumps below them.

A report has only bytes without their types. So numbers and texts are guessed; anything else is shown as hex.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias, cast

from chatsim.db.deadlock import SUPREMUM, Lock, LockKind, TableMode

__all__ = ["Field", "KeyColumns", "RecordDump", "ReportedLock", "clustered_key", "locks", "split_at"]

KeyColumns: TypeAlias = Mapping[tuple[str, str, str], int]
"""The number of columns of each index, by (schema, table, index)."""

Field: TypeAlias = tuple[int, bytes] | None
"""A field's full length and its bytes, of which InnoDB prints the first 30; None is NULL."""

_NAME = r"(?:`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[^\s`\".]+)"
_LOCK = re.compile(
    r"RECORD\s+LOCKS\s+space\s+id\s+(?P<space>\d+)\s+page\s+no\s+(?P<page>\d+)\s+n\s+bits\s+\d+"
    rf"\s+index\s+(?P<index>.{{1,200}}?)\s+of\s+table\s+(?P<table>{_NAME}(?:\.{_NAME})?)(?:\s+/\*\s*Partition\s.*?\*/)?"
    r"\s+trx\s+id\s+(?P<trx>(?:\d+\s+)?[0-9A-F]+)\s+lock[_ ]?mode\s+(?P<mode>[SX])\b"
    r"(?P<gap>\s+locks\s+gap\s+before\s+rec)?(?P<record>\s+locks\s+rec\s+but\s+not\s+gap)?"
    r"(?P<intention>\s+insert\s+intention)?(?P<waiting>\s+waiting)?"
    rf"|TABLE\s+LOCK\s+table\s+(?P<whole>{_NAME}(?:\.{_NAME})?)\s+trx\s+id\s+(?P<table_trx>(?:\d+\s+)?[0-9A-F]+)"
    r"\s+lock[_ ]?mode\s+(?P<table_mode>AUTO-INC|IS|IX|S|X)\b(?P<table_waiting>\s+waiting)?",
    re.IGNORECASE,
)
_RECORD = re.compile(
    r"Record\s+lock,\s+heap\s+no\s+(\d+)(?:\s+PHYSICAL\s+RECORD:[^\n]*?info\s+bits\s+(\d+))?",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"\s*\d+:\s+(?:SQL\s+NULL[^;\n]*|len\s+(?P<length>\d+);\s+hex\s+(?P<hex>[0-9a-f]*)\s*);?(?P<asc>\s+asc )?"
)
_TOTAL = re.compile(r";{0,2}\s*(?:\(total\s+(?P<total>\d+)\s+bytes\)[^;\n]*;?)?")
_PART = re.compile(r"^[ \t]*\d+:\s+(?:len\s|SQL\s)", re.MULTILINE)

_SUPREMUM_HEAP_NO = 1
"""The heap number of the supremum, the second record of every index page (InnoDB's page0types.h)."""

_DELETE_MARK = 32
"""The bit of a record's info bits that marks it as deleted (InnoDB's rem0wec.ic)."""


@dataclass(frozen=True, slots=True)
class RecordDump:
    """A record of a lock: its number on its page, its fields, and whether it is delete-marked."""

    heap_no: int
    fields: list[Field] = field(default_factory=list)
    deleted: bool = False

    @property
    def is_supremum(self) -> bool:
        """Whether it is the pseudo-record at the end of a page."""
        return self.heap_no == _SUPREMUM_HEAP_NO


@dataclass(frozen=True, slots=True)
class ReportedLock:
    """A lock of a report, with the dumped records that it covers.

    Attributes:
        schema, table, index: its place; no index for a lock of a table.
        mode, kind, waiting: what is asked for or held.
        transaction_id: of the transaction that has or wants it.
        page: the page that its records are on.
        records: the records; none if the report does not have them.
    """

    schema: str
    table: str
    index: str
    mode: TableMode
    kind: LockKind
    waiting: bool
    transaction_id: str
    page: tuple[int, int]
    records: list[RecordDump]

    def key(self, record: RecordDump, known: Mapping[tuple[object, ...], Sequence[Field]], columns: KeyColumns) -> str:
        """The key of a record as text: ``(30, 31)``; `SUPREMUM`; ``heap no 4`` if its fields are nowhere."""
        if record.is_supremum:
            return SUPREMUM
        fields = record.fields or known.get(self.address(record))
        if not fields:
            return f"heap no {record.heap_no}"
        end = clustered_key(fields) or columns.get((self.schema, self.table, self.index))
        return f"({', '.join(map(_value, fields[:end]))})"

    def address(self, record: RecordDump) -> tuple[object, ...]:
        """Where the record is: its page, and its number there."""
        return (*self.page, record.heap_no)

    def as_locks(self, known: Mapping[tuple[object, ...], Sequence[Field]], columns: KeyColumns) -> list[Lock]:
        """A `Lock` for each record; one without a record if the report does not have them."""
        keys = [(self.key(record, known, columns), record.deleted) for record in self.records] or [("", False)]
        return [Lock(self.table, self.index, self.mode, self.kind, key, self.schema, gone) for key, gone in keys]


def locks(body: str) -> list[ReportedLock]:
    """The locks of one section of a report, with their records. What is not understood is left out."""
    return [_lock(found, below) for found, below in split_at(_LOCK, body)]


def split_at(pattern: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each match of a pattern, with the text between it and the next one."""
    found = pattern.finditer(text)
    current = next(found, None)
    while current is not None:
        following = next(found, None)
        yield current, text[current.end() : following.start() if following else len(text)]
        current = following


def clustered_key(fields: Sequence[Field]) -> int | None:
    """The number of fields of the primary key; None for a secondary index.

    A row is its primary key, a transaction id of 6 bytes, a roll pointer of 7, then the other columns
    (MySQL manual, "InnoDB Multi-Versioning"). A transaction id below 2**40 starts with a zero byte, which no
    text does.
    """
    for place, (one, two) in enumerate(pairwise(fields)):
        if place and one and two and (one[0], two[0]) == (6, 7) and one[1].startswith(b"\0"):
            return place
    return None


def _lock(found: re.Match[str], below: str) -> ReportedLock:
    if found["whole"]:
        schema, table = _names(found["whole"])
        mode = "AUTO_INC" if found["table_mode"].upper() == "AUTO-INC" else found["table_mode"].upper()
        waiting, owner = found["table_waiting"] is not None, _plain_id(found["table_trx"])
        return ReportedLock(schema, table, "", cast("TableMode", mode), LockKind.TABLE, waiting, owner, (0, 0), [])
    schema, table = _names(found["table"])
    return ReportedLock(
        schema,
        table,
        _unquoted(found["index"]),
        cast("TableMode", found["mode"].upper()),
        _kind(found),
        found["waiting"] is not None,
        _plain_id(found["trx"]),
        (int(found["space"]), int(found["page"])),
        list(_records(below)),
    )


def _plain_id(trx: str) -> str:
    """A transaction id; before 5.5 it had two numbers."""
    return trx.rsplit(maxsplit=1)[-1]


def _names(text: str) -> tuple[str, str]:
    """Schema and table of a name: ```shop`.`item```, before 5.1.30 ```shop/item```; partitions are left out."""
    parts = re.findall(_NAME, text)
    schema, table = ("", _unquoted(parts[0])) if len(parts) == 1 else map(_unquoted, parts)
    if not schema and "/" in table:
        schema, _, table = table.partition("/")
    return schema, re.split(r"#[Pp]#", table)[0]


def _unquoted(name: str) -> str:
    name = " ".join(name.split()) if name[0] not in '`"' else name
    return name[1:-1].replace(name[0] * 2, name[0]) if name[0] in '`"' and name[-1] == name[0] else name


def _kind(lock: re.Match[str]) -> LockKind:
    if lock["intention"]:
        return LockKind.INSERT_INTENTION
    if lock["gap"]:
        return LockKind.GAP
    return LockKind.RECORD if lock["record"] else LockKind.NEXT_KEY


def _records(below: str) -> Iterator[RecordDump]:
    """The records below the line of a lock."""
    for found, dumped in split_at(_RECORD, below):
        deleted = bool(int(found[2] or 0) & _DELETE_MARK)
        yield RecordDump(int(found[1]), list(_fields(dumped)), deleted)


def _fields(text: str) -> Iterator[Field]:
    """The fields of a record: one on each line, or, before 5.5, several."""
    start = _PART.search(text)
    at = start.start() if start else len(text)
    while found := _FIELD.match(text, at):
        if found["length"] is None:
            yield None
            at = found.end()
            continue
        stored = bytes.fromhex(found["hex"]) if len(found["hex"]) % 2 == 0 else b""
        total = _TOTAL.match(text, _end_of_characters(text, found, len(stored)))
        assert total is not None
        yield int(total["total"] or found["length"]), stored
        at = total.end()
        if not _FIELD.match(text, at) and (another := _PART.search(text, at)):
            at = another.start()


def _end_of_characters(text: str, found: re.Match[str], count: int) -> int:
    """Where the characters of a field end: one for each byte, and then a semicolon. Pasting may have lost spaces."""
    if not found["asc"]:
        return found.end()
    end = found.end() + count
    if text[end : end + 1] == ";":
        return end
    lost = re.compile(r";|\n|\Z").search(text, found.end())
    assert lost is not None
    return lost.start()


def _value(found: Field) -> str:
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
