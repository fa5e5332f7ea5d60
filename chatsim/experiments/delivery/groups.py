"""Texts in one group: fan-out on write against fan-out on read.

On *write*, the transaction that stores a text also notes it for each member: a number in the member's list of threads,
and one more unread message. This is what chatsim's server does. A member who was away reads one short range to find out
which threads have changed. On *read*, the text is stored and nothing else. A member who was away has to look at each of
their groups. Both ways push the text to the devices that are online.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Never

from chatsim.chat.client.messenger import LogIn
from chatsim.chat.client.outbox import unique_id
from chatsim.chat.protocol import (
    AddMembersReply,
    AddMembersRequest,
    CreateGroupReply,
    CreateGroupRequest,
    OutgoingText,
    TextReply,
    TextRequest,
)
from chatsim.chat.server.store import threads
from chatsim.chat.server.store.texts import Batch, HardenedTexts, Texts
from chatsim.db.session import Session
from chatsim.experiments.checks import Anomaly
from chatsim.experiments.delivery.devices import TEXT, Device, check_pushed, in_time
from chatsim.experiments.history import Operation, Recorder
from chatsim.worlds.loading import insert
from chatsim.worlds.world import World

if TYPE_CHECKING:
    import numpy as np
    from tqdm.auto import tqdm

    from chatsim.experiments.delivery.experiment import Delivery

__all__ = ["FAN_OUTS", "GROUP_HOPS", "talk_in_group"]

GROUP_HOPS = {
    "acknowledged": "from sending until the author knows that it is stored",
    "pushed": "from sending until the last member who is online is told",
    "found": "how long a member who was away asks the database which of their groups have something new",
}
"""The hops of a text in a group that are timed."""

_WARM_UP_TEXTS = 5
_AT_ONCE = 200
"""The members that fit into one request."""

_LOOK = """
    SELECT t.id, t.last_seq FROM group_chat_member m JOIN chat_thread t ON t.id = m.thread_id WHERE m.user_id = ?"""


class _OnRead(HardenedTexts):
    """Messages that are not noted for each member of a group."""

    def noted(self, batch: Batch, count: int) -> tuple[str, list[object]]:
        """Nothing, in a group."""
        return super().noted(batch, count) if batch.receiver else ("DO 0", [])


async def _changed_on_write(tx: Session, uid: int, since: int) -> set[int]:
    """The threads of a user that have changed after a version."""
    found, _ = await threads.states(tx, uid, since, 0)
    return {each.thread_id for each in found}


async def _changed_on_read(tx: Session, uid: int, since: int) -> set[int]:  # noqa: ARG001
    """The groups of a user that have messages. The user's client compares the numbers with what it has."""
    found = await tx.execute(_LOOK, (uid,))
    return {int(str(thread)) for thread, last in found.rows if int(str(last))}


@dataclass(frozen=True)
class FanOutWay:
    """A way to tell members who are away of a text.

    Attributes:
        texts: how messages are stored.
        changed: finds the groups of a user that have something new, after a version that the user knows.
    """

    texts: Texts
    changed: Callable[[Session, int, int], Awaitable[set[int]]]


FAN_OUTS: Mapping[str, FanOutWay] = MappingProxyType(
    {"write": FanOutWay(HardenedTexts(), _changed_on_write), "read": FanOutWay(_OnRead(), _changed_on_read)}
)
"""The ways, by their names."""


async def talk_in_group(
    parameters: Delivery,
    size: int,
    way: str,
    world: World,
    *,
    door: Callable[[int, int], LogIn],
    rng: np.random.Generator,
    bar: tqdm[Never],
) -> tuple[float, list[Operation], list[Anomaly]]:
    """Let the authors write into a group at once, each the next text when all who are online were told of the last one.

    Returns the time that this took, in seconds, the sent texts, and what is wrong. The value of each text has the
    seconds of each hop, by its name in `GROUP_HOPS`, if it happened in time.

    Args:
        parameters: the parameters of the experiment.
        size: the number of members.
        way: a name in `FAN_OUTS`.
        world: the world.
        door: makes the login of a user's device at a node, given both numbers.
        rng: makes unique ids.
        bar: is updated for each text.
    """
    authors = min(parameters.pairs, size)
    online = min(size, authors + parameters.online)
    async with AsyncExitStack() as stack:
        devices = [Device(uid) for uid in range(1, online + 1)]
        for number, device in enumerate(devices):
            await device.enter(door(device.uid, number % parameters.nodes))
            stack.push_async_callback(device.client.close)
        group = await _made(devices[0], size)
        await _add_quiet_groups(world, size, parameters.quiet_groups)
        writers = [_Author(group, device, devices, rng) for device in devices[:authors]]
        clock = asyncio.get_running_loop().time
        before = await asyncio.gather(*(each.talk(_WARM_UP_TEXTS, clock()) for each in writers))
        begun = clock()
        histories = await asyncio.gather(*(each.talk(parameters.texts, begun, bar) for each in writers))
        took = clock() - begun
        wrong = [
            anomaly
            for each, first, then in zip(writers, before, histories, strict=True)
            for device in devices
            for anomaly in check_pushed(
                [*first, *then], each.uid, [text for text in device.heard if text.sender == each.uid]
            )
        ]
        history = [sent for of_author in histories for sent in of_author]
        await _find(history, FAN_OUTS[way], world, size, group)
        return took, history, wrong


async def _made(creator: Device, size: int) -> int:
    """Create the group of the users 1 to ``size``."""
    made = await creator.client.request(CreateGroupRequest("a group", "a group", ()), CreateGroupReply)
    others = range(2, size + 1)
    for at in range(0, len(others), _AT_ONCE):
        some = tuple(others[at : at + _AT_ONCE])
        await creator.client.request(AddMembersRequest(made.thread_id, some), AddMembersReply)
    return made.thread_id


async def _add_quiet_groups(world: World, uid: int, count: int) -> None:
    """Add groups without messages, of one user. The user's versions for them come before all others."""
    first = int((await world.admin.execute("SELECT MAX(id) FROM chat_thread")).scalar() or 0) + 1
    ids = range(first, first + count)
    await insert(world.admin, "chat_thread (id, type)", [(each, "group") for each in ids])
    await insert(world.admin, "group_chat (thread_id, name)", [(each, "quiet") for each in ids])
    await insert(world.admin, "group_chat_member (thread_id, user_id)", [(each, uid) for each in ids])
    await world.admin.execute("UPDATE user_version SET version = version + ? WHERE user_id = ?", (count, uid))
    await world.admin.execute("UPDATE user_thread SET version = version + ? WHERE user_id = ?", (count, uid))
    rows = [(uid, each, number) for number, each in enumerate(ids, start=1)]
    await insert(world.admin, "user_thread (user_id, thread_id, version)", rows)


async def _find(history: Sequence[Operation], way: FanOutWay, world: World, uid: int, group: int) -> None:
    """Time how a member who was away finds out, once for each text."""
    clock = asyncio.get_running_loop().time
    last = "SELECT version FROM user_thread WHERE user_id = ? AND thread_id = ?"
    async with world.database(1) as pool, pool.session() as tx:
        since = ((await tx.execute(last, (uid, group))).scalar() or 1) - 1
        for each in history:
            begun = clock()
            found = await way.changed(tx, uid, since)
            if group in found and isinstance(each.value, dict):
                each.value["found"] = clock() - begun


@dataclass(frozen=True)
class _Author:
    group: int
    device: Device
    online: Sequence[Device]
    rng: np.random.Generator

    @property
    def uid(self) -> int:
        return self.device.uid

    async def talk(self, texts: int, begun: float, bar: tqdm[Never] | None = None) -> list[Operation]:
        recorder = Recorder(self.uid, begun)
        history = []
        for turn in range(texts):
            name = unique_id(self.rng)
            asked = {"thread": self.group, "unique_id": name}
            history.append(await recorder.record("send", asked, partial(self._send, name), turn=turn, refusable=()))
            if bar is not None:
                bar.update()
        return history

    async def _send(self, name: str, _: object) -> dict[str, float]:
        """Send a text, and wait until all who are online were told. Returns the seconds of each hop."""
        clock = asyncio.get_running_loop().time
        pushed = [device.expect(name) for device in self.online]
        sent = clock()
        request = TextRequest(self.uid, 0, self.group, (OutgoingText(TEXT, name),))
        await self.device.client.request(request, TextReply)
        took = {"acknowledged": clock() - sent}
        arrived = await in_time(asyncio.gather(*pushed))
        return took if arrived is None else took | {"pushed": max(at for at, _ in arrived) - sent}
