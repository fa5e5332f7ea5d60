"""The experiment on conversations: is each text stored once, and does each member have it once, in order?

Pairs of friends send each other texts, each person from one device, and also in groups of all people, whose members
come and go. Meanwhile the database server, the Redis or a chat server is killed now and then. When the last text has
been acknowledged and all clients have caught up, the tables and all local stores are compared.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise, permutations
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from chatsim.chat.client.connection import DEADLINE
from chatsim.chat.client.messenger import LogIn, Messenger, Status, Timing
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.ports import Address
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.db.commits import CommitFates
from chatsim.db.errors import Kind
from chatsim.experiments.base import Experiment
from chatsim.experiments.checks import Anomaly, Verdict, judge
from chatsim.experiments.demand import OPERATION, Demand, row
from chatsim.experiments.history import Operation, Recorder
from chatsim.experiments.parameters import BadParameterError, Choices, Flag, Number, When, Whole, parameter
from chatsim.experiments.result import Result
from chatsim.experiments.talk.changing import as_changed, change_one
from chatsim.experiments.talk.checks import SentText, check_stored, check_stores
from chatsim.experiments.talk.groups import TalkedGroup, check_removed
from chatsim.experiments.variant import Variant
from chatsim.progress import Progress
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import World

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["FAULTS", "Nodes", "Talk", "Talked"]

FAULTS = ("database", "host", "redis", "node")
"""What can be killed: servers, and the whole host of the database server, which only the model can do."""

_WITH_CRASHES = When("crashes", lambda crashes: crashes > 0, "with crashes")

_TIMING = Timing(shortest=0.05, longest=1.0, give_up=600.0, resync=2.0)
_POOL = 4
"""The connections of each node to the database."""

_PER_S = 100
"""How many texts are sent in a second."""

_PERSON = 500_000
"""The memory of one person's device with its local store."""

_MORE_THAN_ALL = 1_000_000
_LOOK = 0.0005
_STORING = 0.005
"""The longest time from sending a text to the kill, in seconds: about the time that it takes to store one."""


@dataclass
class Talked:
    """The result of a conversation.

    Attributes:
        sent: the sent texts, each as an operation that ends when the text is in its author's outbox.
        changes: the recalls and edits of texts, each as an operation that ends with the server's answer.
        crashes: how often a server was killed.
        cut_off: the number of statements that were interrupted, or found no server, as far as the nodes have counted
            them. Whether an interrupted transaction took effect was unknown.
        resent: the number of texts that were stored, and sent again since nobody had said so, as far as the nodes have
            counted them: the commit, or its acknowledgement, was not answered. Their unique ids told.
        unanswered: the number of commits that the database has kept though it could not answer them; None if it does
            not report it.
        lost_commits: the number of commits that others could see, or that were answered, and that are lost; None if the
            database does not report it.
        anomalies: the anomalies that the checks have found.
        seconds: the time until all clients had everything, in seconds.
        asked: the number of texts that were to be sent.
        groups: the groups in which people talked.
    """

    sent: list[Operation] = field(default_factory=list)
    changes: list[Operation] = field(default_factory=list)
    crashes: int = 0
    cut_off: int = 0
    resent: int = 0
    unanswered: int | None = None
    lost_commits: int | None = None
    anomalies: list[Anomaly] = field(default_factory=list)
    seconds: float = 0.0
    asked: int = 0
    groups: list[TalkedGroup] = field(default_factory=list)

    @property
    def texts(self) -> list[SentText]:
        """The sent texts, as they were changed last."""
        return as_changed((SentText(**each.asked, **each.value) for each in self.sent), self.changes)

    def verdict(self) -> Verdict:
        """Safe if no text was lost, doubled, invented or out of order, and no recall or edit was lost."""
        whoever = "all who may read it have it" if self.groups else "both members have it"
        safe = f"each of {len(self.sent):,} texts is stored once, and {whoever}, in order"
        if self.changes:
            safe += f", after {len(self.changes):,} recalls and edits"
        history = [*self.sent, *self.changes]
        return judge(history, self.anomalies, safe=safe, refused="texts were not taken or changed", asked=self.asked)


class _Changes:
    """Wakes up waiting tasks when any client has changed."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Event] = []

    def notify(self) -> None:
        for each in self._waiting:
            each.set()

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the condition is true."""
        changed = asyncio.Event()
        self._waiting.append(changed)
        try:
            while not await holds():
                await changed.wait()
                changed.clear()
        finally:
            self._waiting.remove(changed)


class Nodes(Protocol):
    """Nodes that clients can log in to, and that can be killed."""

    def login_for(self, uid: int, address: Address | None = None, *, deadline: float = DEADLINE, machine: str) -> LogIn:
        """The function with which a messenger of ``uid`` on ``machine`` logs in."""
        ...

    async def crash(self, number: int, down: float) -> None:
        """Kill a node, and start it again ``down`` seconds later."""
        ...


@dataclass(frozen=True, kw_only=True)
class Talk(Experiment):
    """Let pairs of people talk while servers are killed: is every text stored once, and has everybody everything?"""

    name = "talk"
    title = "Talking while servers are killed"
    totals = ("sent", "changes", "crashes", "cut_off", "unanswered", "lost_commits", "resent", "anomalies")
    shown: ClassVar[Mapping[str, str]] = {
        "faults": "faults",
        "verdict": "verdict",
        "sent": "sent",
        "changes": "changes",
        "anomalies": "anomalies",
        "crashes": "crashes",
        "cut_off": "cut off",
        "unanswered": "unanswered",
        "lost_commits": "lost commits",
        "resent": "resent",
        "seconds": "seconds",
    }

    pairs: int = parameter(1, Whole(1), "how many pairs of people talk")
    texts: int = parameter(10, Whole(1), "how many texts each person sends")
    groups: int = parameter(
        0, Whole(0), "how many groups of all people; in each, one member is removed and one is added while they talk"
    )
    pause: float = parameter(
        0.05, Number(0, "seconds", 3_600), "the longest pause between two texts of a person; each is drawn uniformly"
    )
    changes: int = parameter(0, Whole(0), "how many recalls and edits of their own texts each person makes")
    crashes: int = parameter(1, Whole(0), "how often something is killed while they talk")
    faults: str | Iterable[str] = parameter("database", Choices(FAULTS), "what is killed, in turn", _WITH_CRASHES)
    down: float = parameter(0.0, Number(0, "seconds", 3_600), "how long it is down each time", _WITH_CRASHES)
    nodes: int = parameter(2, Whole(1), "how many chat servers")
    patience: float = parameter(
        60.0,
        Number(0, "seconds", 86_400),
        "how long all may take to have everything, once the last text is acknowledged",
    )
    lapses: bool = parameter(
        default=False,
        domain=Flag(),
        help_="whether to wait in the end until all who were online must count as offline, and to look whether they do",
    )

    def check_together(self) -> None:
        """Whatever is named must be killed once at least. Groups need people who stay."""
        if self.groups and self.pairs == 1:
            raise BadParameterError("groups need four people; ask for 2 pairs")
        if 0 < self.crashes < len(faults := [*self.faults]):
            never = ", ".join(faults[self.crashes :])
            raise BadParameterError(
                f"crashes is {self.crashes}, so {never} would never be killed; ask for {len(faults)}"
            )

    @staticmethod
    def draw(table: pd.DataFrame, caption: str) -> Figure:
        """Draw the number of sent texts, and of anomalies."""
        from chatsim import figures

        return figures.talk(table, caption=caption)

    def demand(self, world: str) -> Demand:
        """Memory for texts and people; time for the texts and, on a real server, for the pauses and the crashes."""
        texts, people = 2 * self.pairs * self.texts, 2 * self.pairs
        seconds = {f"{texts:,} texts": texts // _PER_S}
        if world == "mysql":
            seconds["the pauses"] = self.texts * int(self.pause * 1_000) // 2_000
            seconds[f"{self.crashes:,} crashes"] = self.crashes * (1 + int(self.down))
        return Demand(
            memory={f"{texts:,} texts": texts * (OPERATION + row(world)), f"{people:,} people": people * _PERSON},
            seconds=seconds,
            connections=self.nodes * _POOL,
        )

    @property
    def kills_server(self) -> bool:
        """Whether the database server is among what is killed."""
        return bool(self.crashes) and not {"database", "host"}.isdisjoint(self.faults)

    async def measure(self, world: World, result: Result, progress: Progress) -> None:
        """Run one conversation."""
        with progress.bar(2 * self.pairs * self.texts, "text") as bar:
            talked = await self.converse(world, sent=lambda _: bar.update())
        result.add(
            Variant(
                key={"faults": "/".join(self.faults) if self.crashes else "none"},
                measures={
                    "sent": len(talked.sent),
                    "changes": len(talked.changes),
                    "crashes": talked.crashes,
                    "cut_off": talked.cut_off,
                    "unanswered": talked.unanswered,
                    "lost_commits": talked.lost_commits,
                    "resent": talked.resent,
                    "seconds": talked.seconds,
                    "anomalies": len(talked.anomalies),
                },
                verdict=talked.verdict(),
                operations=[*talked.sent, *talked.changes],
                window_s=talked.seconds,
            )
        )

    async def converse(
        self,
        world: World,
        home: Path | None = None,
        nodes: Callable[[], AbstractAsyncContextManager[Nodes]] | None = None,
        sent: Callable[[Operation], object] = lambda _: None,
    ) -> Talked:
        """Run a conversation, in a world with hardened tables.

        Args:
            world: the world.
            home: a folder for the local stores; None keeps them in memory.
            nodes: runs the nodes, after the tables were created; None runs them in this process.
            sent: called with each sent text.
        """
        uids = range(1, 2 * self.pairs + 1)
        await self._furnish(world, uids)
        chance = np.random.SeedSequence(self.seed).spawn(self.nodes + len(uids) + 1 + self.groups)
        of_nodes, people = chance[: self.nodes], chance[self.nodes : self.nodes + len(uids)]
        faults, *of_groups = chance[self.nodes + len(uids) :]
        before = copy(world.fates) or CommitFates()
        groups = [TalkedGroup.of(number, uids) for number in range(self.groups)]
        asked = len(uids) * (self.texts + self.changes)
        talked, changes = Talked(asked=asked, groups=groups), _Changes()
        async with AsyncExitStack() as stack:
            running = await stack.enter_async_context(nodes() if nodes else self._cluster(world, of_nodes))
            inside = await stack.enter_async_context(AsyncExitStack())
            members = {
                uid: await inside.enter_async_context(
                    self._person(world, running, uid, home, chance=rng, changes=changes)
                )
                for uid, rng in zip(uids, people, strict=True)
            }
            for uid, member in members.items():
                await changes.until(partial(_is_ready, member))
                await member.chat_with(_other(uid))
            writable = await _threads(members, groups)
            begun = asyncio.get_running_loop().time()

            def note(operation: Operation) -> None:
                talked.sent.append(operation)
                sent(operation)

            async with asyncio.TaskGroup() as tasks:
                for (uid, member), rng in zip(members.items(), people, strict=True):
                    recorder = Recorder(uid, begun)
                    tasks.create_task(self._talk(member, writable[uid], np.random.default_rng(rng), recorder, note))
                    chance_of_changes = np.random.default_rng(rng.spawn(1)[0])
                    changing = self._change(member, writable[uid], chance_of_changes, recorder, talked.changes.append)
                    tasks.create_task(changing)
                for group, rng in zip(groups, of_groups, strict=True):
                    change = group.change(
                        members,
                        begun=begun,
                        within=self.texts * self.pause / 4,
                        rng=np.random.default_rng(rng),
                        writable=writable[group.newcomer],
                    )
                    tasks.create_task(change)
                tasks.create_task(self._break(world, running, np.random.default_rng(faults), talked))
            for member in members.values():
                await changes.until(partial(_has_sent, member))
            try:
                async with asyncio.timeout(self.patience):
                    await changes.until(partial(_has_all, members, talked, await _revisions(world)))
            except TimeoutError:
                late = f"not everybody has everything {self.patience:g} s after the last text"
                talked.anomalies.append(Anomaly("late", None, late))
            talked.seconds = asyncio.get_running_loop().time() - begun
            talked.anomalies += await _anomalies(world, members, talked)
            await inside.aclose()
            if (fates := world.fates) is not None:
                talked.unanswered = fates.unanswered - before.unanswered
                talked.lost_commits = fates.seen + fates.answered - before.seen - before.answered
            if isinstance(running, Cluster):
                talked.cut_off = running.stats.refusals[Kind.CONNECTION_LOST]
                talked.resent = running.stats.resent
                talked.anomalies += await self._online(running, uids)
        return talked

    async def _furnish(self, world: World, uids: Sequence[int]) -> None:
        """Install the tables, with the users. With groups everybody is everybody's friend."""
        await world.install("hardened")
        await add_users(world.admin, uids)
        pairs = permutations(uids, 2) if self.groups else ((uid, _other(uid)) for uid in uids)
        await insert(world.admin, "friend (self_id, friend_id)", [*pairs])

    async def _online(self, running: Cluster, uids: Sequence[int]) -> list[Anomaly]:
        """An anomaly for each user who is online although all have left, and their entries must have expired."""
        if not self.lapses:
            return []
        await asyncio.sleep(Limits.expiry)
        return [
            Anomaly("ghost", uid, f"user {uid} is online, and is gone")
            for uid in uids
            if await running.presence.find(uid)
        ]

    def _cluster(self, world: World, chance: Sequence[np.random.SeedSequence]) -> AbstractAsyncContextManager[Cluster]:
        return cluster(
            world,
            nodes=self.nodes,
            pool=_POOL,
            strategy=STRATEGIES["look_first"],
            retry=POLICIES["retry"],
            limits=Limits(),
            schema="hardened",
            rngs=[np.random.default_rng(each) for each in chance],
        )

    @asynccontextmanager
    async def _person(
        self,
        world: World,
        nodes: Nodes,
        uid: int,
        home: Path | None,
        *,
        chance: np.random.SeedSequence,
        changes: _Changes,
    ) -> AsyncIterator[Messenger]:
        messenger = Messenger(
            uid,
            nodes.login_for(uid, machine=f"client{uid}"),
            world.local_store(":memory:" if home is None else str(home / f"{uid}.db")),
            rng=np.random.default_rng(chance.spawn(1)[0]),
            timing=_TIMING,
            changed=lambda _: changes.notify(),
        )
        await messenger.open()
        try:
            yield messenger
        finally:
            await messenger.close()

    async def _talk(
        self,
        me: Messenger,
        writable: Sequence[int],
        rng: np.random.Generator,
        recorder: Recorder,
        sent: Callable[[Operation], None],
    ) -> None:
        for number in range(self.texts):
            await asyncio.sleep(rng.uniform(0, self.pause))
            content = f"{number} of {me.cache.uid}"
            thread_id = writable[int(rng.integers(len(writable))) if len(writable) > 1 else 0]

            async def send(_: object, thread_id: int = thread_id, content: str = content) -> dict[str, str]:
                return {"unique_id": (await me.send(thread_id, content)).unique_id}

            asked = {"thread_id": thread_id, "sender": me.cache.uid, "content": content}
            sent(await recorder.record("send", asked, send, turn=number, refusable=()))

    async def _change(
        self,
        me: Messenger,
        writable: Sequence[int],
        rng: np.random.Generator,
        recorder: Recorder,
        changed: Callable[[Operation], None],
    ) -> None:
        done: list[Operation] = []
        for _ in range(self.changes):
            await asyncio.sleep(rng.uniform(0, self.pause))
            done.append(await change_one(me, writable, rng, recorder, done))
            changed(done[-1])

    async def _break(self, world: World, nodes: Nodes, rng: np.random.Generator, talked: Talked) -> None:
        """Kill a server while a text is being stored: a moment after the next one was sent."""
        times = sorted(rng.uniform(0, self.texts * self.pause / 2, size=self.crashes))
        faults = [*self.faults]
        for number, (before, now) in enumerate(pairwise([0.0, *times])):
            await asyncio.sleep(now - before)
            so_far = len(talked.sent)
            while len(talked.sent) == so_far and so_far < 2 * self.pairs * self.texts:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK)
            await asyncio.sleep(rng.uniform(0, _STORING))
            await self._kill(faults[number % len(faults)], world, nodes, rng)
            talked.crashes += 1

    async def _kill(self, what: str, world: World, nodes: Nodes, rng: np.random.Generator) -> None:
        if what in ("database", "host"):
            await world.crash(self.down, host=what == "host")
        elif what == "redis":
            await world.crash_redis(self.down)
        else:
            await nodes.crash(int(rng.integers(self.nodes)), self.down)


def _other(uid: int) -> int:
    """The partner of a user: 1 and 2 talk to each other, 3 and 4, and so on."""
    return uid + 1 if uid % 2 else uid - 1


async def _threads(members: Mapping[int, Messenger], groups: Sequence[TalkedGroup]) -> dict[int, list[int]]:
    """Create the groups. Returns the threads in which each user writes at first."""
    for group in groups:
        await group.create(members)
    return {
        uid: [await member.chat_with(_other(uid)), *(each.thread_id for each in groups if each.is_writer(uid))]
        for uid, member in members.items()
    }


async def _is_ready(member: Messenger) -> bool:
    return member.status is Status.READY


async def _has_sent(member: Messenger) -> bool:
    return not await member.cache.pending()


async def _revisions(world: World) -> dict[int, int]:
    """The number of the last change of a message in each thread."""
    rows = (await world.admin.execute("SELECT id, last_revision FROM chat_thread")).rows
    return {int(str(thread)): int(str(number)) for thread, number in rows}


async def _has_all(members: Mapping[int, Messenger], talked: Talked, revisions: Mapping[int, int]) -> bool:
    """Whether each member has all texts of the thread, from the first readable one on, and all changes of them."""
    sizes = Counter(each.thread_id for each in talked.texts)
    threads = [thread for member in members.values() for thread in await member.cache.threads()]
    in_groups = len(talked.groups) * (len(members) - 1)  # one was removed
    return len(threads) == len(members) + in_groups and all(
        thread.floor == thread.first
        and thread.cursor == sizes[thread.thread_id]
        and thread.revision == revisions[thread.thread_id]
        for thread in threads
    )


async def _anomalies(world: World, members: Mapping[int, Messenger], talked: Talked) -> list[Anomaly]:
    rows = await world.admin.execute(
        "SELECT thread_id, seq, sender_id, unique_id, content, status FROM chat_message ORDER BY thread_id, seq"
    )
    stored = [
        SentText(int(str(row[0])), int(str(row[2])), str(row[3]), str(row[4]), int(str(row[5]))) for row in rows.rows
    ]
    threads = {uid: await member.cache.threads() for uid, member in members.items()}
    first = {(uid, thread.thread_id): thread.first for uid, own in threads.items() for thread in own}
    stores = {
        uid: {each.thread_id: await members[uid].cache.newest(each.thread_id, _MORE_THAN_ALL) for each in own}
        for uid, own in threads.items()
    }
    found = [*check_stored(talked.texts, stored), *check_stores(stores, stored, first)]
    for group in talked.groups:
        of_group = [each for each in stored if each.thread_id == group.thread_id]
        found += check_removed(group, await group.read(members[group.reader]), talked.sent, of_group, talked.changes)
    return found
