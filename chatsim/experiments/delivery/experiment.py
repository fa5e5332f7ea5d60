"""The experiment on delivery: how soon a text is acknowledged, pushed and read, on one node and across nodes.

With ``group``, authors write into one group at once, and its members are told (`chatsim.experiments.delivery.groups`).
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Never

import numpy as np

from chatsim.chat.client.messenger import LogIn
from chatsim.chat.client.outbox import unique_id
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.protocol import OutgoingText, ReadReply, ReadRequest, TextReply, TextRequest, TextsNotice
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.store.texts import Texts
from chatsim.experiments.base import Experiment
from chatsim.experiments.checks import Anomaly, judge
from chatsim.experiments.delivery.devices import LOST_AFTER, TEXT, Device, check_pushed, in_time
from chatsim.experiments.delivery.groups import FAN_OUTS, GROUP_HOPS, talk_in_group
from chatsim.experiments.demand import CLIENT, OPERATION, Demand, row
from chatsim.experiments.history import Operation, Outcome, Recorder
from chatsim.experiments.parameters import BadParameterError, Choices, Numbers, When, Whole, parameter
from chatsim.experiments.result import Result
from chatsim.experiments.statistics import percentile
from chatsim.experiments.variant import Variant
from chatsim.progress import Progress
from chatsim.worlds.cluster import cluster
from chatsim.worlds.loading import add_users
from chatsim.worlds.world import Sharing, World

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from tqdm.auto import tqdm

__all__ = ["HOPS", "PATHS", "PEERS", "PRESENCE", "Delivery", "check_pushed", "converse"]

PATHS = ("same", "across")
"""The paths: author and reader on the same node, or on two nodes."""

HOPS = {
    "acknowledged": "from sending until the author knows that it is stored",
    "pushed": "from sending until the reader's device is told",
    "read": "from saying that it is read until the author is told",
}
"""The hops of a text that are timed."""

PRESENCE = ("process", "redis")
PEERS = ("process", "grpc")

_WARM_UP_TEXTS = 5
_WITH_GROUPS = When("group", lambda size: size > 0, "with a group")
_PER_S = 200  # texts


@dataclass(frozen=True, kw_only=True)
class Delivery(Experiment):
    """Time what becomes of texts: acknowledged, pushed, read; on one server and across two."""

    name = "delivery"
    title = "Delivering texts"
    judged = ("path", "paths")
    totals = ("lost",)
    shown: ClassVar[Mapping[str, str]] = {
        "path": "path",
        "presence": "presence",
        "peers": "peers",
        "hop": "hop",
        "verdict": "verdict",
        "p50_ms": "p50 ms",
        "p99_ms": "p99 ms",
        "lost": "lost",
        "per_s": "texts/s",
        "p95_ms": "p95 ms",
    }

    nodes: int = parameter(2, Whole(1), "how many chat servers")
    pairs: int = parameter(8, Whole(1), "how many authors, each with a reader, talk at once")
    texts: int = parameter(100, Whole(1), "how many each author sends, the next when the last has been read")
    paths: str | Iterable[str] = parameter("all", Choices(PATHS), "author and reader on one server, or on two")
    presence: str | Iterable[str] = parameter(
        "all", Choices(PRESENCE), "where servers keep who is where: in their process, or in a Redis"
    )
    peers: str | Iterable[str] = parameter(
        "all", Choices(PEERS), "how servers reach each other: by calls within their process, or by gRPC"
    )
    group: int | Iterable[int] = parameter(
        0,
        Numbers(Whole(0)),
        "how many members a group has into which the authors write, instead of the pairs; 0: pairs",
    )
    fan_out: str | Iterable[str] = parameter(
        "all",
        Choices(tuple(FAN_OUTS)),
        "whether a text is noted for each member when it is written, or members look in all groups when they ask",
        _WITH_GROUPS,
    )
    online: int = parameter(
        20,
        Whole(0),
        "how many members of a group are online, beside the authors, and are told of each text",
        _WITH_GROUPS,
    )
    quiet_groups: int = parameter(
        100, Whole(0), "how many quiet groups a member who was away has as well", _WITH_GROUPS
    )
    pool: int = parameter(5, Whole(1), "connections to the database for each chat server")

    def check_together(self) -> None:
        """With one node there is no path across."""
        if self.nodes == 1 and "across" in self.paths and 0 in self._sizes:
            raise BadParameterError("the path 'across' needs two nodes")

    @staticmethod
    def draw(table: pd.DataFrame, caption: str) -> Figure:
        """The latencies of each hop, by path and way of sharing."""
        from chatsim import figures

        return figures.delivery(table, caption=caption)

    def demand(self, world: str) -> Demand:
        """Memory for texts, authors and readers; connections for the nodes' pools."""
        sizes = [each for each in self._sizes if each]
        ways = len(list(self.presence)) * len(list(self.peers))
        rounds = ways * (len(list(self.paths)) * (len(self._sizes) - len(sizes)) + len(sizes) * len(list(self.fan_out)))
        texts, people = rounds * self.pairs * self.texts, max([2 * self.pairs, *sizes])
        return Demand(
            memory={f"{texts:,} texts": texts * (OPERATION + row(world)), f"{people:,} people": people * CLIENT},
            seconds={f"{texts:,} texts": texts // _PER_S},
            connections=self.nodes * self.pool,
        )

    @property
    def _sizes(self) -> tuple[int, ...]:
        assert isinstance(self.group, tuple)
        return self.group

    async def measure(self, world: World, result: Result, progress: Progress) -> None:
        """Measure every path, or every size of a group, with every way of sharing."""
        for sharing in (Sharing(*each) for each in itertools.product(self.presence, self.peers)):
            for size in self._sizes:
                await (
                    self._in_group(world, sharing, size, result, progress)
                    if size
                    else self._in_pairs(world, sharing, result, progress)
                )

    async def _in_pairs(self, world: World, sharing: Sharing, result: Result, progress: Progress) -> None:
        with progress.bar(len(list(self.paths)) * self.pairs * self.texts, "text") as bar:
            bar.set_description(f"presence {sharing.registry}, peers {sharing.peers}")
            async with self.nodes_running(world, sharing, 2 * self.pairs) as door:
                rng = np.random.default_rng(self.seed)
                for path in self.paths:
                    window, history, wrong = await converse(self, path, door, rng, bar)
                    key = {"path": path, "presence": sharing.registry, "peers": sharing.peers}
                    for hop in HOPS:
                        result.add(self.variant(key, hop, window, history, wrong if hop == "pushed" else ()))

    async def _in_group(self, world: World, sharing: Sharing, size: int, result: Result, progress: Progress) -> None:
        with progress.bar(len(list(self.fan_out)) * min(self.pairs, size) * self.texts, "text") as bar:
            bar.set_description(f"a group of {size:,}, presence {sharing.registry}, peers {sharing.peers}")
            for way in self.fan_out:
                async with self.nodes_running(world, sharing, size, FAN_OUTS[way].texts) as door:
                    rng = np.random.default_rng(self.seed)
                    window, history, wrong = await talk_in_group(self, size, way, world, door=door, rng=rng, bar=bar)
                key = {"path": f"a group of {size:,}, on {way}", "presence": sharing.registry, "peers": sharing.peers}
                for hop in GROUP_HOPS:
                    result.add(self.variant(key, hop, window, history, wrong if hop == "pushed" else ()))

    @staticmethod
    def variant(
        key: Mapping[str, object],
        hop: str,
        window: float,
        history: Sequence[Operation],
        wrong: Sequence[Anomaly] = (),
    ) -> Variant:
        """One hop of the texts that were sent in a window of so many seconds; latencies in ms. ``wrong`` is unsafe."""
        times = np.array([each.value[hop] * 1e3 for each in history if hop in each.value])
        late = f"not {hop} within {LOST_AFTER:g} s"  # it is stored, and there at the reader's next catch-up
        seen = [each if hop in each.value else replace(each, outcome=Outcome.FAIL, reason=late) for each in history]
        verdict = judge(seen, wrong, safe=f"all {len(history):,} texts were {hop}", refused="texts were late")
        return Variant(
            key={**key, "hop": hop},
            measures={
                **{f"p{q}_ms": percentile(times, q) for q in (50, 95, 99)},
                "per_s": len(history) / window,
                "lost": len(history) - len(times),
            },
            verdict=verdict,
            operations=history if hop == "acknowledged" else (),
            window_s=window,
        )

    @asynccontextmanager
    async def nodes_running(
        self, world: World, sharing: Sharing, people: int, texts: Texts | None = None
    ) -> AsyncIterator[Callable[[int, int], LogIn]]:
        """Run nodes with their users. Yields a function that makes the login of a user's device at a node.

        Args:
            world: the world.
            sharing: how the nodes share presence and call each other.
            people: the number of users.
            texts: how nodes store messages; None is the default.
        """
        await world.install("hardened")
        await add_users(world.admin, range(1, people + 1))
        world.reserve(people)
        seeds = np.random.SeedSequence(self.seed).spawn(self.nodes)
        async with cluster(
            world,
            nodes=self.nodes,
            pool=self.pool,
            strategy=STRATEGIES["look_first"],
            retry=POLICIES["retry"],
            limits=Limits(
                rate=math.inf,
                user_leases=math.inf,
                strangers=True,
                group_members=max([*self._sizes, Limits.group_members]),
            ),
            schema="hardened",
            rngs=[np.random.default_rng(seed) for seed in seeds],
            sharing=sharing,
            texts=texts,
        ) as there:
            yield lambda uid, node: there.login_for(uid, there.nodes[node].address, machine=f"client{uid}")


async def converse(
    parameters: Delivery,
    path: str,
    door: Callable[[int, int], LogIn],
    rng: np.random.Generator,
    bar: tqdm[Never],
) -> tuple[float, list[Operation], list[Anomaly]]:
    """Let all pairs talk at once. Returns the time that this took, in seconds, the sent texts, and what is wrong.

    The value of each text has the seconds of each hop, by its name in `HOPS`, if it happened in time.

    Args:
        parameters: the parameters of the experiment.
        path: a name in `PATHS`.
        door: makes the login of a user's device at a node, given both numbers.
        rng: makes unique ids. A unique id that was used before would be a text that is sent again.
        bar: is updated for each text.
    """
    async with AsyncExitStack() as stack:
        conversations = []
        for number in range(parameters.pairs):
            author, reader = (Device(2 * number + each) for each in (1, 2))
            home = number % parameters.nodes
            away = (home + 1) % parameters.nodes if path == "across" else home
            for device, node in ((author, home), (reader, away)):
                await device.enter(door(device.uid, node))
                stack.push_async_callback(device.client.close)
            thread = await author.client.create_private_chat(reader.uid)
            conversations.append(_Conversation(number, thread, author, reader, rng))
        clock = asyncio.get_running_loop().time
        before = await asyncio.gather(*(each.talk(_WARM_UP_TEXTS, clock()) for each in conversations))
        begun = clock()
        histories = await asyncio.gather(*(each.talk(parameters.texts, begun, bar) for each in conversations))
        took = clock() - begun
        wrong = [
            anomaly
            for each, first, then in zip(conversations, before, histories, strict=True)
            for anomaly in check_pushed([*first, *then], each.author.uid, each.reader.heard)
        ]
        return took, [sent for history in histories for sent in history], wrong


@dataclass(frozen=True)
class _Conversation:
    number: int
    thread: int
    author: Device
    reader: Device
    rng: np.random.Generator

    async def talk(self, texts: int, begun: float, bar: tqdm[Never] | None = None) -> list[Operation]:
        recorder = Recorder(self.number, begun)
        history = []
        for turn in range(texts):
            name = unique_id(self.rng)
            asked = {"thread": self.thread, "unique_id": name}
            history.append(await recorder.record("send", asked, partial(self._send, name), turn=turn, refusable=()))
            if bar is not None:
                bar.update()
        return history

    async def _send(self, name: str, _: object) -> dict[str, float]:
        """Send a text, and let it be read. Returns the seconds of each hop."""
        clock = asyncio.get_running_loop().time
        pushed = self.reader.expect(name)
        sent = clock()
        text = (OutgoingText(TEXT, name),)
        await self.author.client.request(TextRequest(self.author.uid, self.reader.uid, self.thread, text), TextReply)
        took = {"acknowledged": clock() - sent}
        arrived = await in_time(pushed)
        if arrived is None:
            return took
        at, notice = arrived
        assert isinstance(notice, TextsNotice)
        took["pushed"] = at - sent
        seq = notice.texts[-1].seq
        noticed = self.author.expect((self.reader.uid, seq))
        marked = clock()
        await self.reader.client.request(ReadRequest(self.thread, seq), ReadReply)
        known = await in_time(noticed)
        return took if known is None else took | {"read": known[0] - marked}
