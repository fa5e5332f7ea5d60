"""What a node does about each message: a table by message id, a short coroutine for each.

Who asks is known from the session. A request that says it is from somebody else is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from chatsim.chat.ports import DatabaseError, LocksError, TokenError
from chatsim.chat.protocol import (
    CreatePrivateChatReply,
    CreatePrivateChatRequest,
    ErrorCode,
    HeartbeatReply,
    HeartbeatRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    LoginReply,
    LoginRequest,
    Message,
)
from chatsim.chat.server import store
from chatsim.chat.server.session import Session, SessionEndedError

if TYPE_CHECKING:
    from chatsim.chat.server.node import Node

__all__ = ["KNOWN", "answer"]

_log = logging.getLogger(__name__)

R = TypeVar("R", bound=Message)
Handler = Callable[["Node", Session, R], Awaitable[Message]]

_HANDLERS: dict[type[Message], Handler[Any]] = {}


def _handles(request: type[R]) -> Callable[[Handler[R]], Handler[R]]:
    def enter(handler: Handler[R]) -> Handler[R]:
        _HANDLERS[request] = handler
        return handler

    return enter


async def answer(node: Node, session: Session, request: Message) -> Message:
    """The reply to ``request``. Raises `SessionEndedError` when it is the session's last."""
    return await _HANDLERS[type(request)](node, session, request)


@_handles(LoginRequest)
async def _log_in(node: Node, session: Session, request: LoginRequest) -> Message:
    try:
        await node.services.tokens.check(request.uid, request.token)
        async with node.lease() as tx:
            reply = await store.profile(tx, request.uid)
    except TokenError as error:
        raise SessionEndedError(f"login as {request.uid}: {error}", LoginReply(ErrorCode.TOKEN_INVALID)) from error
    except DatabaseError as error:
        raise SessionEndedError(f"login as {request.uid}: {error}", LoginReply(ErrorCode.RPC_FAILED)) from error
    if reply is None:
        raise SessionEndedError(f"login as {request.uid}: no such user", LoginReply(ErrorCode.UID_INVALID))
    await node.enter(session, request.uid)
    return reply


@_handles(HeartbeatRequest)
async def _heartbeat(node: Node, session: Session, request: HeartbeatRequest) -> Message:  # noqa: ARG001
    return HeartbeatReply(ErrorCode.SUCCESS if _own(session, request.fromuid) else ErrorCode.UID_INVALID)


@_handles(LoadThreadsRequest)
async def _load_threads(node: Node, session: Session, request: LoadThreadsRequest) -> Message:
    if not _own(session, request.uid):
        return LoadThreadsReply(ErrorCode.UID_INVALID)
    try:
        async with node.lease() as tx:
            threads, more = await store.threads(tx, request.uid, request.thread_id)
    except DatabaseError as error:
        _log.warning("%s: threads of %d: %s", node.name, request.uid, error)
        return LoadThreadsReply(ErrorCode.LOAD_CHAT_FAILED, request.uid)
    last = threads[-1].thread_id if threads else request.thread_id
    return LoadThreadsReply(ErrorCode.SUCCESS, request.uid, more, last, threads)


@_handles(CreatePrivateChatRequest)
async def _create_private_chat(node: Node, session: Session, request: CreatePrivateChatRequest) -> Message:
    uid, other = request.uid, request.other_id
    if not _own(session, uid):
        return CreatePrivateChatReply(ErrorCode.UID_INVALID, uid, other)
    if other in (0, uid):
        return CreatePrivateChatReply(ErrorCode.CREATE_CHAT_FAILED, uid, other)
    try:
        thread = await node.creator.create(node.services.database, uid, other, node.stats)
    except (DatabaseError, LocksError) as error:
        _log.info("%s: no private chat of %d and %d: %s", node.name, uid, other, error)
        return CreatePrivateChatReply(ErrorCode.CREATE_CHAT_FAILED, uid, other)
    return CreatePrivateChatReply(ErrorCode.SUCCESS, uid, other, thread)


def _own(session: Session, uid: int) -> bool:
    return session.device is not None and session.device.uid == uid


KNOWN = {request.ID: request for request in _HANDLERS}
"""The requests that a node understands, by message id."""
