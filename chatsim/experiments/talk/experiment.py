"""People talk while things break: is every text that was sent stored once, and does everybody have it once, in order?

Pairs of friends send each other texts, each person from one device, while the database server, the Redis or a chat
server is killed now and then. When the last text has been acknowledged and everybody has caught up, the tables and all
local stores are compared.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np

from chatsim.chat.client.cache import LocalText, State
from chatsim.chat.client.connection import DEADLINE
from chatsim.chat.client.messenger import LogIn, Messenger, Status, Timing
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.ports import Address
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.db.errors import Kind
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import World

__all__ = ["House", "Said", "Talk", "Told"]

_TIMING = Timing(shortest=0.05, longest=1.0, give_up=600.0, resync=2.0)
_MORE_THAN_ALL = 1_000_000
_LOOK = 0.0005
_STORING = 0.005
"""The longest time from a text's arrival to the kill, in seconds: about as long as it takes to store one."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text that somebody sent."""

    thread_id: int
    sender: int
    unique_id: str
    content: str


@dataclass
class Told:
    """What came of a talk.

    Attributes:
        said: what was sent.
        crashes: how often something was killed.
        cut_off: how many statements were cut off by that, or found no server, as far as the nodes can be asked;
            what became of the transactions of the first was unknown.
        wrong: what must not be, a sentence each.
    """

    said: list[Said] = field(default_factory=list)
    crashes: int = 0
    cut_off: int = 0
    wrong: list[str] = field(default_factory=list)


class _News:
    """Something has changed with somebody: whoever waits looks again."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Event] = []

    def come(self) -> None:
        for each in self._waiting:
            each.set()

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until it holds."""
        changed = asyncio.Event()
        self._waiting.append(changed)
        try:
            while not await holds():
                await changed.wait()
                changed.clear()
        finally:
            self._waiting.remove(changed)


class House(Protocol):
    """Nodes that can be reached, and killed."""

    def login_for(self, uid: int, address: Address | None = None, *, deadline: float = DEADLINE, machine: str) -> LogIn:
        """How a messenger of ``uid`` on ``machine`` connects."""
        ...

    async def crash(self, number: int, down: float) -> None:
        """Kill a node, and have it begin again so many seconds later."""
        ...


@dataclass(frozen=True)
class Talk:
    """The parameters of a run.

    Attributes:
        pairs: how many pairs talk.
        texts: how many texts each person sends.
        pause: the longest pause between two of them, in seconds; each is drawn uniformly.
        crashes: how often something is killed while they talk.
        faults: what, in turn: ``database``, ``redis``, ``node``.
        down: how long it is down each time, in seconds.
        nodes: how many chat servers.
        seed: of the pauses, of the times of the crashes, and of the names of texts.
        patience: how long all may take to have everything, in seconds, once the last text is acknowledged.
        lapses: whether to wait in the end until whoever was online must be offline for everybody, and look.
    """

    pairs: int = 1
    texts: int = 10
    pause: float = 0.05
    crashes: int = 1
    faults: tuple[str, ...] = ("database",)
    down: float = 0.0
    nodes: int = 2
    seed: int = 1
    patience: float = 60.0
    lapses: bool = False

    async def run(
        self,
        world: World,
        home: Path | None = None,
        nodes: Callable[[], AbstractAsyncContextManager[House]] | None = None,
    ) -> Told:
        """Let them talk, in a world of hardened tables.

        Args:
            world: where.
            home: a folder for their local stores; in memory when None.
            nodes: runs the nodes, once the tables are there; in this process when None.
        """
        uids = range(1, 2 * self.pairs + 1)
        await world.install("hardened")
        await add_users(world.admin, uids)
        await insert(world.admin, "friend (self_id, friend_id)", [(uid, _other(uid)) for uid in uids])
        chance = np.random.SeedSequence(self.seed).spawn(self.nodes + len(uids) + 1)
        of_nodes, people, faults = chance[: self.nodes], chance[self.nodes : -1], chance[-1]
        told, news = Told(), _News()
        async with AsyncExitStack() as stack:
            house = await stack.enter_async_context(nodes() if nodes else self._cluster(world, of_nodes))
            inside = await stack.enter_async_context(AsyncExitStack())
            members = {
                uid: await inside.enter_async_context(self._person(world, house, uid, home, chance=rng, news=news))
                for uid, rng in zip(uids, people, strict=True)
            }
            for uid, member in members.items():
                await news.until(partial(_is_ready, member))
                await member.chat_with(_other(uid))
            async with asyncio.TaskGroup() as group:
                for member, rng in zip(members.values(), people, strict=True):
                    group.create_task(self._talk(member, np.random.default_rng(rng), told, news))
                group.create_task(self._break(world, house, np.random.default_rng(faults), told))
            try:
                async with asyncio.timeout(self.patience):
                    await news.until(partial(_has_all, members, told.said))
            except TimeoutError:
                told.wrong.append(f"not everybody has everything {self.patience:g} s after the last text")
            told.wrong += await _wrong(world, members, told.said)
            await inside.aclose()
            if isinstance(house, Cluster):
                told.cut_off = house.stats.refusals[Kind.CONNECTION_LOST]
                told.wrong += await self._online(house, uids)
        return told

    async def _online(self, house: Cluster, uids: Sequence[int]) -> list[str]:
        """Who is shown online though everybody has left so long ago that it must have lapsed."""
        if not self.lapses:
            return []
        await asyncio.sleep(Limits.expiry)
        return [f"user {uid} is online, and is gone" for uid in uids if await house.presence.find(uid)]

    def _cluster(self, world: World, chance: Sequence[np.random.SeedSequence]) -> AbstractAsyncContextManager[Cluster]:
        return cluster(
            world,
            nodes=self.nodes,
            pool=4,
            strategy=STRATEGIES["look_first"],
            retry=POLICIES["retry"],
            limits=Limits(),
            schema="hardened",
            rngs=[np.random.default_rng(each) for each in chance],
        )

    @asynccontextmanager
    async def _person(
        self, world: World, house: House, uid: int, home: Path | None, *, chance: np.random.SeedSequence, news: _News
    ) -> AsyncIterator[Messenger]:
        messenger = Messenger(
            uid,
            house.login_for(uid, machine=f"client{uid}"),
            world.local_store(":memory:" if home is None else str(home / f"{uid}.db")),
            clock=world.wall_time,
            rng=np.random.default_rng(chance.spawn(1)[0]),
            timing=_TIMING,
            changed=lambda _: news.come(),
        )
        await messenger.open()
        try:
            yield messenger
        finally:
            await messenger.close()

    async def _talk(self, me: Messenger, rng: np.random.Generator, told: Told, news: _News) -> None:
        thread_id = (await me.cache.threads())[0].thread_id
        for number in range(self.texts):
            await asyncio.sleep(rng.uniform(0, self.pause))
            text = await me.send(thread_id, f"{number} of {me.cache.uid}")
            told.said.append(Said(thread_id, text.sender, text.unique_id, text.content))
        await news.until(partial(_has_sent, me))

    async def _break(self, world: World, house: House, rng: np.random.Generator, told: Told) -> None:
        """Kill something while a text is being stored: a moment after the next one was sent."""
        times = sorted(rng.uniform(0, self.texts * self.pause / 2, size=self.crashes))
        for number, (before, now) in enumerate(pairwise([0.0, *times])):
            await asyncio.sleep(now - before)
            so_far = len(told.said)
            while len(told.said) == so_far and not self._all_said(told):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK)
            await asyncio.sleep(rng.uniform(0, _STORING))
            await self._kill(self.faults[number % len(self.faults)], world, house, rng)
            told.crashes += 1

    async def _kill(self, what: str, world: World, house: House, rng: np.random.Generator) -> None:
        if what == "database":
            await world.crash(self.down)
        elif what == "redis":
            await world.crash_redis(self.down)
        else:
            await house.crash(int(rng.integers(self.nodes)), self.down)

    def _all_said(self, told: Told) -> bool:
        return len(told.said) == 2 * self.pairs * self.texts


def _other(uid: int) -> int:
    """The one that a person talks to: 1 and 2, 3 and 4, and so on."""
    return uid + 1 if uid % 2 else uid - 1


async def _is_ready(member: Messenger) -> bool:
    return member.status is Status.READY


async def _has_sent(member: Messenger) -> bool:
    return not await member.cache.pending()


async def _has_all(members: Mapping[int, Messenger], said: Sequence[Said]) -> bool:
    """Whether everybody has as many texts, without a hole, as were said in their threads."""
    sizes = Counter(each.thread_id for each in said)
    threads = [thread for member in members.values() for thread in await member.cache.threads()]
    return len(threads) == len(members) and all(
        thread.floor == 1 and thread.cursor == sizes[thread.thread_id] for thread in threads
    )


async def _wrong(world: World, members: Mapping[int, Messenger], said: Sequence[Said]) -> list[str]:
    rows = await world.admin.execute(
        "SELECT thread_id, seq, sender_id, unique_id, content FROM chat_message ORDER BY thread_id, seq"
    )
    stored = [Said(int(str(row[0])), int(str(row[2])), str(row[3]), str(row[4])) for row in rows.rows]
    wrong = [f"{text} is stored {count} times" for text, count in Counter(stored).items() if count > 1]
    wrong += [f"{text} was sent, and is not stored" for text in said if text not in set(stored)]
    wrong += [f"{text} is stored, and nobody sent it" for text in stored if text not in set(said)]
    for uid, member in members.items():
        for thread in await member.cache.threads():
            texts = await member.cache.newest(thread.thread_id, _MORE_THAN_ALL)
            wrong += [f"user {uid}: {text} is {text.state}" for text in texts if _is_left(text)]
            own = [Said(each.thread_id, each.sender, each.unique_id, each.content) for each in texts]
            if own != [each for each in stored if each.thread_id == thread.thread_id]:
                wrong.append(f"user {uid} has not what is stored of thread {thread.thread_id}, in its order")
    return wrong


def _is_left(text: LocalText) -> bool:
    return text.seq is None or text.state in {State.SENDING, State.FAILED}
