"""Inserting many rows before an experiment begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatsim.db.session import Session

__all__ = ["add_users", "insert"]

_BATCH = 5_000


async def add_users(admin: Session, uids: Iterable[int]) -> None:
    """Insert a row of ``user`` for each id, with a name made of the id."""
    await insert(admin, "user (uid, name, email)", [(uid, f"user{uid}", f"{uid}@example.org") for uid in uids])


async def insert(admin: Session, into: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows, many in one statement; ``into`` is the table with its columns."""
    for at in range(0, len(rows), _BATCH):
        batch = rows[at : at + _BATCH]
        places = ", ".join(["(" + ", ".join("?" * len(batch[0])) + ")"] * len(batch))
        await admin.execute(f"INSERT INTO {into} VALUES {places}", [value for row in batch for value in row])  # noqa: S608
