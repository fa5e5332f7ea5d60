"""The table of handlers, by request, and what they all have in common: who asks, and what a refusal looks like.

Who asks is known from the session. A request that says it is from somebody else is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from chatsim.chat.ports import LocksError
from chatsim.chat.protocol import REPLY, ErrorCode, Message
from chatsim.chat.server.refusal import RefusalError
from chatsim.db.errors import DatabaseError

if TYPE_CHECKING:
    from chatsim.chat.server.node import Node
    from chatsim.chat.server.session import Session

__all__ = ["HANDLERS", "Handler", "answer", "handles"]

_log = logging.getLogger(__name__)

R = TypeVar("R", bound=Message)
Handle = Callable[["Node", "Session", R], Awaitable[Message]]


@dataclass(frozen=True)
class Handler:
    """What is done about a request.

    Attributes:
        handle: the coroutine; a `RefusalError` from it is answered, as is a refusal of the database.
        asker: the request's field that says who asks, if it has one.
        failed: what is answered when the database refuses.
    """

    handle: Handle[Any]
    asker: str | None
    failed: ErrorCode


HANDLERS: dict[type[Message], Handler] = {}
"""What a node understands."""


def handles(
    request: type[R], *, asker: str | None = None, failed: ErrorCode = ErrorCode.RPC_FAILED
) -> Callable[[Handle[R]], Handle[R]]:
    """Enter a coroutine as the handler of ``request``; see `Handler`."""

    def enter(handle: Handle[R]) -> Handle[R]:
        HANDLERS[request] = Handler(handle, asker, failed)
        return handle

    return enter


async def answer(node: Node, session: Session, request: Message) -> Message:
    """The reply to ``request``. Raises `SessionEndedError` when it is the session's last."""
    handler = HANDLERS[type(request)]
    try:
        _check_asker(handler, session, request)
        return await handler.handle(node, session, request)
    except RefusalError as refusal:
        code, reason = refusal.code, str(refusal)
    except (DatabaseError, LocksError) as error:
        code, reason = handler.failed, str(error)
    _log.warning("%s: %s of user %d is refused: %s", node.name, type(request).__name__, session.uid, reason)
    return _refusing(request, code)


def _refusing(request: Message, code: ErrorCode) -> Message:
    """The reply to ``request`` that says no; it repeats the ids that it has in common with it.

    A search's ``uid`` is none: it is what was typed.
    """
    reply = REPLY[type(request)]
    shared = {"fromuid", "other_id", "thread_id", "touid", "uid"} & {*request.__struct_fields__}
    said = {name: getattr(request, name) for name in shared & {*reply.__struct_fields__}}
    ids = {name: value for name, value in said.items() if isinstance(value, int)}
    return reply(**ids, error=code)


def _check_asker(handler: Handler, session: Session, request: Message) -> None:
    if handler.asker and (said := getattr(request, handler.asker)) != session.uid:
        raise RefusalError(ErrorCode.UID_INVALID, f"it says it is from user {said}")
