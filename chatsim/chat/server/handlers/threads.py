"""Lists of threads, and private chats."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

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
from chatsim.chat.server.handlers.table import handles
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import friends
from chatsim.chat.server.store import threads as store

if TYPE_CHECKING:
    from chatsim.chat.server.node import Node
    from chatsim.chat.server.session import Session

__all__: list[str] = []


@handles(LoadThreadsRequest, asker="uid", failed=ErrorCode.LOAD_CHAT_FAILED)
async def _load_threads(node: Node, session: Session, request: LoadThreadsRequest) -> Message:  # noqa: ARG001
    async with node.lease() as tx:
        threads, more = await store.threads(tx, request.uid, request.thread_id)
    last = threads[-1].thread_id if threads else request.thread_id
    return LoadThreadsReply(ErrorCode.SUCCESS, request.uid, more, last, threads)


@handles(ThreadStatesRequest, failed=ErrorCode.LOAD_CHAT_FAILED)
async def _load_states(node: Node, session: Session, request: ThreadStatesRequest) -> Message:
    node.needs_numbers()
    async with node.lease() as tx:
        threads, more = await store.states(tx, session.uid, request.since, request.before)
    return ThreadStatesReply(ErrorCode.SUCCESS, more, threads)


@handles(CreatePrivateChatRequest, asker="uid", failed=ErrorCode.CREATE_CHAT_FAILED)
async def _create_private_chat(node: Node, session: Session, request: CreatePrivateChatRequest) -> Message:
    uid, other = request.uid, request.other_id
    if other in (0, uid):
        raise RefusalError(ErrorCode.CREATE_CHAT_FAILED, f"no private chat with user {other}")
    if not node.limits.strangers:
        async with node.lease() as tx:
            await friends.require(tx, uid, other)
    thread = await node.creator.create(node.services.database, uid, other, node.stats)
    if node.texts.numbered and await node.transact(partial(store.joined, thread=thread, users=(uid, other))):
        for user in (uid, other):
            node.delivery.tell(user, ThreadNotice(thread), but=session)
    return CreatePrivateChatReply(ErrorCode.SUCCESS, uid, other, thread)


@handles(ReadRequest, failed=ErrorCode.LOAD_CHAT_FAILED)
async def _read(node: Node, session: Session, request: ReadRequest) -> Message:
    node.needs_numbers()

    members, seq = await node.transact(
        partial(store.mark_read, thread=request.thread_id, uid=session.uid, seq=request.seq)
    )
    for member in members:
        node.delivery.tell(member, ReadNotice(request.thread_id, session.uid, seq), but=session)
    return ReadReply(ErrorCode.SUCCESS)
