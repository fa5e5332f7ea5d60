"""Changes of messages: recalls and edits, and which messages have changed.

A change locks the row of the thread first, as a text does, and takes the thread's next number for a change
(``last_revision``). So the numbers of a thread become visible in their order, and of two changes at once the later one
is what everybody has in the end. A client that has all changes up to a number asks for the messages above it.

The source's tables have no such number: a change is stored and pushed there, but nobody can catch up with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from chatsim.chat.protocol import ErrorCode, MessageStatus, NumberedText, RevisionsReply
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.attachments import RECALLED
from chatsim.chat.server.store.members import no_member, thread_of
from chatsim.chat.server.store.rows import fitting, structs
from chatsim.chat.server.store.texts import NUMBERED, TIME
from chatsim.chat.server.store.threads import changed, changed_in_group
from chatsim.db.session import Rows, Session

__all__ = ["Revised", "after", "edit", "recall"]

_PAGE = 100
_TEXT = 0  # msg_type

_MEMBERS = """
    SELECT user1_id, user2_id FROM private_chat WHERE thread_id = @thread;
    SELECT user_id, role, {first}, COALESCE(muted_until > NOW(), 0) FROM group_chat_member WHERE thread_id = @thread"""
_AGE = "TIMESTAMPDIFF(SECOND, created_at, NOW())"


@dataclass(frozen=True)
class _Tables:
    """The statements for the tables of one schema.

    Attributes:
        lock: locks the thread ``@thread``, and reads the number of its last change.
        members: reads the members of ``@thread``.
        columns: a message, in the order of the fields of `NumberedText`.
        change: changes a message.
    """

    lock: str
    members: str
    columns: str
    change: str


_SOURCE = _Tables(
    "SELECT 0 FROM chat_thread WHERE id = @thread FOR UPDATE",
    _MEMBERS.format(first="1"),
    f"SELECT 0, message_id, sender_id, '', 0, content, status, {TIME}, 0",
    "UPDATE chat_message SET status = ?, content = ? WHERE message_id = ?",
)
_HARDENED = _Tables(
    "SELECT last_revision FROM chat_thread WHERE id = @thread FOR UPDATE",
    _MEMBERS.format(first="first_seq"),
    NUMBERED,
    "UPDATE chat_message SET status = ?, content = ?, revision = ? WHERE message_id = ?",
)


@dataclass(frozen=True)
class Revised:
    """A message that has been recalled or edited.

    Attributes:
        text: the message, as it is now.
        users: the members who may read it.
        private: whether the thread is a private chat.
        fresh: whether this call has changed it. Otherwise it was so before.
    """

    text: NumberedText
    users: tuple[int, ...]
    private: bool
    fresh: bool


@dataclass(frozen=True)
class _Found:
    """A message that is about to be changed, behind the lock of its thread.

    Attributes:
        text: the message.
        age: how long ago it was sent, in seconds.
        revision: the number of the thread's last change.
        users: the members who may read it.
        private: whether the thread is a private chat.
        outranks: whether the user's role is above the author's.
        muted: whether the user may not write now.
    """

    text: NumberedText
    age: int
    revision: int
    users: tuple[int, ...]
    private: bool
    outranks: bool
    muted: bool


async def recall(tx: Session, uid: int, thread: int, message: int, *, numbered: bool, seconds: float) -> Revised:
    """Take a message back, in a transaction: its author within so many seconds, or who outranks the author, any time.

    Raises:
        RefusalError: the user may not do this, or not any more.
    """
    found = await _find(tx, uid, thread, message, numbered=numbered)
    if found.text.sender != uid and not found.outranks:
        raise RefusalError(ErrorCode.NOT_ALLOWED, f"user {uid} may not recall message {message}")
    if found.text.status == MessageStatus.RECALLED:
        await tx.rollback()
        return Revised(found.text, found.users, found.private, fresh=False)
    if not found.outranks and found.age > seconds:
        raise RefusalError(ErrorCode.TOO_LATE, f"message {message} was sent {found.age} s ago")
    return await _change(tx, thread, found, MessageStatus.RECALLED, "", numbered=numbered)


async def edit(
    tx: Session, uid: int, thread: int, message: int, content: str, *, numbered: bool, seconds: float
) -> Revised:
    """Replace the content of a text, in a transaction: only its author, and only within so many seconds.

    Raises:
        RefusalError: the user may not do this, or not any more.
    """
    found = await _find(tx, uid, thread, message, numbered=numbered)
    if found.text.sender != uid or found.text.msg_type != _TEXT:
        raise RefusalError(ErrorCode.NOT_ALLOWED, f"message {message} is no text of user {uid}")
    if found.text.status == MessageStatus.RECALLED:
        raise RefusalError(ErrorCode.TOO_LATE, f"message {message} has been recalled")
    if found.text.content == content:
        await tx.rollback()
        return Revised(found.text, found.users, found.private, fresh=False)
    if found.muted:
        raise RefusalError(ErrorCode.MUTED, f"user {uid} may not write in thread {thread} now")
    if found.age > seconds:
        raise RefusalError(ErrorCode.TOO_LATE, f"message {message} was sent {found.age} s ago")
    return await _change(tx, thread, found, MessageStatus.SENT, content, numbered=numbered)


async def _find(tx: Session, uid: int, thread: int, message: int, *, numbered: bool) -> _Found:
    """Lock the thread, and find a message of it. Raises `RefusalError` if the user can't see such a message."""
    tables = _HARDENED if numbered else _SOURCE
    check, who = thread_of(uid, thread, numbered=numbered)
    _, _, locked, pair, group, rows = await tx.script(
        f"{check}; BEGIN; {tables.lock}; {tables.members};"
        f" {tables.columns}, {_AGE} FROM chat_message FORCE INDEX (idx_thread_message)"
        " WHERE thread_id = @thread AND message_id = ?",
        (*who, message),
    )
    roles = {int(str(user)): tuple(map(int, map(str, rest))) for user, *rest in group.rows}
    members = [*(int(str(user)) for row in pair.rows for user in row), *roles]
    if uid not in members:
        raise no_member(uid, thread)
    role, first, muted = roles.get(uid, (0, 1, 0))
    if not rows.rows or (numbered and cast(int, rows.rows[0][0]) < first):
        raise RefusalError(ErrorCode.NOT_ALLOWED, f"user {uid} sees no message {message} in thread {thread}")
    (*columns, age) = rows.rows[0]
    (text,) = structs(NumberedText, [tuple(columns)])
    readers = [user for user in members if user not in roles or not numbered or roles[user][1] <= text.seq]
    return _Found(
        text,
        int(str(age)),
        locked.scalar() or 0,
        tuple(sorted(readers)),
        bool(pair.rows),
        text.sender != uid and role > roles.get(text.sender, (0,))[0],
        bool(muted),
    )


async def _change(
    tx: Session, thread: int, found: _Found, status: MessageStatus, content: str, *, numbered: bool
) -> Revised:
    """Store a change, and commit."""
    message = found.text.message_id
    if not numbered:
        done = await tx.script(
            f"{_SOURCE.change}; {_SOURCE.columns} FROM chat_message WHERE message_id = ?; COMMIT",
            (int(status), content, message, message),
        )
        return _revised(found, done[1])
    revision = found.revision + 1
    note, of_members = changed(thread, found.users) if found.private else changed_in_group(thread)
    # only a recall changes an attachment
    drop, attached = ("", ()) if found.text.msg_type == _TEXT else (f"{RECALLED}; ", (message,))
    done = await tx.script(
        f"{_HARDENED.change}; UPDATE chat_thread SET last_revision = ? WHERE id = ?;"
        f" {NUMBERED} FROM chat_message WHERE message_id = ?; {drop}{note}; COMMIT",
        (int(status), content, revision, message, revision, thread, message, *attached, *of_members),
    )
    return _revised(found, done[2])


def _revised(found: _Found, rows: Rows) -> Revised:
    (text,) = structs(NumberedText, rows.rows)
    return Revised(text, found.users, found.private, fresh=True)


async def after(tx: Session, thread: int, revision: int) -> RevisionsReply:
    """A page of the thread's messages whose last change has a number above ``revision``, ordered by it."""
    found = await tx.execute(
        f"{NUMBERED} FROM chat_message FORCE INDEX (idx_thread_revision)"
        " WHERE thread_id = ? AND revision > ? ORDER BY revision LIMIT ?",
        (thread, revision, _PAGE + 1),
    )
    whole = structs(NumberedText, found.rows)
    page = fitting(RevisionsReply(0, thread, load_more=True), whole[:_PAGE])
    return RevisionsReply(0, thread, len(page) < len(whole), page)
