"""Texts: they are stored, acknowledged and pushed to the receivers. And the history, which is read page by page."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chatsim.chat.protocol import (
    LARGEST_BODY,
    LARGEST_ID,
    AcknowledgedText,
    DateRequest,
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
from chatsim.chat.server.store import dates, friends
from chatsim.chat.server.store.members import MembersOnly
from chatsim.chat.server.store.texts import Appended, Batch
from chatsim.db.session import Session

__all__ = ["check_unique_ids", "history", "load", "post", "send", "since"]

_LONGEST_NAME = 64
_A_TIME = "2038-01-19 03:14:07"


async def send(context: HandlerContext, session: ClientSession, request: TextRequest) -> Message:
    """Store a batch of texts, acknowledge it, and push it to all members of the thread."""
    _check(request, context.limits.text_characters)
    batch = Batch(request.thread_id, request.fromuid, request.touid, request.text_array)
    acknowledged = await post(context, session, batch)
    return TextReply(ErrorCode.SUCCESS, batch.sender, batch.receiver, batch.thread, acknowledged)


async def post(context: HandlerContext, session: ClientSession, batch: Batch) -> tuple[AcknowledgedText, ...]:
    """Store a batch, push it to both members of the thread, and return what acknowledges it. Raises `RefusalError`."""

    async def store_batch(tx: Session) -> Appended:
        return await context.texts.send(tx, batch, friends=not context.limits.strangers)

    stored, unsure = await context.store(session.uid, store_batch)
    context.stats.resent += len(stored.texts) - len(stored.fresh)
    sent = {text.unique_id: text.content for text in batch.texts}
    # what was stored under the same unique ids before may be longer: it might not fit into a frame; and a text that was
    # changed meanwhile has been pushed
    maybe_new = tuple(text for text in stored.texts if text.content == sent[text.unique_id] and not text.revision)
    if pushed := maybe_new if unsure else stored.fresh:
        notice = TextsNotice(batch.thread, batch.sender, batch.receiver, pushed)
        # a client that has set ``feed`` gets its own texts as notices, too, with their numbers
        but = None if session.feed else session
        if batch.receiver:
            context.fan_out.push_to_user(batch.receiver, notice)
            context.fan_out.push_to_user(batch.sender, notice, but=but)
        else:
            context.fan_out.push_to_group(batch.thread, stored.members, notice, but=but)
    return tuple(
        AcknowledgedText(each.message_id, each.unique_id, sent[each.unique_id], each.status, each.chat_time)
        for each in stored.texts
    )


def _check(request: TextRequest, characters: int) -> None:
    """Raise `RefusalError` if a text is empty or too long, or if a unique id is not allowed or occurs twice.

    The notice about all of them must fit into a frame, because what is stored must be acknowledged.
    """
    names = {text.unique_id for text in request.text_array}
    if not names or len(names) < len(request.text_array):
        raise RefusalError(ErrorCode.BAD_CONTENT, "no texts, or two of one unique id")
    check_unique_ids(names)
    if not all(0 < len(text.content) <= characters for text in request.text_array):
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a text has 1 to {characters} characters")
    if (size := _size_of_notice(request)) > LARGEST_BODY:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"their notice may have {size} bytes, more than {LARGEST_BODY}")


def check_unique_ids(names: Iterable[str]) -> None:
    """Raise `RefusalError` if one of these unique ids is empty, too long, or reserved."""
    for name in names:
        if not 0 < len(name) <= _LONGEST_NAME:
            raise RefusalError(ErrorCode.BAD_CONTENT, f"a unique id has 1 to {_LONGEST_NAME} characters")
        if name.startswith(friends.RESERVED):
            raise RefusalError(
                ErrorCode.BAD_CONTENT, f"a unique id that begins with {friends.RESERVED} is the server's"
            )


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
        readable = MembersOnly(tx, request.thread_id, session.uid, numbered=context.texts.numbered, by="message_id")
        return await context.texts.after(readable, request.thread_id, request.message_id)


async def history(context: HandlerContext, session: ClientSession, request: HistoryRequest) -> Message:
    """A page of a thread's messages, by number."""
    context.require_numbers()
    async with context.lease(session.uid) as tx:
        readable = MembersOnly(tx, request.thread_id, session.uid, numbered=True, by="seq")
        return await context.texts.next_to(readable, request.thread_id, request.seq, backward=request.backward)


async def since(context: HandlerContext, session: ClientSession, request: DateRequest) -> Message:
    """The first message of a thread that was sent at a time or later."""
    time = dates.time_of(request.time)
    async with context.lease(session.uid) as tx:
        numbered = context.texts.numbered
        readable = MembersOnly(tx, request.thread_id, session.uid, numbered=numbered, by="seq")
        return await dates.first_since(readable, request.thread_id, time, numbered=numbered)
