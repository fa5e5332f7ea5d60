"""Searching for users, and becoming friends."""

from __future__ import annotations

from chatsim.chat.protocol import (
    AddFriendNotice,
    AddFriendReply,
    AddFriendRequest,
    AuthFriendNotice,
    AuthFriendReply,
    AuthFriendRequest,
    ErrorCode,
    FirstText,
    Message,
    SearchUserReply,
    SearchUserRequest,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store import friends, profiles
from chatsim.db.session import Session

__all__ = ["accept", "apply", "search"]

_LONGEST_NAME = 255


async def search(context: HandlerContext, session: ClientSession, request: SearchUserRequest) -> Message:
    """Search for a user by id or name."""
    async with context.lease(session.uid) as tx:
        found = await profiles.search(tx, request.uid)
    if found is None:
        raise RefusalError(ErrorCode.UID_INVALID, f"there is no user {request.uid!r}")
    return found


async def apply(context: HandlerContext, session: ClientSession, request: AddFriendRequest) -> Message:
    """Store a friend application, and push it to the other user. One that is there already is not pushed again."""
    uid, to = request.uid, request.touid
    if uid == to:
        raise RefusalError(ErrorCode.UID_INVALID, "nobody is a friend of their own")
    for text in (request.applyname, request.bakname):
        if len(text) > _LONGEST_NAME:
            raise RefusalError(ErrorCode.BAD_CONTENT, f"{len(text)} characters, more than {_LONGEST_NAME}")

    async def store(tx: Session) -> tuple[bool, SearchUserReply]:
        new = await friends.apply(tx, uid, to, request.applyname, request.bakname)
        return new, await _card(tx, uid)

    (new, who), unsure = await context.store(session.uid, store)
    if new or unsure:
        notice = AddFriendNotice(0, uid, who.name, request.applyname, who.icon, who.sex, who.nick)
        context.fan_out.push_to_user(to, notice)
    return AddFriendReply(ErrorCode.SUCCESS)


async def accept(context: HandlerContext, session: ClientSession, request: AuthFriendRequest) -> Message:
    """Make two users friends, and push the first messages of their thread to both."""
    accepter, applicant = request.fromuid, request.touid
    if len(request.back) > _LONGEST_NAME:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"{len(request.back)} characters, more than {_LONGEST_NAME}")

    async def store(tx: Session) -> tuple[friends.Friendship, SearchUserReply, SearchUserReply]:
        made = await friends.accept(tx, context.texts, accepter, applicant, request.back)
        return made, await _card(tx, accepter), await _card(tx, applicant)

    (made, me, other), unsure = await context.store(session.uid, store)
    opening = tuple(FirstText(text.sender, text.message_id, made.thread, "", text.content) for text in made.opening)
    if made.fresh or unsure:
        for subscriber, card in ((applicant, me), (accepter, other)):
            notice = AuthFriendNotice(0, accepter, applicant, card.name, card.nick, card.icon, card.sex, opening)
            context.fan_out.push_to_user(subscriber, notice, but=session)
    return AuthFriendReply(ErrorCode.SUCCESS, applicant, other.name, other.nick, other.icon, other.sex, opening)


async def _card(tx: Session, uid: int) -> SearchUserReply:
    """The public part of a user's profile. A user without a profile is accepted, too (docs/source.md, A8)."""
    return await profiles.card(tx, uid) or SearchUserReply(0, uid)
