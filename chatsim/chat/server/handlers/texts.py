"""Texts: they are stored, acknowledged and pushed to the receivers. And the history, which is read page by page."""

from __future__ import annotations

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
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store import friends
from chatsim.chat.server.store.members import MembersOnly
from chatsim.chat.server.store.texts import Appended, Batch
from chatsim.db.session import Session

__all__ = ["history", "load", "send"]

_LONGEST_NAME = 64
_A_TIME = "2038-01-19 03:14:07"


async def send(context: HandlerContext, session: ClientSession, request: TextRequest) -> Message:
    """Store a batch of texts, acknowledge it, and push it to both members of the thread."""
    _check(request, context.limits.text_characters)
    thread, sender, receiver = request.thread_id, request.fromuid, request.touid
    batch = Batch(thread, sender, receiver, request.text_array)

    async def store_batch(tx: Session) -> Appended:
        return await context.texts.send(tx, batch, friends=not context.limits.strangers)

    stored, unsure = await context.store(session.uid, store_batch)
    context.stats.resent += len(stored.texts) - len(stored.fresh)
    sent = {text.unique_id: text.content for text in request.text_array}
    # what was stored under the same unique ids before may be longer: it might not fit into a frame
    maybe_new = tuple(text for text in stored.texts if text.content == sent[text.unique_id])
    if pushed := maybe_new if unsure else stored.fresh:
        notice = TextsNotice(thread, sender, receiver, pushed)
        context.fan_out.push_to_user(receiver, notice)
        # a client that has set ``feed`` gets its own texts as notices, too, with their numbers
        context.fan_out.push_to_user(sender, notice, but=None if session.feed else session)
    acknowledged = tuple(
        AcknowledgedText(each.message_id, each.unique_id, sent[each.unique_id], each.status, each.chat_time)
        for each in stored.texts
    )
    return TextReply(ErrorCode.SUCCESS, sender, receiver, thread, acknowledged)


def _check(request: TextRequest, characters: int) -> None:
    """Raise `RefusalError` if a text is empty or too long, or if a unique id is not allowed or occurs twice.

    The notice about all of them must fit into a frame, because what is stored must be acknowledged.
    """
    names = {text.unique_id for text in request.text_array}
    if not names or len(names) < len(request.text_array):
        raise RefusalError(ErrorCode.BAD_CONTENT, "no texts, or two of one unique id")
    if not all(0 < len(name) <= _LONGEST_NAME for name in names):
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a unique id has 1 to {_LONGEST_NAME} characters")
    if any(name.startswith(friends.RESERVED) for name in names):
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a unique id that begins with {friends.RESERVED} is the server's")
    if not all(0 < len(text.content) <= characters for text in request.text_array):
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a text has 1 to {characters} characters")
    if (size := _size_of_notice(request)) > LARGEST_BODY:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"their notice may have {size} bytes, more than {LARGEST_BODY}")


def _size_of_notice(request: TextRequest) -> int:
    """The size of the largest message about these texts, in bytes."""
    texts = tuple(
        NumberedText(LARGEST_ID, LARGEST_ID, request.fromuid, text.unique_id, 0, text.content, 0, _A_TIME)
        for text in request.text_array
    )
    return len(msgspec.json.encode(TextsNotice(request.thread_id, request.fromuid, request.touid, texts)))


async def load(context: HandlerContext, session: ClientSession, request: LoadMessagesRequest) -> Message:
    """A page of a thread's messages, by message id."""
    async with context.lease(session.uid) as tx:
        readable = MembersOnly(tx, request.thread_id, session.uid)
        return await context.texts.after(readable, request.thread_id, request.message_id)


async def history(context: HandlerContext, session: ClientSession, request: HistoryRequest) -> Message:
    """A page of a thread's messages, by number."""
    context.require_numbers()
    async with context.lease(session.uid) as tx:
        readable = MembersOnly(tx, request.thread_id, session.uid)
        return await context.texts.next_to(readable, request.thread_id, request.seq, backward=request.backward)
