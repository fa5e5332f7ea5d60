"""Locks in the form in which the server prints them, in SHOW ENGINE INNODB STATUS and in reports of deadlocks.

Source: MySQL manual, "InnoDB Standard Monitor and Lock Monitor Output". The fields of records are shown as integers of
four or eight bytes, or as texts. The model has no heap numbers: they are given in the order in which records come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatsim.db.deadlock import SUPREMUM, Lock, LockKind

__all__ = ["HEAP", "LockPrinter", "thread_line"]

HEAP = 1128
"""The bytes of a transaction's locks, as the server shows them for a few."""

_COVERS = {
    LockKind.RECORD: " locks rec but not gap",
    LockKind.GAP: " locks gap before rec",
    LockKind.INSERT_INTENTION: " locks gap before rec insert intention",
}
_VALUE = re.compile(r"'.*?'(?=, |\Z)|[^,]+")


class LockPrinter:
    """Prints the locks of one text.

    Args:
        schema: the schema of the tables; empty if it has no name.
    """

    def __init__(self, schema: str) -> None:
        self._schema = f"`{schema}`." if schema else ""
        self._heap: dict[tuple[str, str], int] = {}

    def lines(self, lock: Lock, trx: int, *, waits: bool) -> Iterator[str]:
        """The lines of a lock that a transaction holds or waits for."""
        owner = f"table {self._schema}`{lock.table}` trx id {trx}"
        waiting = " waiting" if waits else ""
        if lock.kind is LockKind.TABLE:
            yield f"TABLE LOCK {owner} lock mode {lock.mode.replace('_', '-')}{waiting}"
            return
        covers = _COVERS.get(lock.kind, "")
        if lock.kind is LockKind.INSERT_INTENTION and lock.record == SUPREMUM:
            covers = " insert intention"
        mode = "lock mode S" if lock.mode == "S" else "lock_mode X"
        yield f"RECORD LOCKS space id 0 page no 4 n bits 72 index {lock.index} of {owner} {mode}{covers}{waiting}"
        yield from self._record(lock)

    def _record(self, lock: Lock) -> Iterator[str]:
        number, fields = 1, [_stored(SUPREMUM)]
        if lock.record != SUPREMUM:
            number = self._heap.setdefault(lock.spot, len(self._heap) + 2)
            fields = [_stored(value.strip()) for value in _VALUE.findall(lock.record[1:-1])]
        yield f"Record lock, heap no {number} PHYSICAL RECORD: n_fields {len(fields)}; compact format; info bits 0"
        for at, stored in enumerate(fields):
            if stored is None:
                yield f" {at}: SQL NULL;"
                continue
            shown = "".join(chr(each) if 32 <= each < 127 else " " for each in stored)
            yield f" {at}: len {len(stored)}; hex {stored.hex()}; asc {shown};;"
        yield ""


def thread_line(connection_id: int) -> str:
    """The line about the session of a transaction."""
    return f"MySQL thread id {connection_id}, OS thread handle 0, query id 0 localhost root updating"


def _stored(value: str) -> bytes | None:
    """A field of a record as bytes: an integer with its sign turned, as InnoDB stores it; None for NULL."""
    if value == "NULL":
        return None
    if value.startswith("0x"):
        return bytes.fromhex(value[2:])
    if not value.lstrip("-").isdigit():
        return value.removeprefix("'").removesuffix("'").encode()
    size = 4 if -(1 << 31) <= int(value) < 1 << 31 else 8
    return ((int(value) + (1 << (8 * size - 1))) % (1 << (8 * size))).to_bytes(size)
