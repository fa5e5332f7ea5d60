"""The experiment on mixed loads: what does each kind of operation cost while the others go on, and is anything lost?

Each user has one device at a node, and makes the operations of the mix one after the other, each drawn by its weight.
Before the window every device has loaded everything; after it, each catches up once more, and tables, histories and
local stores are compared.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Never

import numpy as np

from chatsim.chat import schema as schemas
from chatsim.chat.creation import STRATEGIES, CreationStrategy, named
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.experiments.base import Experiment
from chatsim.experiments.blocking import watched
from chatsim.experiments.demand import CLIENT, LOADED_PER_S, OPERATION, Demand, row
from chatsim.experiments.load_shape import (
    DURATION,
    LoadShape,
    ramp_parameter,
    rate_parameter,
    think_time_parameter,
    warm_up_parameter,
)
from chatsim.experiments.mix.checks import ALL, Final, verdicts
from chatsim.experiments.mix.load import Load
from chatsim.experiments.mix.local_data import local_data
from chatsim.experiments.mix.population import Population
from chatsim.experiments.mix.user import CREATION, KINDS, TEXT, User, machine
from chatsim.experiments.parameters import (
    BadParameterError,
    Choice,
    Number,
    Objects,
    Weights,
    Whole,
    parameter,
    weights_of,
)
from chatsim.experiments.result import Result
from chatsim.experiments.together import side_by_side
from chatsim.experiments.variant import Variant
from chatsim.progress import Progress
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.world import Distance, World

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from tqdm.auto import tqdm

__all__ = ["Mix"]

_ANSWERED_PER_S = {"mysql": 1_000, "model": 3_000}
"""How many requests are answered in a second of the world's own time, if nobody pauses."""

_MODELLED_PER_S = 200
"""How many requests the model runs in a second."""

_DEVICE = 200_000
"""The memory of one user's device with its local store."""

_ROWS = 4
"""How many rows there are for a chat, without its messages."""


@dataclass(frozen=True, kw_only=True)
class Mix(Experiment):
    """Let many users create chats, send texts, turn pages and catch up in one run, as often as weights say."""

    name = "mix"
    title = "A mixed load"
    judged = ("strategy", "strategies")
    totals = ("operations", "failed")
    shown: ClassVar[Mapping[str, str]] = {
        "strategy": "strategy",
        "operation": "operation",
        "verdict": "verdict",
        "goodput_per_s": "ok/s",
        "p50_ms": "p50 ms",
        "p99_ms": "p99 ms",
        "failed": "failed",
        "operations": "operations",
        "p95_ms": "p95 ms",
        "deadlocks_per_op": "deadlocks/op",
        "retries_per_op": "retries/op",
        "statements_per_op": "statements/op",
    }

    operations: str | Mapping[str, float] = parameter(
        "creation=1,text=20,page=5,catchup=1",
        Weights(KINDS),
        "what users do, and how often, relative to each other: creation, in which both members of a pair ask for their"
        " chat at once; text; page, the next one of a list; catchup, which loads what a device has missed",
    )
    strategies: str | CreationStrategy | Iterable[str | CreationStrategy] = parameter(
        "look_first", Objects(STRATEGIES, named), "creation strategies; everything is run with each of them"
    )
    clients: int = parameter(100, Whole(2), "how many users, each with a device of its own")
    duration: float = parameter(10.0, DURATION, "how long is measured")
    warm_up: float = warm_up_parameter()
    ramp: float = ramp_parameter()
    think_time: float = think_time_parameter()
    rate: float | None = rate_parameter()
    threads: int = parameter(200, Whole(0), "how many private chats there are before")
    history: int = parameter(10, Whole(0), "messages of each thread that were there before")
    nodes: int = parameter(1, Whole(1), "how many chat servers")
    pool: int = parameter(10, Whole(1), "connections to the database for each chat server")
    rtt: float = parameter(0.0, Number(0, "ms", 60_000), "the round trip from the users to the chat servers")
    retry: str = parameter("retry", Choice(POLICIES), "what a chat server does when the database refuses a creation")
    schema: str = parameter(
        "hardened",
        Choice(schemas.names()),
        "which tables: the source's own, on which devices catch up by ids, or those with all constraints that"
        " correctness needs, on which they catch up by versions and numbers",
    )

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each kind of operation."""
        assert isinstance(self.operations, str)
        return weights_of(self.operations)

    @property
    def shape(self) -> LoadShape:
        """When users make requests."""
        return LoadShape(self.duration, self.warm_up, self.ramp, self.think_time / 1e3, self.rate)

    def check_together(self) -> None:
        """The chats must be possible, and everybody who writes must have one."""
        self.shape  # noqa: B018 - it refuses a ramp that never ends
        pairs, least = self.clients * (self.clients - 1) // 2, math.ceil(self.clients / 2)
        if self.threads > pairs:
            raise BadParameterError(f"threads is {self.threads:,}; {self.clients:,} clients have only {pairs:,} pairs")
        if self.threads < least and TEXT in self.weights:
            raise BadParameterError(
                f"threads is {self.threads:,}; with {self.clients:,} clients it must be at least {least:,}, so that"
                " everybody has a chat to write into"
            )

    def demand(self, world: str) -> Demand:
        """Memory for operations, devices and rows; time for the window, or in the model for the operations."""
        count = len(named(self.strategies))
        requests = count * self.shape.expected(self.clients, _ANSWERED_PER_S[world])
        rows = self.threads * (self.history + _ROWS)
        seconds = {f"{count * rows:,} rows before": count * rows // LOADED_PER_S}
        if world == "mysql":
            seconds["warm-up and window"] = count * math.ceil(self.shape.end)
        else:
            seconds[f"{requests:,} operations"] = requests // _MODELLED_PER_S
        return Demand(
            memory={
                f"{requests:,} operations": requests * (OPERATION + row(world)),
                f"{self.clients:,} clients": self.clients * (CLIENT + _DEVICE),
                f"{rows:,} rows before": rows * row(world),
            },
            seconds=seconds,
            connections=self.nodes * self.pool,
        )

    def setting(self) -> str:
        """The conditions in words."""
        loop = f"open loop at {self.rate:g}/s" if self.rate else "closed loop"
        parts = (
            ", ".join(each.name for each in named(self.strategies)),
            f"mix {self.operations}",
            loop,
            f"think time {self.think_time:g} ms" if self.think_time else "",
            f"{self.clients:,} clients",
            f"{self.duration:g} s measured",
            f"after {self.warm_up:g} s of warm-up" if self.warm_up else "",
            f"ramp of {self.ramp:g} s" if self.ramp else "",
            f"{self.threads:,} threads of {self.history:,} messages before",
            f"{self.nodes} node{'s' if self.nodes > 1 else ''} with {self.pool} connections each",
            f"rtt {self.rtt:g} ms" if self.rtt else "",
            f"tables {self.schema}",
            f"retry policy {self.retry}",
            f"seed {self.seed}",
        )
        return ", ".join(filter(None, parts))

    @staticmethod
    def draw(table: pd.DataFrame, caption: str) -> Figure:
        """Compare the kinds of operations: goodput, latency and verdict."""
        from chatsim import figures

        return figures.mix(table, caption=caption)

    async def measure(self, world: World, result: Result, progress: Progress) -> None:
        """Run the mix with every strategy."""
        with progress.bar(len(named(self.strategies)) * math.ceil(self.shape.end), "s") as bar:
            for strategy in named(self.strategies):
                bar.set_description(strategy.name)
                result.add(*await self._run(world, strategy, bar))

    async def _run(self, world: World, strategy: CreationStrategy, bar: tqdm[Never]) -> list[Variant]:
        population = Population(self.clients, self.threads, self.history)
        await population.load(world, self.schema)
        await world.deadlock()  # an earlier deadlock does not belong to this run
        seeds = np.random.SeedSequence(self.seed).spawn(2 * self.clients + self.nodes)
        rngs = [np.random.default_rng(each) for each in seeds]
        async with self._users(world, strategy, population, rngs) as (nodes, users):
            load = Load(self.shape, self.weights, world, nodes, users, rngs[-self.clients :])
            await load.drive(bar)
            stuck = {each.uid: why for each in users if (why := await each.catch_up_last())}
            kept = {each.uid: await each.messages() for each in users}
        final = await Final.read(world.admin, kept, stuck)
        found = verdicts(load.operations, load.asked, population, final)
        deadlock = await world.deadlock()
        return [
            Variant(
                key={"strategy": strategy.name, "operation": kind},
                measures=load.measures(kind),
                verdict=verdict,
                operations=load.operations.get(kind, ()),  # those of all together are in the other rows
                window_s=self.duration,
                deadlock=deadlock if kind in (CREATION, ALL) else None,
            )
            for kind, verdict in found.items()
        ]

    @asynccontextmanager
    async def _users(
        self, world: World, strategy: CreationStrategy, population: Population, rngs: Sequence[np.random.Generator]
    ) -> AsyncIterator[tuple[Cluster, list[User]]]:
        world.reserve(self.clients)
        distance = Distance(self.rtt / 1e3)
        if self.rtt:
            for number in range(self.clients):
                world.place(machine(number), distance)
        through = cluster(
            world,
            nodes=self.nodes,
            pool=self.pool,
            strategy=replace(strategy, create=watched(strategy.name, strategy.create)),
            retry=POLICIES[self.retry],
            # the experiment decides about rates and pairs
            limits=Limits(rate=math.inf, user_leases=math.inf, strangers=True, looks_up_users=False),
            schema=self.schema,
            rngs=rngs[self.clients : -self.clients],
        )
        async with through as nodes, AsyncExitStack() as stack:
            users = []
            for number, rng in zip(range(self.clients), rngs, strict=False):
                store = world.local_store(":memory:")
                stack.push_async_callback(store.close)
                user = User(number, nodes, population, local_data(store, number + 1, self.schema), rng)
                stack.push_async_callback(user.leave)
                users.append(user)
            await side_by_side(each.enter() for each in users)
            yield nodes, users
