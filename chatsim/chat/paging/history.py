"""A thread's messages, page by page.

Entries are (message_id, sender_id, content, created_at). Whoever writes into a thread locks its row first, so that no
message appears behind a cursor that has passed it (docs/source.md, P4); what the bets are about is what a place is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chatsim.chat.paging.strategy import Page, paging_strategy
from chatsim.db.session import Session

__all__ = ["by_time", "by_time_and_id", "keyset", "keyset_newest_first", "offset"]

# as much of a message as always has room in a frame, at six bytes for a character; our clients can't send as much
_COLUMNS = "message_id, sender_id, LEFT(content, 10000), CAST(created_at AS CHAR) AS said_at"
_ID, _TIME = 0, 3

_NEVER = 2**63
_BEGINNING = "1970-01-02 00:00:00"
"""Before any message, in every time zone a TIMESTAMP."""


@paging_strategy("history", order="newest")
async def offset(tx: Session, thread: int, cursor: int | None, size: int) -> Page:
    """Bets that nothing comes or goes before the place where one is; new messages come just there. Counts up to it."""
    done = cursor or 0
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_message)"
        " WHERE thread_id = ? ORDER BY message_id DESC LIMIT ? OFFSET ?",
        (thread, size + 1, done),
    )
    return Page(found.rows[:size], done + size, len(found.rows) > size)


@paging_strategy("history")
async def keyset(tx: Session, thread: int, cursor: int | None, size: int) -> Page:
    """Bets on the id of the last message read: the next page begins behind it, at the price of a page."""
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_message)"
        " WHERE thread_id = ? AND message_id > ? ORDER BY message_id LIMIT ?",
        (thread, cursor or 0, size + 1),
    )
    return _page(found.rows, cursor, size)


@paging_strategy("history", order="newest")
async def keyset_newest_first(tx: Session, thread: int, cursor: int | None, size: int) -> Page:
    """Bets like `keyset`, from the end, where people look first; new messages come before what has been read."""
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_message)"
        " WHERE thread_id = ? AND message_id < ? ORDER BY message_id DESC LIMIT ?",
        (thread, _NEVER if cursor is None else cursor, size + 1),
    )
    return _page(found.rows, cursor, size)


@paging_strategy("history", order="time")
async def by_time(tx: Session, thread: int, cursor: str | None, size: int) -> Page:
    """Bets that no two messages are of one second: what is, and stands on both sides of a page's end, is skipped."""
    found = await tx.execute(
        f"SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_created)"
        " WHERE thread_id = ? AND created_at > ? ORDER BY created_at, message_id LIMIT ?",
        (thread, cursor or _BEGINNING, size + 1),
    )
    return _page(found.rows, cursor, size, lambda row: row[_TIME])


# two limited ranges of one index: the rest of the second where one is, and what comes later
_BEHIND = f"""
    (SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_created)
      WHERE thread_id = ? AND created_at = ? AND message_id > ? ORDER BY message_id LIMIT ?)
    UNION ALL
    (SELECT {_COLUMNS} FROM chat_message FORCE INDEX (idx_thread_created)
      WHERE thread_id = ? AND created_at > ? ORDER BY created_at, message_id LIMIT ?)
    ORDER BY said_at, message_id LIMIT ?"""


@paging_strategy("history", order="time")
async def by_time_and_id(tx: Session, thread: int, cursor: tuple[str, int] | None, size: int) -> Page:
    """Bets on the second and, within it, the id: `by_time` with the ties told apart."""
    time, last = cursor or (_BEGINNING, 0)
    found = await tx.execute(_BEHIND, (thread, time, last, size + 1, thread, time, size + 1, size + 1))
    return _page(found.rows, cursor, size, lambda row: (row[_TIME], row[_ID]))


def _page(
    rows: Sequence[tuple[Any, ...]],
    cursor: Any,
    size: int,
    place: Callable[[tuple[Any, ...]], Any] = lambda row: row[_ID],
) -> Page:
    """A page of rows, one of which was read to look ahead."""
    page = rows[:size]
    return Page(page, place(page[-1]) if page else cursor, len(rows) > size)
