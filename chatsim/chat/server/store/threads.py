"""Which threads a user has, and who is in one."""

from __future__ import annotations

from chatsim.chat.ports import Session
from chatsim.chat.protocol import ErrorCode, Thread, ThreadState
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.rows import structs

__all__ = ["mark_read", "members", "states", "threads"]

_PAGE = 100

# a limited range of one index for each branch: it costs what a page costs, wherever the page is
_THREADS = """
    (SELECT thread_id, 'private', user1_id, user2_id FROM private_chat FORCE INDEX (idx_private_user1_thread)
      WHERE user1_id = ? AND thread_id > ? ORDER BY thread_id LIMIT ?)
    UNION ALL
    (SELECT thread_id, 'private', user1_id, user2_id FROM private_chat FORCE INDEX (idx_private_user2_thread)
      WHERE user2_id = ? AND thread_id > ? ORDER BY thread_id LIMIT ?)
    UNION ALL
    (SELECT thread_id, 'group', CAST(0 AS UNSIGNED), CAST(0 AS UNSIGNED)
      FROM group_chat_member FORCE INDEX (idx_user_threads)
      WHERE user_id = ? AND thread_id > ? ORDER BY thread_id LIMIT ?)
    ORDER BY thread_id LIMIT ?"""

_READ = """
    SELECT t.id, t.last_seq, r.user_id, r.seq FROM chat_thread t LEFT JOIN thread_read r ON r.thread_id = t.id
     WHERE t.id IN ({}) ORDER BY t.id"""

_MEMBERS = """
    SELECT user1_id, user2_id FROM private_chat WHERE thread_id = ?;
    SELECT user_id FROM group_chat_member WHERE thread_id = ?"""

_MARK = """
    INSERT INTO thread_read (thread_id, user_id, seq) SELECT id, ?, LEAST(last_seq, ?) FROM chat_thread WHERE id = ?
    ON DUPLICATE KEY UPDATE seq = GREATEST(thread_read.seq, VALUES(seq));
    SELECT seq FROM thread_read WHERE thread_id = ? AND user_id = ?"""


async def threads(tx: Session, uid: int, after: int) -> tuple[tuple[Thread, ...], bool]:
    """The user's threads with an id above ``after``, by id, a page of at most 100; and whether there are more."""
    reach = (uid, after, _PAGE + 1)
    found = await tx.execute(_THREADS, (*reach, *reach, *reach, _PAGE + 1))
    return structs(Thread, found.rows[:_PAGE]), len(found.rows) > _PAGE


async def states(tx: Session, uid: int, after: int) -> tuple[tuple[ThreadState, ...], bool]:
    """As `threads`, with the number of each one's last message, and how far its members have read."""
    page, more = await threads(tx, uid, after)
    if not page:
        return (), False
    found = await tx.execute(_READ.format(", ".join("?" * len(page))), [thread.thread_id for thread in page])
    last = {row[0]: row[1] for row in found.rows}
    read = {(row[0], row[2]): row[3] for row in found.rows}
    rows = [
        (
            *(thread.thread_id, thread.type, thread.user1_id, thread.user2_id),
            last[thread.thread_id],
            *(read.get((thread.thread_id, user), 0) for user in (thread.user1_id, thread.user2_id)),
        )
        for thread in page
    ]
    return structs(ThreadState, rows), more


async def members(tx: Session, thread: int, uid: int) -> list[int]:
    """Who is in a thread, ``uid`` among them. Raises a `RefusalError` if they are not."""
    pair, group = await tx.script(_MEMBERS, (thread, thread))
    found = [int(str(user)) for row in (*pair.rows, *group.rows) for user in row]
    if uid not in found:
        raise RefusalError(ErrorCode.NOT_A_MEMBER, f"user {uid} is no member of thread {thread}")
    return found


async def mark_read(tx: Session, thread: int, uid: int, seq: int) -> int:
    """Note that a member has read up to ``seq``, or up to the end, never back; returns how far they have."""
    _, read = await tx.script(_MARK, (uid, seq, thread, thread, uid))
    return read.scalar() or 0
