"""The threads of a user, their changes, and their members.

Each change of a thread gets a number (version) for each member. A writer of versions holds the lock of the user's row
of ``user_version`` until the commit, so the versions of a user become visible in their order. Of several users, the one
with the lowest id is locked first. The thread's own row is locked before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatsim.chat.paging import DEFAULTS
from chatsim.chat.protocol import Thread, ThreadState, ThreadStatesReply
from chatsim.chat.server.store.members import IN_GROUP, PAIR, no_member, thread_of
from chatsim.chat.server.store.rows import fitting, structs
from chatsim.db.session import Session

__all__ = [
    "changed",
    "changed_in_group",
    "joined",
    "mark_read",
    "states",
    "threads",
    "written",
    "written_in_group",
]

_PAGE = 100
_NEVER = 2**63
_COUNTED = 1_000
"""Messages that are counted at most for a read position, on either side of it."""

_NEWEST = """
    SELECT thread_id, version, unread, read_seq FROM user_thread FORCE INDEX (idx_user_version)
     WHERE user_id = ? AND version > ? AND version < ? ORDER BY version DESC LIMIT ?"""

_ZERO = "CAST(0 AS UNSIGNED)"  # a plain 0 is signed, and becomes a DECIMAL with an unsigned column
_STATES = f"""
    SELECT t.id, t.type, COALESCE(p.user1_id, {_ZERO}), COALESCE(p.user2_id, {_ZERO}),
           IF(t.type = 'group' AND m.user_id IS NULL, {_ZERO}, t.last_seq),
           COALESCE(u1.read_seq, {_ZERO}), COALESCE(u2.read_seq, {_ZERO}),
           COALESCE(g.name, ''), COALESCE(m.role, -1), COALESCE(m.first_seq, CAST(1 AS UNSIGNED)),
           IF(m.user_id IS NULL, {_ZERO}, t.roster), IF(m.muted_until > NOW(), CAST(m.muted_until AS CHAR), ''),
           IF(t.type = 'group' AND m.user_id IS NULL, {_ZERO}, t.last_revision),
           COALESCE(u1.delivered_seq, {_ZERO}), COALESCE(u2.delivered_seq, {_ZERO})
      FROM chat_thread t
      LEFT JOIN private_chat p ON p.thread_id = t.id
      LEFT JOIN user_thread u1 ON u1.user_id = p.user1_id AND u1.thread_id = t.id
      LEFT JOIN user_thread u2 ON u2.user_id = p.user2_id AND u2.thread_id = t.id
      LEFT JOIN group_chat_member m ON m.thread_id = t.id AND m.user_id = ?
      LEFT JOIN group_chat g ON g.thread_id = m.thread_id
     WHERE t.id IN ({{}})"""
"""Threads as a user sees them. Of a group that the user is no member of, it tells nothing but that."""

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

# of all members of a group, whose number is not in the text. The rows of user_version are locked in the order of ids
_NUMBER_GROUP = """
    INSERT INTO user_version (user_id, version)
      SELECT user_id, 1 FROM group_chat_member WHERE thread_id = ? ORDER BY user_id
    ON DUPLICATE KEY UPDATE version = user_version.version + 1"""
_OF_GROUP = """
      FROM group_chat_member m STRAIGHT_JOIN user_version v FORCE INDEX (PRIMARY) ON v.user_id = m.user_id
     WHERE m.thread_id = ?"""
_GROUP_CHANGED = f"""
    INSERT INTO user_thread (user_id, thread_id, version)
      SELECT m.user_id, m.thread_id, v.version {_OF_GROUP}
    ON DUPLICATE KEY UPDATE version = VALUES(version)"""
_GROUP_WRITTEN = f"""
    INSERT INTO user_thread (user_id, thread_id, version, activity, unread)
      SELECT m.user_id, m.thread_id, v.version, v.version, IF(m.user_id = ?, 0, ?) {_OF_GROUP}
    ON DUPLICATE KEY UPDATE
      version = VALUES(version), activity = VALUES(activity), unread = user_thread.unread + VALUES(unread)"""

# between two numbers that are not far from each other
_OTHERS = """
    SELECT COUNT(*) FROM chat_message FORCE INDEX (uniq_thread_seq)
     WHERE thread_id = @thread AND seq > ? AND seq <= ? AND sender_id <> ?"""
_LOOK = f"""
    BEGIN; SELECT last_seq FROM chat_thread WHERE id = @thread FOR SHARE; {PAIR}; {IN_GROUP};
    SELECT read_seq, unread FROM user_thread WHERE user_id = ? AND thread_id = @thread;
    {_OTHERS}"""

# another device of the user may have read further; assignments take effect from left to right
_READ = """
    UPDATE user_thread SET unread = IF(read_seq < ?, ?, unread), read_seq = GREATEST(read_seq, ?),
           delivered_seq = GREATEST(delivered_seq, read_seq)
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
    details = await tx.execute(_STATES.format(", ".join("?" * len(page))), [uid, *(row[0] for row in page)])
    by_id = {row[0]: row for row in details.rows}
    whole = [_state(by_id[thread], *own) for thread, *own in page]
    fit = fitting(ThreadStatesReply(0, load_more=True), whole)
    return fit, len(found.rows) > len(fit)


def _state(row: Sequence[Any], version: Any, unread: Any, own_read: Any) -> ThreadState:
    thread, kind, user1, user2, last, read1, read2, *rest = row
    name, role, first, roster, muted_until, revision, *delivered = rest
    if kind == "private":
        no_group = ("", 0, 1, 0, "")
        both = (thread, kind, user1, user2, last, read1, read2, version, unread)
        return ThreadState(*both, *no_group, revision, *delivered)
    own = (thread, kind, 0, 0, last, own_read, 0, version, unread)
    return ThreadState(*own, name, role, first, roster, muted_until, revision)


async def mark_read(tx: Session, thread: int, uid: int, seq: int) -> tuple[list[int], int, bool]:
    """Store a member's read position in a transaction: ``seq``, at most the last number, and never backwards.

    The number of unread messages is exact if at most 1,000 messages are above the position, or between the earlier
    position and this one. Otherwise it may be too high, because no more messages than that are counted. A later
    position that is near enough to the end corrects it.

    Returns whom this concerns, the read position, and whether it has moved. It concerns both users of a private chat,
    and in a group only the reader.

    Raises:
        RefusalError: ``uid`` is not a member.
    """
    check, who = thread_of(uid, thread)
    _, _, last_row, pair, in_group, own, others = await tx.script(
        f"{check}; {_LOOK}", (*who, uid, uid, seq, seq + _COUNTED, uid)
    )
    concerned = sorted(int(str(user)) for rows in (pair, in_group) for row in rows.rows for user in row)
    if uid not in concerned:
        raise no_member(uid, thread)
    last = last_row.scalar() or 0
    so_far, unread = (int(str(value)) for value in own.rows[0]) if own.rows else (0, 0)
    seq = min(seq, last)
    if seq <= so_far:
        await tx.rollback()
        return concerned, so_far, False
    if last - seq <= _COUNTED:
        left = others.scalar() or 0
    elif seq - so_far <= _COUNTED:
        left = unread - ((await tx.execute(_OTHERS, (so_far, seq, uid))).scalar() or 0)
    else:
        left = last - seq
    left = max(0, min(left, last - seq))
    sql, args = changed(thread, concerned)
    done = await tx.script(f"{sql}; {_READ}; COMMIT", (*args, seq, left, seq, uid, thread, uid, thread))
    return concerned, done[-2].scalar() or 0, True


async def joined(tx: Session, thread: int, users: Sequence[int]) -> bool:
    """Add a thread to the lists of its members, in a transaction. Returns whether it was new to them."""
    places = ", ".join("?" * len(users))
    found = await tx.execute(
        f"SELECT user_id FROM user_thread WHERE thread_id = ? AND user_id IN ({places})", (thread, *users)
    )
    if len(found.rows) == len(users):
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


def changed_in_group(thread: int) -> tuple[str, list[object]]:
    """Like `changed`, for all members of a group. The text is the same for any number of members."""
    return f"{_NUMBER_GROUP}; {_GROUP_CHANGED}", [thread, thread]


def written_in_group(thread: int, sender: int, count: int) -> tuple[str, list[object]]:
    """Like `written`, for all members of a group. The text is the same for any number of members."""
    return f"{_NUMBER_GROUP}; {_GROUP_WRITTEN}", [thread, sender, count, thread]


def _noted(note: str, users: Sequence[int], args: Sequence[object]) -> tuple[str, list[object]]:
    rows, places = ", ".join(["(?, 1)"] * len(users)), ", ".join("?" * len(users))
    return f"{_NUMBER.format(rows)}; {note.format(places)}", [*users, *args, *users]
