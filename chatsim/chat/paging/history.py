"""A thread's messages, page by page.

Entries are (message_id, sender_id, content, created_at). A writer locks the thread's row first, so no message can
appear behind a cursor that has passed its id (docs/source.md, P4). The strategies differ in how they describe a
position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chatsim.chat.paging.strategy import Page, paging_strategy
from chatsim.db.session import Session

__all__ = ["by_time", "by_time_and_id", "keyset", "keyset_newest_first", "offset"]

# the part of a message that always fits into a frame, with six bytes for a character; clients can't send longer ones
_COLUMNS = "message_id, sender_id, LEFT(content, 10000), CAST(created_at AS CHAR) AS said_at"
_ID, _TIME = 0, 3

_NEVER = 2**63
_BEGINNING = "1970-01-02 00:00:00"
"""A time before any message that is a valid TIMESTAMP in every time zone."""


@paging_strategy("history", order="newest")
async def offset(tx: Session, thread: int, cursor: int | None, size: int) -> Page:
    """Bets that nothing is inserted or deleted before the reader's position. It counts all entries up to there."""
    done = cursor or 0
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_message)"
        " WHERE thread_id = ? ORDER BY message_id DESC LIMIT ? OFFSET ?",
        (thread, size + 1, done),
    )
    return Page(found.rows[:size], done + size, len(found.rows) > size)


@paging_strategy("history")
async def keyset(tx: Session, thread: int, cursor: int | None, size: int) -> Page:
    """Bets on the id of the last message read: the next page begins after it, and costs no more than a page."""
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_message)"
        " WHERE thread_id = ? AND message_id > ? ORDER BY message_id LIMIT ?",
        (thread, cursor or 0, size + 1),
    )
    return _page(found.rows, cursor, size)


@paging_strategy("history", order="newest")
async def keyset_newest_first(tx: Session, thread: int, cursor: int | None, size: int) -> Page:
    """Bets like `keyset`, but starts at the end, where people look first. New messages come before what was read."""
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_message)"
        " WHERE thread_id = ? AND message_id < ? ORDER BY message_id DESC LIMIT ?",
        (thread, _NEVER if cursor is None else cursor, size + 1),
    )
    return _page(found.rows, cursor, size)


@paging_strategy("history", order="time")
async def by_time(tx: Session, thread: int, cursor: str | None, size: int) -> Page:
    """Bets that no two messages have the same second: after a page, other messages of its last second are skipped."""
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_created)"
        " WHERE thread_id = ? AND created_at > ? ORDER BY created_at, message_id LIMIT ?",
        (thread, cursor or _BEGINNING, size + 1),
    )
    return _page(found.rows, cursor, size, lambda row: row[_TIME])


# two limited ranges of one index: the rest of the current second, and everything later
_BEHIND = f"""
    (SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_created)
      WHERE thread_id = ? AND created_at = ? AND message_id > ? ORDER BY message_id LIMIT ?)
    UNION ALL
    (SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_created)
      WHERE thread_id = ? AND created_at > ? ORDER BY created_at, message_id LIMIT ?)
    ORDER BY said_at, message_id LIMIT ?"""


@paging_strategy("history", order="time")
async def by_time_and_id(tx: Session, thread: int, cursor: tuple[str, int] | None, size: int) -> Page:
    """Bets on the second and, within it, on the id: `by_time` without its ties."""
    time, last = cursor or (_BEGINNING, 0)
    found = await tx.execute(_BEHIND, (thread, time, last, size + 1, thread, time, size + 1, size + 1))
    return _page(found.rows, cursor, size, lambda row: (row[_TIME], row[_ID]))


def _page(
    rows: Sequence[tuple[Any, ...]],
    cursor: Any,
    size: int,
    place: Callable[[tuple[Any, ...]], Any] = lambda row: row[_ID],
) -> Page:
    """A page of rows. One more row than ``size`` was read, to see whether there is a next page."""
    page = rows[:size]
    return Page(page, place(page[-1]) if page else cursor, len(rows) > size)
