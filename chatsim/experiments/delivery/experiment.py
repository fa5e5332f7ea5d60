"""How soon a text is with whom it is for: sent, acknowledged, pushed, read; on one node and across nodes."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Never, TypeVar

from chatsim.chat.client.connection import Client
from chatsim.chat.client.messenger import LogIn
from chatsim.chat.client.outbox import unique_id
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.protocol import (
    Message,
    OutgoingText,
    ReadNotice,
    ReadReply,
    ReadRequest,
    TextReply,
    TextRequest,
    TextsNotice,
)
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.experiments.creation.experiment import BadParameterError
from chatsim.experiments.report import Report
from chatsim.experiments.result import describe_machine, percentile
from chatsim.worlds.cluster import cluster
from chatsim.worlds.loading import add_users
from chatsim.worlds.world import Sharing, World

if TYPE_CHECKING:
    import numpy as np
    from tqdm.auto import tqdm

__all__ = ["HOPS", "PATHS", "PEERS", "PRESENCE", "Delivery", "Hops", "converse"]

PATHS = ("same", "across")
"""Author and reader on one node; or on two."""

HOPS = {
    "acknowledged": "from sending until the author knows that it is stored",
    "pushed": "from sending until the reader's device is told",
    "read": "from saying that it is read until the author is told",
}
"""What is timed of each text."""

PRESENCE = ("process", "redis")
PEERS = ("process", "grpc")

_SHOWN = {
    "path": "path",
    "presence": "presence",
    "peers": "peers",
    "hop": "hop",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "per_s": "texts/s",
    "lost": "lost",
}
_WARM_UP_TEXTS = 5
_LOST_AFTER = 10.0  # seconds; a peer is given up after five

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hops:
    """What became of a text: the seconds that each hop took; None where nobody was told."""

    acknowledged: float
    pushed: float | None
    read: float | None


@dataclass(frozen=True)
class Delivery:
    """The parameters of an experiment.

    Attributes:
        nodes: how many chat servers.
        pairs: how many people talk to one other, at once; each has a device of its own on a machine of its own.
        texts: how many each author sends, one after the other: the next when the last has been read.
        paths: names in `PATHS`; one node has no ``across``.
        presence: where it is kept, ``process`` or ``redis``, or several.
        peers: how nodes reach each other, ``process`` or ``grpc``, or several.
        pool: connections to the database, for each node.
        seed: of everything that is drawn.

    Raises:
        BadParameterError: a value is not allowed.
    """

    nodes: int = 2
    pairs: int = 8
    texts: int = 100
    paths: str | Iterable[str] = PATHS
    presence: str | Iterable[str] = PRESENCE
    peers: str | Iterable[str] = PEERS
    pool: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        for name, known in (("paths", PATHS), ("presence", PRESENCE), ("peers", PEERS)):
            given = getattr(self, name)
            values = tuple(dict.fromkeys(given.split(",") if isinstance(given, str) else given))
            object.__setattr__(self, name, values)
            if not values:
                raise BadParameterError(f"{name} is empty; there are: {', '.join(known)}")
            for value in values:
                if value not in known:
                    raise BadParameterError(f"unknown {name} {value!r}; there are: {', '.join(known)}")
        for name, least in (("nodes", 1), ("pairs", 1), ("texts", 1), ("pool", 1), ("seed", 0)):
            if not (value := getattr(self, name)) >= least:
                raise BadParameterError(f"{name} is {value}; it must be at least {least}")
        if self.nodes == 1 and "across" in self.paths:
            raise BadParameterError("the path 'across' needs two nodes")

    def config(self, world: str) -> dict[str, object]:
        """The parameters as plain values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {"experiment": "delivery", "world": world} | plain

    def report(self, world: str) -> Report:
        """An empty report."""
        from chatsim import figures

        return Report(self.config(world), _SHOWN, figures.delivery)

    async def run(self, world: World, report: Report, *, progress: bool = True) -> None:
        """Measure every path with every way of sharing, adding rows to ``report`` as they are measured.

        Raises:
            WorldError: the world can't do it.
        """
        from tqdm.auto import tqdm

        report.environment |= describe_machine() | dict(world.environment)
        ways = [Sharing(*way) for way in itertools.product(self.presence, self.peers)]
        silent = not progress or "TQDM_DISABLE" in os.environ  # tqdm looks there only if it is not told
        total = len(ways) * len(list(self.paths)) * self.pairs * self.texts
        with tqdm(total=total, unit="text", leave=False, disable=silent) as bar:
            for sharing in ways:
                bar.set_description(f"presence {sharing.registry}, peers {sharing.peers}")
                await self._share(world, sharing, report, bar)

    async def _share(self, world: World, sharing: Sharing, report: Report, bar: tqdm[Never]) -> None:
        import numpy as np

        async with self.house(world, sharing) as door:
            rng = np.random.default_rng(self.seed)
            for path in self.paths:
                window, hops = await converse(self, path, door, rng, bar)
                report.rows += self.rows(world.name, path, sharing, window, hops)

    @asynccontextmanager
    async def house(self, world: World, sharing: Sharing) -> AsyncIterator[Callable[[int, int], LogIn]]:
        """Nodes that run, their users there; gives how a device of a user enters at a node, by its number."""
        import numpy as np

        await world.install("hardened")
        await add_users(world.admin, range(1, 2 * self.pairs + 1))
        world.reserve(2 * self.pairs)
        seeds = np.random.SeedSequence(self.seed).spawn(self.nodes)
        async with cluster(
            world,
            nodes=self.nodes,
            pool=self.pool,
            strategy=STRATEGIES["look_first"],
            retry=POLICIES["retry"],
            limits=Limits(rate=math.inf, strangers=True),
            schema="hardened",
            rngs=[np.random.default_rng(seed) for seed in seeds],
            sharing=sharing,
        ) as there:
            yield lambda uid, node: there.login_for(uid, there.nodes[node].address, machine=f"client{uid}")

    def rows(
        self, world: str, path: str, sharing: Sharing, window: float, hops: Sequence[Hops]
    ) -> list[dict[str, object]]:
        """A row for each hop, of what was seen in a window of so many seconds; latencies in ms."""
        import numpy as np

        rows = []
        for hop in HOPS:
            times = np.array([took * 1e3 for each in hops if (took := getattr(each, hop)) is not None])
            rows.append(
                {
                    "path": path,
                    "presence": sharing.registry,
                    "peers": sharing.peers,
                    "hop": hop,
                    "world": world,
                    **{name: getattr(self, name) for name in ("nodes", "pairs", "texts", "seed")},
                    **{f"p{q}_ms": percentile(times, q) for q in (50, 95, 99)},
                    "per_s": len(hops) / window,
                    "lost": len(hops) - len(times),
                }
            )
        return rows


async def converse(
    parameters: Delivery,
    path: str,
    door: Callable[[int, int], LogIn],
    rng: np.random.Generator,
    bar: tqdm[Never],
) -> tuple[float, list[Hops]]:
    """Let all pairs talk at once; returns how long that took, in seconds, and what became of each text.

    Args:
        parameters: how many, on how many nodes.
        path: a name in `PATHS`.
        door: how a device of a user enters at a node, by its number.
        rng: names the texts; a name that was there before would be a text sent again.
        bar: is told of each text.
    """
    from tqdm.auto import tqdm

    async with AsyncExitStack() as stack:
        conversations = []
        for number in range(parameters.pairs):
            author, reader = (_Device(2 * number + each) for each in (1, 2))
            home = number % parameters.nodes
            away = (home + 1) % parameters.nodes if path == "across" else home
            for device, node in ((author, home), (reader, away)):
                await device.enter(door(device.uid, node))
                stack.push_async_callback(device.client.close)
            thread = await author.client.create_private_chat(reader.uid)
            conversations.append(_Conversation(thread, author, reader, rng))
        with tqdm(disable=True) as unseen:
            await asyncio.gather(*(each.talk(_WARM_UP_TEXTS, unseen) for each in conversations))
        clock = asyncio.get_running_loop().time
        begun = clock()
        said = await asyncio.gather(*(each.talk(parameters.texts, bar) for each in conversations))
        return clock() - begun, [hops for each in said for hops in each]


class _Device:
    """A device of a user, which notes when it hears of what it expects."""

    client: Client

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self._expected: dict[object, asyncio.Future[tuple[float, Message]]] = {}

    async def enter(self, enter: LogIn) -> None:
        self.client, _ = await enter(self._hear)

    def expect(self, what: object) -> asyncio.Future[tuple[float, Message]]:
        """When a text of that name, or that one is read up to that number, is heard, and how."""
        future: asyncio.Future[tuple[float, Message]] = asyncio.get_running_loop().create_future()
        self._expected[what] = future
        return future

    def _hear(self, notice: Message) -> None:
        now = asyncio.get_running_loop().time()
        heard: list[object] = []
        if isinstance(notice, TextsNotice):
            heard = [text.unique_id for text in notice.texts]
        elif isinstance(notice, ReadNotice):
            heard = [(notice.uid, notice.seq)]
        for what in heard:
            if (future := self._expected.pop(what, None)) is not None:
                future.set_result((now, notice))


@dataclass(frozen=True)
class _Conversation:
    thread: int
    author: _Device
    reader: _Device
    rng: np.random.Generator

    async def talk(self, texts: int, bar: tqdm[Never]) -> list[Hops]:
        said = []
        for _ in range(texts):
            said.append(await self._say(unique_id(self.rng)))
            bar.update()
        return said

    async def _say(self, name: str) -> Hops:
        clock = asyncio.get_running_loop().time
        told = self.reader.expect(name)
        sent = clock()
        text = (OutgoingText("a text of thirty-two characters.", name),)
        await self.author.client.request(TextRequest(self.author.uid, self.reader.uid, self.thread, text), TextReply)
        acknowledged = clock() - sent
        heard = await _in_time(told)
        if heard is None:
            return Hops(acknowledged, None, None)
        at, notice = heard
        assert isinstance(notice, TextsNotice)
        seq = notice.texts[-1].seq
        noticed = self.author.expect((self.reader.uid, seq))
        looked = clock()
        await self.reader.client.request(ReadRequest(self.thread, seq), ReadReply)
        known = await _in_time(noticed)
        return Hops(acknowledged, at - sent, known and known[0] - looked)


async def _in_time(heard: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(_LOST_AFTER):
            return await heard
    except TimeoutError:
        return None
