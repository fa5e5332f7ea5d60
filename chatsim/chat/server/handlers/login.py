"""Login and heartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.chat.ports import NoTokenError, RegistryError, TokenError
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
from chatsim.db.errors import DatabaseError

if TYPE_CHECKING:
    from chatsim.chat.server.node import Node

__all__: list[str] = []


@handles(LoginRequest)
async def _log_in(node: Node, session: Session, request: LoginRequest) -> Message:
    try:
        await node.services.tokens.check(request.uid, request.token)
        async with node.lease() as tx:
            reply = await profiles.profile(tx, request.uid)
        if reply is None:
            raise _refusal(request, "no such user", ErrorCode.UID_INVALID)
        session.feed = request.feed
        await node.enter(session, request.uid)
    except NoTokenError as error:
        raise _refusal(request, error, ErrorCode.UID_INVALID) from error
    except TokenError as error:
        raise _refusal(request, error, ErrorCode.TOKEN_INVALID) from error
    except (DatabaseError, RegistryError) as error:
        raise _refusal(request, error, ErrorCode.RPC_FAILED) from error
    return reply


def _refusal(request: LoginRequest, reason: object, code: ErrorCode) -> SessionEndedError:
    return SessionEndedError(f"login as {request.uid}: {reason}", LoginReply(code))


@handles(HeartbeatRequest, asker="fromuid")
async def _heartbeat(node: Node, session: Session, request: HeartbeatRequest) -> Message:  # noqa: ARG001
    return HeartbeatReply(ErrorCode.SUCCESS)
