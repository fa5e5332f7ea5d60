"""The table of handlers, and what they all have in common: who may ask, and what a refusal looks like."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chatsim.chat.ports import LocksError
from chatsim.chat.protocol import (
    REPLY,
    AddFriendRequest,
    AuthFriendRequest,
    CatchUpRequest,
    CreatePrivateChatRequest,
    ErrorCode,
    HeartbeatRequest,
    HistoryRequest,
    LoadMessagesRequest,
    LoadThreadsRequest,
    LoginRequest,
    Message,
    ProtocolError,
    ReadRequest,
    SearchUserRequest,
    TextRequest,
    ThreadStatesRequest,
)
from chatsim.chat.server.handlers import catchup, friends, login, texts, threads
from chatsim.chat.server.handlers.context import Context
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.db.errors import DatabaseError

__all__ = ["HANDLERS", "Handler", "answer", "check_login"]

_log = logging.getLogger(__name__)

R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class Handler(Generic[R]):
    """What is done about a request.

    Who asks is known from the session, and may be anybody who has logged in, unless the request is the login.

    Attributes:
        request: the type of the request.
        handle: the coroutine function that answers it; its `RefusalError` and the database's errors become replies.
        asker: the request's field that says who asks, if it has one. A request that names another user than the
            session's is refused.
        failed: the error that is replied when the database refuses.
        is_login: whether it may be asked before the login, and only then.
    """

    request: type[R]
    handle: Callable[[Context, ClientSession, R], Awaitable[Message]]
    asker: str | None = None
    failed: ErrorCode = ErrorCode.RPC_FAILED
    is_login: bool = False


_TABLE: tuple[Handler[Any], ...] = (
    Handler(LoginRequest, login.log_in, is_login=True),
    Handler(SearchUserRequest, friends.search),
    Handler(AddFriendRequest, friends.apply, asker="uid", failed=ErrorCode.FRIENDS_FAILED),
    Handler(AuthFriendRequest, friends.accept, asker="fromuid", failed=ErrorCode.FRIENDS_FAILED),
    Handler(TextRequest, texts.send, asker="fromuid", failed=ErrorCode.SEND_FAILED),
    Handler(HeartbeatRequest, login.heartbeat, asker="fromuid"),
    Handler(LoadThreadsRequest, threads.load, asker="uid", failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(CreatePrivateChatRequest, threads.create_private, asker="uid", failed=ErrorCode.CREATE_CHAT_FAILED),
    Handler(LoadMessagesRequest, texts.load, failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(HistoryRequest, texts.history, failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(ThreadStatesRequest, threads.load_states, failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(ReadRequest, threads.mark_read, failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(CatchUpRequest, catchup.catch_up, failed=ErrorCode.LOAD_CHAT_FAILED),
)

HANDLERS: Mapping[int, Handler[Any]] = {handler.request.ID: handler for handler in _TABLE}
"""All that a node understands, by message id."""


def check_login(session: ClientSession, request: Message) -> None:
    """Raise a `ProtocolError` for a second login, and for anything else that comes before the first one."""
    logged_in = session.device is not None
    if logged_in == HANDLERS[request.ID].is_login:
        raise ProtocolError(f"message {request.ID} {'after' if logged_in else 'before'} the login")


async def answer(context: Context, session: ClientSession, request: Message) -> Message:
    """The reply to ``request``. Raises `SessionEndedError` when it is the last one of the session."""
    handler = HANDLERS[request.ID]
    try:
        _check_asker(handler, session, request)
        return await handler.handle(context, session, request)
    except RefusalError as refusal:
        code, reason = refusal.code, str(refusal)
    except (DatabaseError, LocksError) as error:
        code, reason = handler.failed, str(error)
    _log.warning("%s: %s of user %d is refused: %s", context.node, type(request).__name__, session.uid, reason)
    return _refusing(request, code)


def _refusing(request: Message, code: ErrorCode) -> Message:
    """The reply to ``request`` that refuses it; it repeats the ids that it has in common with it.

    A search's ``uid`` is not one of them: it is what the user has typed.
    """
    reply = REPLY[type(request)]
    shared = {"fromuid", "other_id", "thread_id", "touid", "uid"} & {*request.__struct_fields__}
    values = {name: getattr(request, name) for name in shared & {*reply.__struct_fields__}}
    ids = {name: value for name, value in values.items() if isinstance(value, int)}
    return reply(**ids, error=code)


def _check_asker(handler: Handler[Any], session: ClientSession, request: Message) -> None:
    if handler.asker and (named := getattr(request, handler.asker)) != session.uid:
        raise RefusalError(ErrorCode.UID_INVALID, f"it names user {named} as the one who asks")
