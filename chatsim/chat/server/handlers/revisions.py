"""Recalling and editing messages, and reading which ones have changed."""

from __future__ import annotations

from functools import partial

from chatsim.chat.protocol import (
    EditReply,
    EditRequest,
    ErrorCode,
    Message,
    RecallReply,
    RecallRequest,
    RevisedNotice,
    RevisionsRequest,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store import revisions as store
from chatsim.chat.server.store.members import MembersOnly

__all__ = ["edit", "load", "recall"]


async def recall(context: HandlerContext, session: ClientSession, request: RecallRequest) -> Message:
    """Take a message back, and push that to all members who may read it."""
    work = partial(
        store.recall,
        uid=session.uid,
        thread=request.thread_id,
        message=request.message_id,
        numbered=context.texts.numbered,
        seconds=context.limits.recall_seconds,
    )
    _push(context, session, request.thread_id, *await context.store(session.uid, work))
    return RecallReply(ErrorCode.SUCCESS)


async def edit(context: HandlerContext, session: ClientSession, request: EditRequest) -> Message:
    """Replace the content of a text, and push that to all members who may read it."""
    if not 0 < len(request.content) <= context.limits.text_characters:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a text has 1 to {context.limits.text_characters} characters")
    work = partial(
        store.edit,
        uid=session.uid,
        thread=request.thread_id,
        message=request.message_id,
        content=request.content,
        numbered=context.texts.numbered,
        seconds=context.limits.edit_seconds,
    )
    _push(context, session, request.thread_id, *await context.store(session.uid, work))
    return EditReply(ErrorCode.SUCCESS)


def _push(context: HandlerContext, session: ClientSession, thread: int, done: store.Revised, unsure: bool) -> None:  # noqa: FBT001 - as `HandlerContext.store` returns it
    """Push a change that is new, or that an earlier try may have stored. A client with ``feed`` gets its own, too."""
    if not (done.fresh or unsure):
        return
    notice, but = RevisedNotice(thread, (done.text,)), None if session.feed else session
    if done.private:
        for user in done.users:
            context.fan_out.push_to_user(user, notice, but=but)
    else:
        context.fan_out.push_to_group(thread, done.users, notice, but=but)


async def load(context: HandlerContext, session: ClientSession, request: RevisionsRequest) -> Message:
    """A page of a thread's changed messages, by the number of their change."""
    context.require_numbers()
    async with context.lease(session.uid) as tx:
        readable = MembersOnly(tx, request.thread_id, session.uid, numbered=True, by="seq")
        return await store.after(readable, request.thread_id, request.revision)
