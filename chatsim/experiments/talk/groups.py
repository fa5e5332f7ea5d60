"""Groups in a conversation, whose members come and go while servers are killed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from chatsim.chat.client.cache import LocalText
from chatsim.chat.client.connection import ClientError, RefusedError
from chatsim.chat.client.messenger import Messenger
from chatsim.chat.protocol import ErrorCode
from chatsim.experiments.checks import Anomaly, disordered, repeated, unexpected
from chatsim.experiments.history import Operation
from chatsim.experiments.talk.changing import EDIT
from chatsim.experiments.talk.checks import SentText

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TalkedGroup", "check_removed"]

_AGAIN = {ErrorCode.GROUP_FAILED, ErrorCode.RPC_FAILED, ErrorCode.LOAD_CHAT_FAILED}
"""The errors of the server after which the same request may be carried out later."""

_PAUSE = 0.05
_MORE_THAN_ALL = 1_000_000

T = TypeVar("T")


@dataclass
class TalkedGroup:
    """A group. Its creator removes one member, who only reads, and adds another one, while all others write.

    Attributes:
        creator, reader, newcomer: who creates it, who is removed, and who is added.
        thread_id: its thread.
        removed_at: when the creator knew that the reader is no member any more, in seconds since the history began.
        kept: the unique ids of the texts that the reader's client had then.
    """

    creator: int
    reader: int
    newcomer: int
    thread_id: int = 0
    removed_at: float = math.inf
    kept: tuple[str, ...] = ()

    @classmethod
    def of(cls, number: int, uids: Sequence[int]) -> TalkedGroup:
        """The group with this number, from 0: everybody has each part in turn."""
        creator, reader, newcomer = (uids[(number + part) % len(uids)] for part in range(3))
        return cls(creator, reader, newcomer)

    def is_writer(self, uid: int) -> bool:
        """Whether a user writes from the beginning on."""
        return uid not in (self.reader, self.newcomer)

    async def create(self, members: Mapping[int, Messenger]) -> None:
        """Create it, and wait until everybody who is in it knows it."""
        creator = members[self.creator]
        others = [uid for uid in members if uid not in (self.creator, self.newcomer)]
        name = f"group of {self.creator}"
        self.thread_id = await _insist(partial(creator.create_group, name, others, creator.new_unique_id()))
        for uid in others:
            await self._known(members[uid])

    async def change(
        self,
        members: Mapping[int, Messenger],
        *,
        begun: float,
        within: float,
        rng: np.random.Generator,
        writable: list[int],
    ) -> None:
        """Add the newcomer and remove the reader, at random times.

        Args:
            members: the messengers of all users.
            begun: the beginning of the history, on the loop's clock.
            within: the longest time before each of both, in seconds.
            rng: for the times.
            writable: the threads in which the newcomer writes; this group is added.
        """
        creator = members[self.creator]
        await asyncio.sleep(rng.uniform(0, within))
        await _insist(partial(creator.add, self.thread_id, [self.newcomer]))
        await self._known(members[self.newcomer])
        writable.append(self.thread_id)
        await asyncio.sleep(rng.uniform(0, within))
        await _insist(partial(creator.remove, self.thread_id, self.reader))
        self.removed_at = asyncio.get_running_loop().time() - begun
        self.kept = tuple(each.unique_id for each in await self.read(members[self.reader]))

    async def read(self, member: Messenger) -> list[LocalText]:
        """The texts that a member's client has, in order."""
        return await member.cache.newest(self.thread_id, _MORE_THAN_ALL)

    async def _known(self, member: Messenger) -> None:
        while await member.cache.thread(self.thread_id) is None:  # noqa: ASYNC110 - it may never be told
            await asyncio.sleep(_PAUSE)


async def _insist(action: Callable[[], Awaitable[T]]) -> T:
    """Do something until the server has said that it is done. Raises `RefusedError`."""
    while True:
        try:
            return await action()
        except ClientError as error:
            if isinstance(error, RefusedError) and error.code not in _AGAIN:
                raise
        await asyncio.sleep(_PAUSE)


def check_removed(
    group: TalkedGroup,
    texts: Sequence[LocalText],
    sent: Sequence[Operation],
    stored: Sequence[SentText],
    changes: Sequence[Operation] = (),
) -> Iterator[Anomaly]:
    """Check that who was removed has what they had, in order, and nothing that was written or edited afterwards.

    Args:
        group: the group.
        texts: what the client of the removed user has of it in the end.
        sent: the texts that were sent.
        stored: the texts of the group in the tables, in order.
        changes: the recalls and edits of texts.
    """
    uid, seen = group.reader, _as_stored(texts, sent, stored, changes)
    later = {each.value["unique_id"] for each in sent if each.start > group.removed_at}
    contents = {(each.unique_id, each.content) for each in texts}
    since = [each.asked for each in changes if each.start > group.removed_at and each.kind == EDIT]
    later |= {each["unique_id"] for each in since if (each["unique_id"], each["content"]) in contents}
    here = {each.unique_id for each in seen}
    wrong = [
        ("leaked", [each for each in seen if each.unique_id in later], "was written after they had been removed"),
        ("forgotten", [each for each in stored if each.unique_id in {*group.kept} - here], "is not there any more"),
        ("repeated", repeated(seen), "is there more than once"),
        ("unknown", unexpected(stored, seen), "is in no table"),
        ("disordered", disordered(stored, seen), "is out of order"),
    ]
    for kind, found, words in wrong:
        if found:
            yield Anomaly(
                kind, found[0], f"user {uid}, who was removed from thread {group.thread_id}: {found[0]} {words}"
            )


def _as_stored(
    texts: Sequence[LocalText], sent: Sequence[Operation], stored: Sequence[SentText], changes: Sequence[Operation]
) -> list[SentText]:
    """The texts as they are stored now, where they are here as their author has written them at some time."""
    now = {each.unique_id: each for each in stored}
    written = {(each.unique_id, each.content) for each in stored}
    written |= {(each.value["unique_id"], str(each.asked.get("content"))) for each in sent}
    written |= {(each.asked["unique_id"], each.asked["content"]) for each in changes}
    return [
        now[each.unique_id]
        if each.unique_id in now and (each.unique_id, each.content) in written
        else SentText(each.thread_id, each.sender, each.unique_id, each.content)
        for each in texts
    ]
