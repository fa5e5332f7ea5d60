"""The threads of a user, their changes, and their members.

Each change of a thread gets a number (version) for each member. A writer of versions holds the lock of the user's row
of ``user_version`` until the commit, so the versions of a user become visible in their order. Of several users, the one
with the lowest id is locked first. The thread's own row is locked before.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.chat.paging import DEFAULTS
from chatsim.chat.protocol import ErrorCode, Thread, ThreadState
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.rows import structs
from chatsim.chat.session_wrapper import SessionWrapper
from chatsim.db.session import Rows, Session

__all__ = ["MembersOnly", "changed", "joined", "mark_read", "require", "states", "threads", "written"]

_PAGE = 100
_NEVER = 2**63

_NEWEST = """
    SELECT thread_id, version, unread FROM user_thread FORCE INDEX (idx_user_version)
     WHERE user_id = ? AND version > ? AND version < ? ORDER BY version DESC LIMIT ?"""

_ZERO = "CAST(0 AS UNSIGNED)"  # a plain 0 is signed, and becomes a DECIMAL with an unsigned column
_STATES = f"""
    SELECT t.id, t.type, COALESCE(p.user1_id, {_ZERO}), COALESCE(p.user2_id, {_ZERO}), t.last_seq,
           COALESCE(u1.read_seq, {_ZERO}), COALESCE(u2.read_seq, {_ZERO})
      FROM chat_thread t
      LEFT JOIN private_chat p ON p.thread_id = t.id
      LEFT JOIN user_thread u1 ON u1.user_id = p.user1_id AND u1.thread_id = t.id
      LEFT JOIN user_thread u2 ON u2.user_id = p.user2_id AND u2.thread_id = t.id
     WHERE t.id IN ({{}})"""

_MEMBERS = """
    SELECT user1_id, user2_id FROM private_chat WHERE thread_id = ?;
    SELECT user_id FROM group_chat_member WHERE thread_id = ?"""

_MEMBER = """
    SELECT 1 FROM private_chat WHERE thread_id = ? AND (user1_id = ? OR user2_id = ?);
    SELECT 1 FROM group_chat_member WHERE thread_id = ? AND user_id = ?"""

_NUMBER = "INSERT INTO user_version (user_id, version) VALUES {} ON DUPLICATE KEY UPDATE version = version + 1"
_CHANGED = """
    INSERT INTO user_thread (user_id, thread_id, version)
      SELECT user_id, ?, version FROM user_version WHERE user_id IN ({})
    ON DUPLICATE KEY UPDATE version = VALUES(version)"""
_WRITTEN = """
    INSERT INTO user_thread (user_id, thread_id, version, activity, unread)
      SELECT user_id, ?, version, version, IF(user_id = ?, 0, ?) FROM user_version WHERE user_id IN ({})
    ON DUPLICATE KEY UPDATE
      version = VALUES(version), activity = VALUES(activity), unread = user_thread.unread + VALUES(unread)"""

_LOOK = f"""
    BEGIN; SELECT last_seq FROM chat_thread WHERE id = ? FOR SHARE; {_MEMBERS};
    SELECT read_seq FROM user_thread WHERE user_id = ? AND thread_id = ?;
    SELECT COUNT(*) FROM chat_message WHERE thread_id = ? AND seq > ? AND sender_id <> ?"""

# another device of the user may have read further; assignments take effect from left to right
_READ = """
    UPDATE user_thread SET unread = IF(read_seq < ?, ?, unread), read_seq = GREATEST(read_seq, ?)
     WHERE user_id = ? AND thread_id = ?;
    SELECT read_seq FROM user_thread WHERE user_id = ? AND thread_id = ?"""


async def threads(tx: Session, uid: int, after: int) -> tuple[tuple[Thread, ...], bool]:
    """The user's threads with an id above ``after``, at most 100, ordered by id; and whether there are more."""
    page = await DEFAULTS["threads"](tx, uid, after, _PAGE)
    return structs(Thread, page.rows), page.more


async def states(tx: Session, uid: int, since: int, before: int) -> tuple[tuple[ThreadState, ...], bool]:
    """The user's threads with a version above ``since``, and below ``before`` if that is not 0, the newest first.

    At most 100, and whether there are more.
    """
    found = await tx.execute(_NEWEST, (uid, since, before or _NEVER, _PAGE + 1))
    page = found.rows[:_PAGE]
    if not page:
        return (), False
    details = await tx.execute(_STATES.format(", ".join("?" * len(page))), [thread for thread, _, _ in page])
    by_id = {row[0]: row for row in details.rows}
    return structs(ThreadState, [(*by_id[thread], *rest) for thread, *rest in page]), len(found.rows) > _PAGE


class MembersOnly(SessionWrapper):
    """A session through which only members of a thread can read. For others it raises `RefusalError`.

    The membership is checked in the same round trip as the read. A second round trip would double the time of a page.

    Args:
        tx: the session.
        thread: the thread.
        uid: the user who reads.
    """

    def __init__(self, tx: Session, thread: int, uid: int) -> None:
        super().__init__(tx)
        self._thread, self._uid = thread, uid

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run several statements."""
        who = (self._thread, self._uid, self._uid, self._thread, self._uid)
        pair, group, *found = await super().script(f"{_MEMBER}; {sql}", (*who, *args))
        if not pair.rows and not group.rows:
            raise _no_member(self._uid, self._thread)
        return found


async def require(tx: Session, uid: int, threads: Sequence[int]) -> None:
    """Raise `RefusalError` unless ``uid`` is a member of all these threads."""
    places = ", ".join("?" * len(threads))
    pairs, groups = await tx.script(
        f"SELECT thread_id FROM private_chat WHERE thread_id IN ({places}) AND (user1_id = ? OR user2_id = ?);"
        f" SELECT thread_id FROM group_chat_member WHERE thread_id IN ({places}) AND user_id = ?",
        (*threads, uid, uid, *threads, uid),
    )
    if strange := {*threads} - {thread for (thread,) in (*pairs.rows, *groups.rows)}:
        raise RefusalError(ErrorCode.NOT_A_MEMBER, f"user {uid} is no member of thread {min(strange)}")


async def mark_read(tx: Session, thread: int, uid: int, seq: int) -> tuple[list[int], int, bool]:
    """Store a member's read position in a transaction: ``seq``, at most the last number, and never backwards.

    Returns the members of the thread, the read position, and whether it has moved.

    Raises:
        RefusalError: ``uid`` is not a member.
    """
    await require(tx, uid, [thread])  # before anything is locked or counted: a stranger must not stall the thread
    _, last, pair, group, read, left = await tx.script(_LOOK, (thread, thread, thread, uid, thread, thread, seq, uid))
    there = _among(uid, thread, pair, group)
    seq = min(seq, last.scalar() or 0)
    if seq <= (so_far := read.scalar() or 0):
        await tx.rollback()
        return there, so_far, False
    sql, args = changed(thread, there)
    done = await tx.script(f"{sql}; {_READ}; COMMIT", (*args, seq, left.scalar() or 0, seq, uid, thread, uid, thread))
    return there, done[-2].scalar() or 0, True


async def joined(tx: Session, thread: int, users: Sequence[int]) -> bool:
    """Add a thread to the lists of its members, in a transaction. Returns whether it was new to them."""
    places = ", ".join("?" * len(users))
    found = await tx.execute(
        f"SELECT COUNT(*) FROM user_thread WHERE thread_id = ? AND user_id IN ({places})", (thread, *users)
    )
    if found.scalar() == len(users):
        return False
    sql, args = changed(thread, sorted(users))
    await tx.script(f"BEGIN; SELECT id FROM chat_thread WHERE id = ? FOR SHARE; {sql}; COMMIT", (thread, *args))
    return True


def changed(thread: int, users: Sequence[int]) -> tuple[str, list[object]]:
    """The statements, with their arguments, that give a new version of a thread to ``users``, ordered by id."""
    return _noted(_CHANGED, users, [thread])


def written(thread: int, users: Sequence[int], sender: int, count: int) -> tuple[str, list[object]]:
    """Like `changed`, after ``sender`` has written ``count`` messages."""
    return _noted(_WRITTEN, users, [thread, sender, count])


def _noted(note: str, users: Sequence[int], args: Sequence[object]) -> tuple[str, list[object]]:
    rows, places = ", ".join(["(?, 1)"] * len(users)), ", ".join("?" * len(users))
    return f"{_NUMBER.format(rows)}; {note.format(places)}", [*users, *args, *users]


def _among(uid: int, thread: int, *found: Rows) -> list[int]:
    users = sorted(int(str(user)) for rows in found for row in rows.rows for user in row)
    if uid not in users:
        raise _no_member(uid, thread)
    return users


def _no_member(uid: int, thread: int) -> RefusalError:
    return RefusalError(ErrorCode.NOT_A_MEMBER, f"user {uid} is no member of thread {thread}")
