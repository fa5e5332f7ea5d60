"""A user's threads, page by page.

Entries are (thread_id, type, user1_id, user2_id); in a group both user ids are 0. `by_activity` has more columns. All
other strategies bet that a thread below the cursor has been in the list all the time: a user who joins an older group
does not find it on later pages (docs/source.md, P3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chatsim.chat.paging.strategy import Page, paging_strategy
from chatsim.db.session import Session

__all__ = ["by_activity", "offset", "source_cte", "three_ranges", "union_limited"]

_THREAD, _ACTIVITY = 0, 1  # columns

_SOURCE = """
    WITH all_threads AS (
      SELECT thread_id, 'private' AS type, user1_id, user2_id FROM private_chat
       WHERE (user1_id = ? OR user2_id = ?) AND thread_id > ?
      UNION ALL
      SELECT thread_id, 'group' AS type, 0 AS user1_id, 0 AS user2_id FROM group_chat_member
       WHERE user_id = ? AND thread_id > ?
    )
    SELECT thread_id, type, user1_id, user2_id FROM all_threads ORDER BY thread_id LIMIT ?"""

# without hints the optimizer takes uniq_private_thread for the first branch, reads all of it and sorts
_BRANCHES = (
    """SELECT thread_id, 'private', user1_id, user2_id FROM private_chat FORCE INDEX (idx_private_user1_thread)
      WHERE user1_id = ? AND thread_id > ? ORDER BY thread_id LIMIT ?""",
    """SELECT thread_id, 'private', user1_id, user2_id FROM private_chat FORCE INDEX (idx_private_user2_thread)
      WHERE user2_id = ? AND thread_id > ? ORDER BY thread_id LIMIT ?""",
    """SELECT thread_id, 'group', CAST(0 AS UNSIGNED), CAST(0 AS UNSIGNED)
       FROM group_chat_member FORCE INDEX (idx_user_threads)
      WHERE user_id = ? AND thread_id > ? ORDER BY thread_id LIMIT ?""",
)
_UNION = f"({') UNION ALL ('.join(_BRANCHES)}) ORDER BY thread_id LIMIT ?"
_THREE = "; ".join(_BRANCHES)


@paging_strategy("threads")
async def source_cte(tx: Session, uid: int, cursor: int | None, size: int) -> Page:
    """Bets that LIMIT limits what is read. But MySQL reads and sorts everything that is left of both branches first."""
    last = cursor or 0
    found = await tx.execute(_SOURCE, (uid, uid, last, uid, last, size + 1))
    return _after(found.rows, last, size)


@paging_strategy("threads")
async def offset(tx: Session, uid: int, cursor: int | None, size: int) -> Page:
    """Bets that nothing is inserted or deleted before the reader's position, and that counting up to it is cheap."""
    done = cursor or 0
    found = await tx.execute(f"{_UNION} OFFSET ?", (*(uid, 0, done + size + 1) * 3, size + 1, done))
    return Page(found.rows[:size], done + size, len(found.rows) > size)


@paging_strategy("threads")
async def union_limited(tx: Session, uid: int, cursor: int | None, size: int) -> Page:
    """Bets on a limited range of one index for each branch: three pages are read, at every position.

    But MySQL spends time before the first row of a branch, and more of it the more rows there are after the cursor.
    """
    last = cursor or 0
    found = await tx.execute(_UNION, (*(uid, last, size + 1) * 3, size + 1))
    return _after(found.rows, last, size)


@paging_strategy("threads")
async def three_ranges(tx: Session, uid: int, cursor: int | None, size: int) -> Page:
    """Bets on the ranges of `union_limited` as three statements in one round trip, merged here: their limits hold.

    A thread that is inserted or deleted between two of the statements belongs to only one of them.
    """
    last = cursor or 0
    found = await tx.script(_THREE, (uid, last, size + 1) * 3)
    rows: list[tuple[Any, ...]] = [row for branch in found for row in branch.rows]
    return _after(sorted(rows, key=lambda row: row[_THREAD])[: size + 1], last, size)


def _after(rows: Sequence[tuple[object, ...]], last: int, size: int) -> Page:
    """A page of rows by id. One more row than ``size`` was read, to see whether there is a next page."""
    page = rows[:size]
    return Page(page, page[-1][0] if page else last, len(rows) > size)


_ACTIVE = """
    SELECT thread_id, activity, unread FROM user_thread FORCE INDEX (idx_user_activity)
     WHERE user_id = ? AND {} ORDER BY {} LIMIT ?"""

# a separate statement: with a limit inside another statement, MySQL still prepares for all rows after it
_LAST = """
    SELECT t.id, t.type, m.content, CAST(m.created_at AS CHAR) FROM chat_thread t FORCE INDEX (PRIMARY)
      LEFT JOIN chat_message m ON m.message_id = t.last_message_id WHERE t.id IN ({})"""


@dataclass(frozen=True)
class _Part:
    """A part of the list by activity: its statement, the column of its cursor, and the first value of the cursor."""

    sql: str
    column: int
    begin: Callable[[int], int]

    @classmethod
    def of(cls, span: str, order: str, column: int, begin: Callable[[int], int]) -> _Part:
        return cls(_ACTIVE.format(span, order), column, begin)


_NEVER = 2**63
_PARTS = (
    _Part.of("activity > 0 AND activity < ?", "activity DESC", _ACTIVITY, lambda _: _NEVER),
    _Part.of("activity = 0 AND thread_id > ?", "thread_id", _THREAD, lambda _: 0),
    _Part.of("activity > ?", "activity", _ACTIVITY, lambda head: head),
)
_MOVED = len(_PARTS) - 1


@dataclass(frozen=True)
class _Place:
    """The position of a reader in the list by activity.

    Attributes:
        head: the activity of the first thread when reading began.
        part: the number of the current part.
        at: the activity, or the thread id, after which the next page begins.
        shown: the threads of each page so far.
    """

    head: int | None = None
    part: int = 0
    at: int = _NEVER
    shown: tuple[frozenset[int], ...] = ()


@paging_strategy("threads", order="activity")
async def by_activity(tx: Session, uid: int, cursor: _Place | None, size: int) -> Page:
    """Bets on a number that each message gives to each member; the writer pays for it.

    The thread with the newest message comes first, with this message and the number of unread ones. Threads without a
    message come last, by id. A thread that moves up meanwhile is missed on the way down. Therefore the last pages have
    the threads that are now above the first one and have not been shown yet; such a page may be short. The writer's
    price is a row of user_version and a row of user_thread for each member, within the transaction.
    """
    place, rows, more = cursor or _Place(), list[tuple[Any, ...]](), False
    head, part, at = place.head, place.part, place.at
    while True:
        room = size - len(rows)
        found: Sequence[tuple[Any, ...]] = (await tx.execute(_PARTS[part].sql, (uid, at, room + 1))).rows
        if head is None:
            head = found[0][_ACTIVITY] if found else 0
        page, more = found[:room], len(found) > room
        if page:
            at = page[-1][_PARTS[part].column]
        here = {row[_THREAD] for row in rows}
        known = (*place.shown, here) if part == _MOVED else ()
        rows += [row for row in page if not any(row[_THREAD] in shown for shown in known)]
        if more or part == _MOVED:
            break
        part += 1
        at = _PARTS[part].begin(head)
    shown = (*place.shown, frozenset(row[_THREAD] for row in rows))
    return Page(await _with_last(tx, rows), _Place(head, part, at, shown), more)


async def _with_last(tx: Session, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The threads with their types, their last messages and the times of these."""
    if not rows:
        return []
    found = await tx.execute(_LAST.format(", ".join("?" * len(rows))), [row[_THREAD] for row in rows])
    last = {thread: (kind, *message) for thread, kind, *message in found.rows}
    whole = [(*row, *last[row[_THREAD]]) for row in rows]
    return [(thread, kind, activity, unread, *message) for thread, activity, unread, kind, *message in whole]
