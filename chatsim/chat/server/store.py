"""What a node reads from the tables to answer a login, or for a page of threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from chatsim.chat.ports import Session
from chatsim.chat.protocol import LARGEST_BODY, FriendApplication, FriendEntry, LoginReply, Message, Thread

__all__ = ["profile", "threads"]

_PAGE = 100
_APPLICATIONS = 10  # system document, 3.6
_FRIENDS = 1_000

_PROFILE = """
    SELECT name, email, nick, `desc`, sex, icon FROM user WHERE uid = ?;
    SELECT u.name, u.uid, u.icon, u.nick, u.sex, u.`desc`, a.status
      FROM friend_apply a JOIN user u ON u.uid = a.from_uid WHERE a.to_uid = ? ORDER BY a.id LIMIT ?;
    SELECT u.name, u.uid, u.icon, u.nick, u.sex, u.`desc`, f.back
      FROM friend f JOIN user u ON u.uid = f.friend_id WHERE f.self_id = ? ORDER BY f.friend_id LIMIT ?"""

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

T = TypeVar("T", bound=msgspec.Struct)


async def profile(tx: Session, uid: int) -> LoginReply | None:
    """The user, their friends and the first applications to them; None if there is no such user.

    A reply can't be longer than a frame: what doesn't fit is left out, of the friends those with the largest ids first.
    """
    users, applications, friends = await tx.script(_PROFILE, (uid, uid, _APPLICATIONS, uid, _FRIENDS))
    if not users.rows:
        return None
    name, email, nick, desc, sex, icon = users.rows[0]
    reply = LoginReply(
        error=0,
        uid=uid,
        name=str(name),
        email=str(email),
        nick=str(nick),
        desc=str(desc),
        sex=int(str(sex)),
        icon=str(icon),
    )
    reply = msgspec.structs.replace(reply, apply_list=_fitting(reply, _structs(FriendApplication, applications.rows)))
    return msgspec.structs.replace(reply, friend_list=_fitting(reply, _structs(FriendEntry, friends.rows)))


async def threads(tx: Session, uid: int, after: int) -> tuple[tuple[Thread, ...], bool]:
    """The user's threads with an id above ``after``, by id, a page of at most 100; and whether there are more."""
    reach = (uid, after, _PAGE + 1)
    found = await tx.execute(_THREADS, (*reach, *reach, *reach, _PAGE + 1))
    return _structs(Thread, found.rows[:_PAGE]), len(found.rows) > _PAGE


def _structs(kind: type[T], rows: Sequence[tuple[object, ...]]) -> tuple[T, ...]:
    """Rows as structs with the fields in the order of the columns; a NULL is an empty string."""
    fields = kind.__struct_fields__
    return tuple(
        msgspec.convert({name: "" if value is None else value for name, value in zip(fields, row, strict=True)}, kind)
        for row in rows
    )


def _fitting(reply: Message, entries: tuple[T, ...]) -> tuple[T, ...]:
    """As many entries, from the first, as ``reply`` has room for in a list that is empty so far."""
    room = LARGEST_BODY - len(msgspec.json.encode(reply))
    for count, entry in enumerate(entries):
        room -= len(msgspec.json.encode(entry)) + 1  # and a comma
        if room < 0:
            return entries[:count]
    return entries
