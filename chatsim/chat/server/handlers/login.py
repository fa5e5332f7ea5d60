"""Login and heartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.chat.ports import DatabaseError, TokenError
from chatsim.chat.protocol import (
    ErrorCode,
    HeartbeatReply,
    HeartbeatRequest,
    LoginReply,
    LoginRequest,
    Message,
)
from chatsim.chat.server.handlers.table import handles
from chatsim.chat.server.session import Session, SessionEndedError
from chatsim.chat.server.store import profiles

if TYPE_CHECKING:
    from chatsim.chat.server.node import Node

__all__: list[str] = []


@handles(LoginRequest)
async def _log_in(node: Node, session: Session, request: LoginRequest) -> Message:
    try:
        await node.services.tokens.check(request.uid, request.token)
        async with node.lease() as tx:
            reply = await profiles.profile(tx, request.uid)
    except TokenError as error:
        raise SessionEndedError(f"login as {request.uid}: {error}", LoginReply(ErrorCode.TOKEN_INVALID)) from error
    except DatabaseError as error:
        raise SessionEndedError(f"login as {request.uid}: {error}", LoginReply(ErrorCode.RPC_FAILED)) from error
    if reply is None:
        raise SessionEndedError(f"login as {request.uid}: no such user", LoginReply(ErrorCode.UID_INVALID))
    session.feed = request.feed
    await node.enter(session, request.uid)
    return reply


@handles(HeartbeatRequest, asker="fromuid")
async def _heartbeat(node: Node, session: Session, request: HeartbeatRequest) -> Message:  # noqa: ARG001
    return HeartbeatReply(ErrorCode.SUCCESS)
