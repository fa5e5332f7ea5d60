"""Receipts: marks of what has been delivered, and how many members have got and have read a message."""

from __future__ import annotations

from functools import partial

from chatsim.chat.protocol import (
    DeliveredNotice,
    DeliveredReply,
    DeliveredRequest,
    ErrorCode,
    Message,
    ReceiptsRequest,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store import receipts as store

__all__ = ["MOST_MARKS", "count", "mark_delivered"]

MOST_MARKS = 100
"""The largest number of marks in one request."""


async def mark_delivered(context: HandlerContext, session: ClientSession, request: DeliveredRequest) -> Message:
    """Store how far a device has some threads. In a private chat, push that to the other user, if it is new."""
    context.require_numbers()
    marks = dict(zip(request.threads, request.seqs, strict=False))
    if not len(request.threads) == len(request.seqs) == len(marks) or not 0 < len(marks) <= MOST_MARKS:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"1 to {MOST_MARKS} different threads, with a number for each")
    work = partial(store.mark_delivered, uid=session.uid, marks=marks)
    done, unsure = await context.store(session.uid, work)
    for each in done:
        if each.other and (each.fresh or unsure):
            notice = DeliveredNotice(each.thread, session.uid, each.seq)
            context.fan_out.push_to_user(each.other, notice)
    return DeliveredReply(ErrorCode.SUCCESS)


async def count(context: HandlerContext, session: ClientSession, request: ReceiptsRequest) -> Message:
    """How many members have got, and have read, a message."""
    context.require_numbers()
    async with context.lease(session.uid) as tx:
        return await store.count(tx, request.thread_id, session.uid, request.seq)
