"""Looking for users, and becoming friends."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from chatsim.chat.server.handlers.table import handles
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import friends, profiles

if TYPE_CHECKING:
    from chatsim.chat.server.node import Node
    from chatsim.chat.server.session import Session
    from chatsim.db.session import Session as DatabaseSession

__all__: list[str] = []

_LONGEST_NAME = 255


@handles(SearchUserRequest)
async def _search(node: Node, session: Session, request: SearchUserRequest) -> Message:  # noqa: ARG001
    async with node.lease() as tx:
        found = await profiles.search(tx, request.uid)
    if found is None:
        raise RefusalError(ErrorCode.UID_INVALID, f"there is no user {request.uid!r}")
    return found


@handles(AddFriendRequest, asker="uid", failed=ErrorCode.FRIENDS_FAILED)
async def _apply(node: Node, session: Session, request: AddFriendRequest) -> Message:  # noqa: ARG001
    uid, to = request.uid, request.touid
    if uid == to:
        raise RefusalError(ErrorCode.UID_INVALID, "nobody is a friend of their own")
    for text in (request.applyname, request.bakname):
        if len(text) > _LONGEST_NAME:
            raise RefusalError(ErrorCode.BAD_CONTENT, f"{len(text)} characters, more than {_LONGEST_NAME}")

    async def apply(tx: DatabaseSession) -> SearchUserReply:
        await friends.apply(tx, uid, to, request.applyname, request.bakname)
        return await _known(tx, uid)

    who = await node.transact(apply)
    node.delivery.tell(to, AddFriendNotice(0, uid, who.name, request.applyname, who.icon, who.sex, who.nick))
    return AddFriendReply(ErrorCode.SUCCESS)


@handles(AuthFriendRequest, asker="fromuid", failed=ErrorCode.FRIENDS_FAILED)
async def _accept(node: Node, session: Session, request: AuthFriendRequest) -> Message:
    accepter, applicant = request.fromuid, request.touid
    if len(request.back) > _LONGEST_NAME:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"{len(request.back)} characters, more than {_LONGEST_NAME}")

    async def accept(tx: DatabaseSession) -> tuple[friends.Friendship, SearchUserReply, SearchUserReply]:
        made = await friends.accept(tx, node.texts, accepter, applicant, request.back)
        return made, await _known(tx, accepter), await _known(tx, applicant)

    made, me, other = await node.transact(accept)
    opening = tuple(FirstText(text.sender, text.message_id, made.thread, "", text.content) for text in made.opening)
    if made.fresh:
        for told, card in ((applicant, me), (accepter, other)):
            notice = AuthFriendNotice(0, accepter, applicant, card.name, card.nick, card.icon, card.sex, opening)
            node.delivery.tell(told, notice, but=session)
    return AuthFriendReply(ErrorCode.SUCCESS, applicant, other.name, other.nick, other.icon, other.sex, opening)


async def _known(tx: DatabaseSession, uid: int) -> SearchUserReply:
    """What others may know of a user; one without a profile is still a user (docs/source.md, A8)."""
    return await profiles.card(tx, uid) or SearchUserReply(0, uid)
