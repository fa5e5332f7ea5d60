"""Login and heartbeat."""

from __future__ import annotations

from chatsim.chat.ports import NoTokenError, RegistryError, TokenError
from chatsim.chat.protocol import (
    ErrorCode,
    HeartbeatReply,
    HeartbeatRequest,
    LoginReply,
    LoginRequest,
    Message,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.session import ClientSession, SessionEndedError
from chatsim.chat.server.store import profiles
from chatsim.db.errors import DatabaseError

__all__ = ["heartbeat", "log_in"]


async def log_in(context: HandlerContext, session: ClientSession, request: LoginRequest) -> Message:
    """Log a user in if the token is valid. The reply is the user's profile. Any other login ends the session."""
    try:
        await context.check_token(request.uid, request.token)
        async with context.lease(request.uid) as tx:
            reply = await profiles.profile(tx, request.uid)
        if reply is None:
            raise _refusal(request, "no such user", ErrorCode.UID_INVALID)
        session.feed = request.feed
        await context.log_in(session, request.uid)
    except NoTokenError as error:
        raise _refusal(request, error, ErrorCode.UID_INVALID) from error
    except TokenError as error:
        raise _refusal(request, error, ErrorCode.TOKEN_INVALID) from error
    except (DatabaseError, RegistryError) as error:
        raise _refusal(request, error, ErrorCode.RPC_FAILED) from error
    return reply


def _refusal(request: LoginRequest, reason: object, code: ErrorCode) -> SessionEndedError:
    return SessionEndedError(f"login as {request.uid}: {reason}", LoginReply(code))


async def heartbeat(_context: HandlerContext, _session: ClientSession, _request: HeartbeatRequest) -> Message:
    """Answer that the server is still connected."""
    return HeartbeatReply(ErrorCode.SUCCESS)
