"""Changes of texts in a conversation: a person recalls and edits their own, and asks again until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chatsim.chat.client.cache import LocalText
from chatsim.chat.client.connection import ClientError, RefusedError
from chatsim.chat.client.messenger import Messenger
from chatsim.chat.protocol import ErrorCode, MessageStatus
from chatsim.experiments.history import Operation, Outcome, Recorder
from chatsim.experiments.talk.checks import SentText

if TYPE_CHECKING:
    import numpy as np

__all__ = ["EDIT", "RECALL", "as_changed", "change_one"]

RECALL, EDIT = "recall", "edit"
"""The kinds of operation."""

_RECALLED = 0.3
"""The part of the changes that are recalls."""

_AGAIN = {ErrorCode.SEND_FAILED, ErrorCode.RPC_FAILED}
_PAUSE = 0.1
_MORE_THAN_ALL = 1_000_000


async def change_one(
    me: Messenger, threads: Sequence[int], rng: np.random.Generator, recorder: Recorder, before: Sequence[Operation]
) -> Operation:
    """Recall or edit a random text of the person's own in one of the threads, as soon as one can be changed.

    The person waits for the answer, and asks again if there is none. So the last change of a text that was answered is
    the one that must be there in the end. ``before`` has the person's earlier changes.
    """
    recalled = {each.asked["unique_id"] for each in before if each.kind == RECALL}
    # a text that has just been sent has no number yet
    while not (own := await _changeable(me, threads, recalled)):  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE)
    turn = len(before)
    text = own[int(rng.integers(len(own)))]
    kind = RECALL if rng.uniform() < _RECALLED and len(own) > 1 else EDIT  # the last one stays, for later changes
    content = "" if kind == RECALL else f"change {turn} of {me.cache.uid}"
    assert text.seq is not None
    thread_id, seq = text.thread_id, text.seq

    async def change(_: object) -> dict[str, object]:
        while True:
            try:
                await (me.recall(thread_id, seq) if kind == RECALL else me.edit(thread_id, seq, content))
            except ClientError as error:
                if isinstance(error, RefusedError) and error.code not in _AGAIN:
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                return {}

    asked = {"thread_id": thread_id, "sender": me.cache.uid, "unique_id": text.unique_id, "content": content}
    return await recorder.record(kind, asked, change, turn=turn, refusable=(RefusedError,))


async def _changeable(me: Messenger, threads: Sequence[int], recalled: Container[str]) -> list[LocalText]:
    texts = [text for thread_id in threads for text in await me.cache.newest(thread_id, _MORE_THAN_ALL)]
    own = [text for text in texts if text.sender == me.cache.uid and text.seq is not None]
    return [text for text in own if text.unique_id not in recalled]


def as_changed(sent: Iterable[SentText], changes: Sequence[Operation]) -> list[SentText]:
    """The texts as they must be in the end: each as its author has changed it last."""
    last = {(each.asked["sender"], each.asked["unique_id"]): each for each in changes if each.outcome is Outcome.OK}
    return [_changed(text, last.get((text.sender, text.unique_id))) for text in sent]


def _changed(text: SentText, change: Operation | None) -> SentText:
    if change is None:
        return text
    status = MessageStatus.RECALLED if change.kind == RECALL else MessageStatus.SENT
    return replace(text, content=change.asked["content"], status=int(status))
