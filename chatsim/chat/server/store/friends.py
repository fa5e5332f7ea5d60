"""Friendships: applications and acceptances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatsim.chat.protocol import ErrorCode, NumberedText, OutgoingText
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.texts import Batch, Texts
from chatsim.db.session import Isolation, Session

__all__ = ["RESERVED", "WELCOME", "Friendship", "accept", "apply", "require"]

WELCOME = "We are friends now!"
"""The first text of the user who accepts (docs/source.md, D4)."""

RESERVED = "chatsim:"
"""The beginning of the unique ids of a friendship's first messages. A client may not choose such an id.

The ids of both are in one unique key. An applicant who had sent a text with the id of the greeting could not be
accepted any more.
"""

_PENDING = 0
_INSERTED = 1
"""The affected rows of an ``INSERT … ON DUPLICATE KEY UPDATE`` that found no row."""

_ARE_FRIENDS = "SELECT 1 FROM friend WHERE self_id = ? AND friend_id = ?"
_KNOWN = f"SELECT uid FROM user WHERE uid = ?; {_ARE_FRIENDS}"

_APPLY = """
    INSERT INTO friend_apply (from_uid, to_uid, descs, back_name) VALUES (?, ?, ?, ?)
    ON DUPLICATE KEY UPDATE descs = VALUES(descs), back_name = VALUES(back_name)"""

_APPLICATION = "SELECT status, descs, back_name FROM friend_apply WHERE from_uid = ? AND to_uid = ? FOR UPDATE"
_ACCEPT = "UPDATE friend_apply SET status = 1 WHERE from_uid = ? AND to_uid = ?"
_FRIENDS = "INSERT IGNORE INTO friend (self_id, friend_id, back) VALUES (?, ?, ?), (?, ?, ?)"
_THREAD = "SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ?"
_NEW_THREAD = """
    INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW());
    INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at) VALUES (LAST_INSERT_ID(), ?, ?, NOW())"""


@dataclass(frozen=True)
class Friendship:
    """The result of an acceptance, now or earlier.

    Attributes:
        thread: the thread of the two.
        opening: the first messages of the thread.
        fresh: those of them that were stored now.
    """

    thread: int
    opening: tuple[NumberedText, ...]
    fresh: tuple[NumberedText, ...]


async def require(tx: Session, uid: int, other: int) -> None:
    """Raise `RefusalError` unless the two are friends."""
    if not (await tx.execute(_ARE_FRIENDS, (uid, other))).rows:
        raise RefusalError(ErrorCode.NOT_FRIENDS, f"user {other} is no friend of user {uid}")


async def apply(tx: Session, uid: int, to: int, greeting: str, back: str) -> bool:
    """Store an application. If there is one already, its greeting and name are replaced. Returns whether it is new.

    Raises:
        RefusalError: there is no such user, or the two are friends.
    """
    user, friends = await tx.script(_KNOWN, (to, uid, to))
    if not user.rows:
        raise RefusalError(ErrorCode.UID_INVALID, f"there is no user {to}")
    if friends.rows:
        raise RefusalError(ErrorCode.ALREADY_FRIENDS, f"users {uid} and {to} are friends")
    return (await tx.execute(_APPLY, (uid, to, greeting, back))).affected == _INSERTED


async def accept(tx: Session, texts: Texts, accepter: int, applicant: int, back: str) -> Friendship:
    """Make the two friends, in one transaction. If they are friends already, return the earlier result.

    The rows of ``friend`` are written in the order of the user ids. So two users who accept each other at the same time
    wait for each other and do not deadlock (docs/source.md, T5). The second one finds the thread of the first.

    Raises:
        DuplicateKeyError: the thread of the pair was created meanwhile. Another try finds it.
        RefusalError: there is no application.
    """
    await tx.begin(Isolation.READ_COMMITTED)  # no gap lock for a missing application; after a wait, reads new rows
    found = await tx.execute(_APPLICATION, (applicant, accepter))
    if not found.rows:
        raise RefusalError(ErrorCode.NO_APPLICATION, f"user {applicant} has not applied to user {accepter}")
    status, greeting, named = found.rows[0]
    names = {accepter: back, applicant: str(named or "")}
    low, high = sorted(names)
    _, thread_found = await tx.script(
        f"{_FRIENDS}; {_THREAD}", (low, high, names[low], high, low, names[high], low, high)
    )
    thread = thread_found.scalar()
    if thread is None:
        made, _ = await tx.script(_NEW_THREAD, (low, high))
        thread = made.last_id
    opening = _opening(accepter, applicant, str(greeting or ""))
    fresh: list[NumberedText] = []
    if status == _PENDING:
        await tx.execute(_ACCEPT, (applicant, accepter))
        for sender, receiver, text in opening:
            fresh += (await texts.append(tx, Batch(thread, sender, receiver, [text]))).fresh
    there = fresh or await texts.opening(tx, thread, [(sender, text.unique_id) for sender, _, text in opening])
    await tx.commit()
    return Friendship(thread, tuple(there), tuple(fresh))


def _opening(accepter: int, applicant: int, greeting: str) -> Sequence[tuple[int, int, OutgoingText]]:
    """Sender, receiver and text of the first messages. Their unique ids make a retry safe."""
    name = f"{applicant}-{accepter}"
    greetings = [(applicant, accepter, OutgoingText(greeting, f"{RESERVED}apply:{name}"))] if greeting else []
    return [*greetings, (accepter, applicant, OutgoingText(WELCOME, f"{RESERVED}accept:{name}"))]
