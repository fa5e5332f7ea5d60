"""The table of handlers, and what they have in common: the check of the sender, and the form of a refusal."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chatsim.chat.ports import FilesError, LocksError
from chatsim.chat.protocol import (
    REPLY,
    AddFriendRequest,
    AddMembersRequest,
    AttachmentRequest,
    AuthFriendRequest,
    CatchUpRequest,
    ChunkRequest,
    CreateGroupRequest,
    CreatePrivateChatRequest,
    DateRequest,
    DeliveredRequest,
    DownloadRequest,
    EditRequest,
    ErrorCode,
    HeartbeatRequest,
    HistoryRequest,
    LoadMessagesRequest,
    LoadThreadsRequest,
    LoginRequest,
    MembersRequest,
    Message,
    MuteRequest,
    ProtocolError,
    ReadRequest,
    RecallRequest,
    ReceiptsRequest,
    RemoveMemberRequest,
    RenameGroupRequest,
    RevisionsRequest,
    SearchUserRequest,
    SetRoleRequest,
    TextRequest,
    ThreadStatesRequest,
    UploadRequest,
)
from chatsim.chat.server.handlers import (
    attachments,
    catchup,
    friends,
    groups,
    login,
    receipts,
    revisions,
    texts,
    threads,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession, SessionEndedError
from chatsim.db.errors import DatabaseError

__all__ = ["HANDLERS", "Handler", "answer", "check_login", "failing"]

_log = logging.getLogger(__name__)

R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class Handler(Generic[R]):
    """The handler of one kind of request.

    The sender is the user of the session. Every request except the login needs a logged-in session.

    Attributes:
        request: the type of the request.
        handle: the coroutine function that answers it. Its `RefusalError` and the errors of the database become
            replies.
        asker: the request's field that names its sender, if it has one. If it names another user than the session's,
            the request is refused.
        failed: the error of the reply if the database refuses.
        is_login: whether the request is allowed only before the login.
    """

    request: type[R]
    handle: Callable[[HandlerContext, ClientSession, R], Awaitable[Message]]
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
    Handler(CreateGroupRequest, groups.create, failed=ErrorCode.GROUP_FAILED),
    Handler(AddMembersRequest, groups.add, failed=ErrorCode.GROUP_FAILED),
    Handler(RemoveMemberRequest, groups.remove, failed=ErrorCode.GROUP_FAILED),
    Handler(RenameGroupRequest, groups.rename, failed=ErrorCode.GROUP_FAILED),
    Handler(SetRoleRequest, groups.set_role, failed=ErrorCode.GROUP_FAILED),
    Handler(MuteRequest, groups.mute, failed=ErrorCode.GROUP_FAILED),
    Handler(MembersRequest, groups.members, failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(UploadRequest, attachments.begin, failed=ErrorCode.FILE_FAILED),
    Handler(ChunkRequest, attachments.chunk, failed=ErrorCode.FILE_FAILED),
    Handler(AttachmentRequest, attachments.send, asker="fromuid", failed=ErrorCode.FILE_FAILED),
    Handler(DownloadRequest, attachments.download, failed=ErrorCode.FILE_FAILED),
    Handler(RecallRequest, revisions.recall, failed=ErrorCode.SEND_FAILED),
    Handler(EditRequest, revisions.edit, failed=ErrorCode.SEND_FAILED),
    Handler(RevisionsRequest, revisions.load, failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(ReceiptsRequest, receipts.count, failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(DeliveredRequest, receipts.mark_delivered, failed=ErrorCode.LOAD_CHAT_FAILED),
    Handler(DateRequest, texts.since, failed=ErrorCode.LOAD_CHAT_FAILED),
)

HANDLERS: Mapping[int, Handler[Any]] = {handler.request.ID: handler for handler in _TABLE}
"""All handlers, by message id."""


def check_login(session: ClientSession, request: Message) -> None:
    """Raise `ProtocolError` for a second login, and for any other request before the first one."""
    logged_in = session.device is not None
    if logged_in == HANDLERS[request.ID].is_login:
        raise ProtocolError(f"message {request.ID} {'after' if logged_in else 'before'} the login")


async def answer(context: HandlerContext, session: ClientSession, request: Message) -> Message:
    """The reply to ``request``. Raises `SessionEndedError` if the request ends the session."""
    handler = HANDLERS[request.ID]
    try:
        _check_asker(handler, session, request)
        return await handler.handle(context, session, request)
    except RefusalError as refusal:
        code, reason = refusal.code, str(refusal)
    except (DatabaseError, FilesError, LocksError) as error:
        code, reason = handler.failed, str(error)
    _log.warning("%s: %s of user %d is refused: %s", context.node, type(request).__name__, session.uid, reason)
    return _refusing(request, code)


def failing(request: Message) -> Message:
    """The reply that the server can't carry out ``request``. Raises `SessionEndedError` for a login."""
    handler = HANDLERS[request.ID]
    reply = _refusing(request, handler.failed)
    if handler.is_login:
        raise SessionEndedError("the login failed", reply)
    return reply


def _refusing(request: Message, code: ErrorCode) -> Message:
    """The reply that refuses ``request``. It repeats the ids of the request that it has fields for.

    It does not repeat the ``uid`` of a search, because this is a text that the user has typed.
    """
    reply = REPLY[type(request)]
    shared = {"fromuid", "other_id", "thread_id", "touid", "uid"} & {*request.__struct_fields__}
    values = {name: getattr(request, name) for name in shared & {*reply.__struct_fields__}}
    ids = {name: value for name, value in values.items() if isinstance(value, int)}
    return reply(**ids, error=code)


def _check_asker(handler: Handler[Any], session: ClientSession, request: Message) -> None:
    if handler.asker and (named := getattr(request, handler.asker)) != session.uid:
        raise RefusalError(ErrorCode.UID_INVALID, f"it names user {named} as the one who asks")
