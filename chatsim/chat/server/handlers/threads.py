"""Thread lists, private chats, and read positions."""

from __future__ import annotations

from functools import partial

from chatsim.chat.protocol import (
    CreatePrivateChatReply,
    CreatePrivateChatRequest,
    ErrorCode,
    LoadThreadsReply,
    LoadThreadsRequest,
    Message,
    ReadNotice,
    ReadReply,
    ReadRequest,
    ThreadNotice,
    ThreadStatesReply,
    ThreadStatesRequest,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store import friends, profiles
from chatsim.chat.server.store import threads as store

__all__ = ["create_private", "load", "load_states", "mark_read"]


async def load(context: HandlerContext, session: ClientSession, request: LoadThreadsRequest) -> Message:
    """A page of the user's threads, by thread id."""
    async with context.lease(session.uid) as tx:
        threads, more = await store.threads(tx, request.uid, request.thread_id)
    last = threads[-1].thread_id if threads else request.thread_id
    return LoadThreadsReply(ErrorCode.SUCCESS, request.uid, more, last, threads)


async def load_states(context: HandlerContext, session: ClientSession, request: ThreadStatesRequest) -> Message:
    """A page of the user's threads that have changed, the latest change first."""
    context.require_numbers()
    async with context.lease(session.uid) as tx:
        threads, more = await store.states(tx, session.uid, request.since, request.before)
    return ThreadStatesReply(ErrorCode.SUCCESS, more, threads)


async def create_private(context: HandlerContext, session: ClientSession, request: CreatePrivateChatRequest) -> Message:
    """The private chat of two users, which is created if there is none. A new thread is pushed to both."""
    uid, other = request.uid, request.other_id
    if other in (0, uid):
        raise RefusalError(ErrorCode.CREATE_CHAT_FAILED, f"no private chat with user {other}")
    if not context.limits.strangers:
        async with context.lease(session.uid) as tx:
            await friends.require(tx, uid, other)
    elif context.limits.looks_up_users:  # the source has no foreign key that refuses an unknown user
        async with context.lease(session.uid) as tx:
            await profiles.require(tx, other)
    thread = await context.create(uid, other)
    if context.texts.numbered:
        join = partial(store.joined, thread=thread, users=(uid, other))
        joined, unsure = await context.store(session.uid, join)
        for user in (uid, other) if joined or unsure else ():
            context.fan_out.push_to_user(user, ThreadNotice(thread), but=session)
    return CreatePrivateChatReply(ErrorCode.SUCCESS, uid, other, thread)


async def mark_read(context: HandlerContext, session: ClientSession, request: ReadRequest) -> Message:
    """Store the user's read position. If it has moved, push it to both users of a private chat, or else the reader."""
    context.require_numbers()
    (concerned, seq, moved), unsure = await context.store(
        session.uid, partial(store.mark_read, thread=request.thread_id, uid=session.uid, seq=request.seq)
    )
    for user in concerned if moved or unsure else ():
        context.fan_out.push_to_user(user, ReadNotice(request.thread_id, session.uid, seq), but=session)
    return ReadReply(ErrorCode.SUCCESS)
