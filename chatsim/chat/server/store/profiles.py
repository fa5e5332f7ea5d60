"""The profiles of users, and their friends."""

from __future__ import annotations

import msgspec

from chatsim.chat.protocol import (
    LARGEST_ID,
    ErrorCode,
    FriendApplication,
    FriendEntry,
    LoginReply,
    SearchUserReply,
)
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.rows import fitting, structs
from chatsim.db.session import Session

__all__ = ["card", "exists", "profile", "require", "search"]

_APPLICATIONS = 10  # docs/source.md, 3.6
_FRIENDS = 1_000
_MOST_DIGITS = len(str(LARGEST_ID))

_PROFILE = """
    SELECT name, email, nick, `desc`, sex, icon FROM user WHERE uid = ?;
    SELECT u.name, u.uid, u.icon, u.nick, u.sex, a.descs, a.status
      FROM friend_apply a JOIN user u ON u.uid = a.from_uid WHERE a.to_uid = ? ORDER BY a.id LIMIT ?;
    SELECT u.name, u.uid, u.icon, u.nick, u.sex, u.`desc`, f.back
      FROM friend f JOIN user u ON u.uid = f.friend_id WHERE f.self_id = ? ORDER BY f.friend_id LIMIT ?"""

_CARD = "SELECT 0, uid, name, nick, `desc`, sex, icon FROM user WHERE "


async def profile(tx: Session, uid: int) -> LoginReply | None:
    """A user's profile, friends and first applications; None if there is no such user.

    The reply has to fit into a frame. What does not fit is left out; of the friends, those with the largest ids.
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
    reply = msgspec.structs.replace(reply, apply_list=fitting(reply, structs(FriendApplication, applications.rows)))
    return msgspec.structs.replace(reply, friend_list=fitting(reply, structs(FriendEntry, friends.rows)))


async def exists(tx: Session, uid: int) -> bool:
    """Whether there is such a user."""
    return bool((await tx.execute("SELECT 1 FROM user WHERE uid = ?", (uid,))).rows)


async def card(tx: Session, uid: int) -> SearchUserReply | None:
    """The public part of a user's profile; None if there is no such user."""
    found = await tx.execute(f"{_CARD} uid = ?", (uid,))
    return next(iter(structs(SearchUserReply, found.rows)), None)


async def require(tx: Session, uid: int) -> None:
    """Raise `RefusalError` unless there is such a user, with whom a private chat can be created."""
    if not (await tx.execute("SELECT 1 FROM user WHERE uid = ?", (uid,))).rows:
        raise RefusalError(ErrorCode.CREATE_CHAT_FAILED, f"there is no user {uid}")


async def search(tx: Session, typed: str) -> SearchUserReply | None:
    """The user with the typed id, if it consists of digits, or else with the typed name; of several, the oldest one."""
    if typed.isascii() and typed.isdigit():
        return await card(tx, int(typed)) if len(typed) <= _MOST_DIGITS and int(typed) <= LARGEST_ID else None
    found = await tx.execute(f"{_CARD} name = ? ORDER BY id LIMIT 1", (typed,))
    return next(iter(structs(SearchUserReply, found.rows)), None)
