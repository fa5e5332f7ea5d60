"""Receipts: how far the members of a thread have it, and have read it.

There is a mark for each member of a thread, a number in ``user_thread``, and no row for each message and member. A mark
only moves forward. Who has got or read a message is counted when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatsim.chat.protocol import ErrorCode, ReceiptsReply
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import members
from chatsim.chat.server.store.members import check_still, still_member, thread_of
from chatsim.db.session import Session

__all__ = ["Delivered", "count", "mark_delivered"]

_MARKS = """
    SELECT u.thread_id, u.delivered_seq, t.last_seq, COALESCE(IF(p.user1_id = ?, p.user2_id, p.user1_id), 0)
      FROM user_thread u STRAIGHT_JOIN chat_thread t ON t.id = u.thread_id
      LEFT JOIN private_chat p ON p.thread_id = u.thread_id
     WHERE u.user_id = ? AND u.thread_id IN ({})"""
_NUMBER = "INSERT INTO user_version (user_id, version) VALUES {} ON DUPLICATE KEY UPDATE version = version + 1"
_MARK = "UPDATE user_thread SET delivered_seq = GREATEST(delivered_seq, ?) WHERE user_id = ? AND thread_id = ?"
_TELL = """
    UPDATE user_thread SET version = (SELECT version FROM user_version WHERE user_id = ?)
     WHERE user_id = ? AND thread_id = ?"""

# an aggregate always gives a row, so that nothing is left of the request before
_AUTHOR = "SELECT MAX(sender_id) INTO @author FROM chat_message WHERE thread_id = @thread AND seq = ? AND seq >= @first"
_COUNTS = "COUNT(*), COALESCE(SUM(u.delivered_seq >= ?), 0), COALESCE(SUM(u.read_seq >= ?), 0)"
_COUNT_PAIR = f"""
    SELECT {_COUNTS} FROM private_chat p LEFT JOIN user_thread u
        ON u.user_id = IF(p.user1_id = @author, p.user2_id, p.user1_id) AND u.thread_id = p.thread_id
     WHERE p.thread_id = @thread AND @author IS NOT NULL"""
_COUNT_GROUP = f"""
    SELECT {_COUNTS} FROM group_chat_member m LEFT JOIN user_thread u
        ON u.user_id = m.user_id AND u.thread_id = m.thread_id
     WHERE m.thread_id = @thread AND m.first_seq <= ? AND m.user_id <> @author"""


@dataclass(frozen=True)
class Delivered:
    """A mark of a member.

    Attributes:
        thread: the thread.
        seq: the number up to which a device of the member has the thread.
        other: the other user of a private chat; 0 in a group.
        fresh: whether this call has moved the mark.
    """

    thread: int
    seq: int
    other: int
    fresh: bool


async def mark_delivered(tx: Session, uid: int, marks: Mapping[int, int]) -> list[Delivered]:
    """Store how far a device of the user has each thread: at most to its last message, and never backwards.

    No thread is locked: the marks are the user's own numbers. The rows are written in the order of their keys, so that
    two users who have got each other's texts wait for each other, and do not deadlock. In a private chat the other user
    gets a new version of the thread; in a group nobody does.

    Raises:
        RefusalError: the user is no member of one of the threads.
    """
    await members.require(tx, uid, [*marks])
    found = await tx.execute(_MARKS.format(", ".join("?" * len(marks))), (uid, uid, *marks))
    rows = [tuple(map(int, map(str, row))) for row in found.rows]
    done = [
        Delivered(thread, max(so_far, min(marks[thread], last)), other, min(marks[thread], last) > so_far)
        for thread, so_far, last, other in rows
    ]
    if any(each.fresh for each in done):
        await _write(tx, uid, [each for each in done if each.fresh])
    return done


async def _write(tx: Session, uid: int, moved: Sequence[Delivered]) -> None:
    others = sorted({each.other for each in moved if each.other})
    writes: list[tuple[int, int, str, tuple[int, ...]]] = []  # the key of a row comes first
    for each in moved:
        writes.append((uid, each.thread, _MARK, (each.seq, uid, each.thread)))
        if each.other:
            writes.append((each.other, each.thread, _TELL, (each.other, each.other, each.thread)))
    statements = [_NUMBER.format(", ".join(["(?, 1)"] * len(others)))] if others else []
    statements += [sql for _, _, sql, _ in sorted(writes)]
    args = [*others, *(value for *_, values in sorted(writes) for value in values)]
    await tx.script(f"BEGIN; {'; '.join(statements)}; COMMIT", args)


async def count(tx: Session, thread: int, uid: int, seq: int) -> ReceiptsReply:
    """How many members have got, and have read, a message that ``uid`` may read. Its author is not counted.

    Raises:
        RefusalError: the user is no member, or sees no such message.
    """
    check, who = thread_of(uid, thread)
    *_, pair, group, known, member = await tx.script(
        f"{check}; {_AUTHOR}; {_COUNT_PAIR}; {_COUNT_GROUP}; SELECT @author; {still_member()}",
        (*who, seq, seq, seq, seq, seq, seq, uid),
    )
    check_still(member, uid, thread)
    if known.scalar() is None:
        raise RefusalError(ErrorCode.NOT_ALLOWED, f"user {uid} sees no message number {seq} in thread {thread}")
    counts = [sum(int(str(value)) for value in both) for both in zip(pair.rows[0], group.rows[0], strict=True)]
    return ReceiptsReply(ErrorCode.SUCCESS, *counts)
