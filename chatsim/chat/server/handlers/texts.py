"""Texts: stored, acknowledged, then told to those they are for; and read again, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chatsim.chat.protocol import (
    LARGEST_BODY,
    LARGEST_ID,
    AcknowledgedText,
    ErrorCode,
    HistoryRequest,
    LoadMessagesRequest,
    Message,
    NumberedText,
    TextReply,
    TextRequest,
    TextsNotice,
)
from chatsim.chat.server.handlers.table import handles
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import threads as store
from chatsim.chat.server.store.texts import Batch
from chatsim.db.errors import ConnectionLostError

if TYPE_CHECKING:
    from chatsim.chat.server.node import Node
    from chatsim.chat.server.session import Session
    from chatsim.chat.server.store.texts import Appended
    from chatsim.db.session import Session as DatabaseSession

__all__: list[str] = []

_LONGEST_NAME = 64
_A_TIME = "2038-01-19 03:14:07"


@handles(TextRequest, asker="fromuid", failed=ErrorCode.SEND_FAILED)
async def _send(node: Node, session: Session, request: TextRequest) -> Message:
    _check(request, node.limits.text_characters)
    thread, sender, receiver = request.thread_id, request.fromuid, request.touid
    batch = Batch(thread, sender, receiver, request.text_array)
    unsure = False  # whether an earlier try may have stored them after all

    async def send(tx: DatabaseSession) -> Appended:
        nonlocal unsure
        try:
            return await node.texts.send(tx, batch, friends=not node.limits.strangers)
        except ConnectionLostError:
            unsure = True
            raise

    done = await node.transact(send)
    if news := done.texts if unsure else done.fresh:
        notice = TextsNotice(thread, sender, receiver, news)
        node.delivery.tell(receiver, notice)
        # a client with a feed takes its own texts from there, too, with their numbers
        node.delivery.tell(sender, notice, but=None if session.feed else session)
    acknowledged = tuple(
        AcknowledgedText(each.message_id, each.unique_id, each.content, each.status, each.chat_time)
        for each in done.texts
    )
    return TextReply(ErrorCode.SUCCESS, sender, receiver, thread, acknowledged)


def _check(request: TextRequest, characters: int) -> None:
    """Raise a `RefusalError` unless each text has something to say, is not too long, and has a name of its own.

    Together they must not be more than a frame can tell of: what is stored is acknowledged.
    """
    names = {text.unique_id for text in request.text_array}
    if not names or len(names) < len(request.text_array):
        raise RefusalError(ErrorCode.BAD_CONTENT, "no texts, or two of one unique id")
    if not all(0 < len(name) <= _LONGEST_NAME for name in names):
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a unique id has 1 to {_LONGEST_NAME} characters")
    if not all(0 < len(text.content) <= characters for text in request.text_array):
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a text has 1 to {characters} characters")
    if (size := _size_of_notice(request)) > LARGEST_BODY:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"their notice may have {size} bytes, more than {LARGEST_BODY}")


def _size_of_notice(request: TextRequest) -> int:
    """How long the largest of the messages that tell of the texts can be, in bytes."""
    texts = tuple(
        NumberedText(LARGEST_ID, LARGEST_ID, request.fromuid, text.unique_id, 0, text.content, 0, _A_TIME)
        for text in request.text_array
    )
    return len(msgspec.json.encode(TextsNotice(request.thread_id, request.fromuid, request.touid, texts)))


@handles(LoadMessagesRequest, failed=ErrorCode.LOAD_CHAT_FAILED)
async def _load_messages(node: Node, session: Session, request: LoadMessagesRequest) -> Message:
    async with node.lease() as tx:
        readable = store.MembersOnly(tx, request.thread_id, session.uid)
        return await node.texts.after(readable, request.thread_id, request.message_id)


@handles(HistoryRequest, failed=ErrorCode.LOAD_CHAT_FAILED)
async def _history(node: Node, session: Session, request: HistoryRequest) -> Message:
    node.needs_numbers()
    async with node.lease() as tx:
        readable = store.MembersOnly(tx, request.thread_id, session.uid)
        return await node.texts.beside(readable, request.thread_id, request.seq, backward=request.backward)
