"""The race: many callers create private chats at once. Which strategy gives each pair one thread, at what price?"""

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
from chatsim.db.session import Session
from chatsim.experiments.base import Experiment
from chatsim.experiments.blocking import watched
from chatsim.experiments.creation import workload
from chatsim.experiments.creation.callers import DEADLINE, Caller, StackCaller, StoreCaller, devices
from chatsim.experiments.creation.heat import Heat
from chatsim.experiments.creation.workload import Workload
from chatsim.experiments.demand import CLIENT, LOADED_PER_S, OPERATION, Demand, row
from chatsim.experiments.load_shape import (
    DURATION,
    LoadShape,
    rate_parameter,
    think_time_parameter,
    warm_up_parameter,
)
from chatsim.experiments.parameters import (
    BadParameterError,
    Choice,
    Choices,
    Number,
    Objects,
    When,
    Whole,
    parameter,
)
from chatsim.experiments.result import Result
from chatsim.experiments.together import side_by_side
from chatsim.experiments.variant import Variant
from chatsim.garbage_collection import passed_over
from chatsim.progress import Progress
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import World

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from tqdm.auto import tqdm

__all__ = ["LAYERS", "Race"]

LAYERS = ("store", "stack")
"""The layers: callers straight on the database; or clients, wire and nodes in front of it."""

_ROUNDS = 100
_WARM_UP_ROUNDS = 20

_PER_S = {"store": 500, "stack": 200}
"""How many requests are answered in a second, by layer."""

_MOST_PER_S = {"store": 5_000, "stack": 2_000}
"""How many requests in a second are drawn for a run by duration, by layer, if each follows the last answer."""

_PAIR = 200
"""The memory of one pair that is drawn."""

_WITH_ROUNDS = When("duration", lambda duration: duration is None, "with a number of rounds")
_WITH_NODES = When("layer", lambda layer: layer == "stack", "with the layer stack")
_WITH_SHARED_PAIRS = When("pattern", lambda each: each != "strangers", "with other patterns than strangers", "pattern")


@dataclass(frozen=True, kw_only=True)
class Race(Experiment):
    """Let many callers create private chats at once, once with every strategy under every pattern."""

    name = "race"
    title = "Creating private chats"
    judged = ("strategy", "strategies")
    circumstances = ("pattern",)
    totals = ("operations", "failed", "duplicate_pairs", "orphan_threads")
    shown: ClassVar[Mapping[str, str]] = {
        "strategy": "strategy",
        "pattern": "pattern",
        "verdict": "verdict",
        "goodput_per_s": "ok/s",
        "p50_ms": "p50 ms",
        "deadlocks_per_op": "deadlocks/op",
        "retries_per_op": "retries/op",
        "p99_ms": "p99 ms",
        "duplicate_pairs": "duplicates",
        "orphan_threads": "orphans",
        "p95_ms": "p95 ms",
    }

    strategies: str | CreationStrategy | Iterable[str | CreationStrategy] = parameter(
        "all", Objects(STRATEGIES, named), "creation strategies, by name or as made by `creation_strategy`"
    )
    pattern: str | Iterable[str] = parameter("same_pair", Choices(workload.PATTERNS), "who asks for which pair")
    layer: str = parameter(
        "store", Choice(LAYERS), "callers straight on the database; or clients, wire and chat servers before it"
    )
    clients: int = parameter(16, Whole(1), "how many callers, each with a connection, or devices, of its own")
    rounds: int | None = parameter(
        None, Whole(1), f"how many requests each caller makes; {_ROUNDS} if neither this nor duration is given"
    )
    duration: float | None = parameter(None, DURATION, "how long is measured, instead of a number of rounds")
    warm_up: float = warm_up_parameter(When("duration", lambda duration: duration is not None, "with a duration"))
    warm_up_rounds: int = parameter(
        0,
        Whole(0),
        "how many requests each caller makes before those of the rounds; they are not measured",
        _WITH_ROUNDS,
    )
    pairs: int = parameter(
        1, Whole(1), "new pairs per round; the pattern strangers has one for each request", _WITH_SHARED_PAIRS
    )
    existing: int = parameter(0, Whole(0), "how many random pairs have a thread before")
    ids: str = parameter("random", Choice(workload.IDS), "how the ids of the pairs asked for are distributed")
    retry: str = parameter(
        "retry", Choice(POLICIES), "what a refused caller does: nothing; try 20 times after 1 to 20 ms; try on at once"
    )
    schema: str = parameter(
        "source",
        Choice(schemas.names()),
        "which tables: the source's own, or those with all constraints that correctness needs",
    )
    nodes: int = parameter(1, Whole(1), "how many chat servers, with the layer stack", _WITH_NODES)
    pool: int | None = parameter(
        None,
        Whole(1),
        "connections to the database for each chat server, with the layer stack; if not given, as many as clients,"
        " shared evenly",
        _WITH_NODES,
    )
    rate: float | None = rate_parameter()
    think_time: float = think_time_parameter()
    deadline: float = parameter(
        DEADLINE,
        Number(0.001, "seconds", 86_400),
        "how long a request may take; one that takes longer is an error, and ends the run of its strategy",
    )

    def __post_init__(self) -> None:
        if self.rounds is None and self.duration is None:
            object.__setattr__(self, "rounds", _ROUNDS)
        super().__post_init__()

    def check_together(self) -> None:
        """It ends after so many rounds, or after some time."""
        if self.rounds is not None and self.duration is not None:
            raise BadParameterError(f"rounds is {self.rounds:,} and duration is {self.duration:g}; give one of them")
        if self.warm_up_rounds and self.rate is not None:
            raise BadParameterError(
                f"warm_up_rounds is {self.warm_up_rounds:,}, which needs a closed loop; give no rate"
            )

    @property
    def shape(self) -> LoadShape:
        """When callers make requests; without an end, if it ends after so many rounds."""
        duration = math.inf if self.duration is None else self.duration
        return LoadShape(duration, self.warm_up, 0.0, self.think_time / 1e3, self.rate)

    @property
    def drawn_rounds(self) -> int:
        """How many requests are drawn for each caller."""
        if self.rounds is not None:
            return self.warm_up_rounds + self.rounds
        each = self.shape.expected(self.clients, _MOST_PER_S[self.layer]) / self.clients
        return math.ceil(each + 6 * math.sqrt(each)) + 10  # arrivals and pauses are drawn: few callers have more

    @property
    def chosen(self) -> list[CreationStrategy]:
        """The strategies."""
        return named(self.strategies)

    @property
    def pool_size(self) -> int:
        """The number of connections of each node."""
        # a pair's two members take turns on an even number of nodes: see `callers.devices`
        return self.pool or -(-self.clients // max(1, self.nodes - self.nodes % 2))

    def demand(self, world: str) -> Demand:
        """Memory for operations, callers and pairs; a connection for each caller, or each node's pools."""
        heats, requests, stack = (
            len(self.chosen) * len(list(self.pattern)),
            self.clients * self.drawn_rounds,
            self.layer == "stack",
        )
        # through the stack, a caller has a device for each user that it asks for
        devices = requests if stack else self.clients
        seconds = {
            f"{heats * requests:,} operations": heats * requests // _PER_S[self.layer],
            f"{self.existing:,} rows before": heats * self.existing // LOADED_PER_S,
        }
        if self.rate and world == "mysql":  # in the model, nobody waits for the time to pass
            seconds[f"{self.rate:g} requests a second"] = heats * requests * 1_000 // int(self.rate * 1_000)
        return Demand(
            memory={
                f"{heats * requests:,} operations": heats * requests * OPERATION,
                f"{devices:,} {'devices' if stack else 'clients'}": devices * CLIENT,
                f"{self.pairs * self.drawn_rounds:,} pairs": self.pairs * self.drawn_rounds * _PAIR,
                f"{self.existing:,} rows before": self.existing * row(world),
            },
            seconds=seconds,
            connections=self.nodes * self.pool_size if stack else self.clients,
        )

    def config(self) -> dict[str, object]:
        """The parameters as plain values, with the pool that is used."""
        return super().config() | {"pool": self.pool_size if self.layer == "stack" else None}

    def setting(self) -> str:
        """The conditions in words."""
        nodes = f", {self.nodes} nodes with {self.pool_size} connections each" if self.layer == "stack" else ""
        loop = f"open loop at {self.rate:,}/s" if self.rate else "closed loop"
        pairs = f"{self.pairs} pairs per round, " if self.pairs > 1 else ""
        tables = f"tables {self.schema}, " if self.schema != "source" else ""
        return (
            f"layer {self.layer}{nodes}, {loop}, {self.clients} clients, {self._length()}, {pairs}{tables}"
            f"{self.existing} rows before, {self.ids} ids, retry policy {self.retry}, seed {self.seed}"
        )

    def _length(self) -> str:
        """How long it is, in words."""
        think = f"think time {self.think_time:g} ms, " if self.think_time else ""
        if self.duration is None:
            warm_up = f" after {self.warm_up_rounds} of warm-up" if self.warm_up_rounds else ""
            return f"{think}{self.rounds} rounds{warm_up}"
        warm_up = f" after {self.warm_up:g} s of warm-up" if self.warm_up else ""
        return f"{think}{self.duration:g} s measured{warm_up}"

    @staticmethod
    def draw(table: pd.DataFrame, caption: str) -> Figure:
        """Compare the strategies: goodput, latency and verdict."""
        from chatsim import figures

        return figures.strategies(table, caption=caption)

    async def measure(self, world: World, result: Result, progress: Progress) -> None:
        """Run every strategy under every pattern."""
        plan = [(strategy, pattern) for pattern in self.pattern for strategy in self.chosen]
        place = {(strategy.name, pattern): number for number, (strategy, pattern) in enumerate(plan)}
        # in a random order, so that a machine that slows down is no disadvantage for the last one of the list
        order = np.random.default_rng(self.seed).permutation(len(plan))
        if any(strategy.uses_locks for strategy, _ in plan):
            await world.locks(self.clients)
        with progress.bar(len(plan) * self.clients * self.drawn_rounds, "op") as bar:
            if world.warms_up and not result.variants:
                await self._warm_up(world, progress)
            for strategy, pattern in (plan[number] for number in order):
                bar.set_description(f"{pattern}: {strategy.name}")
                result.add(await self._variant(world, strategy, pattern, bar))
                result.variants.sort(key=lambda each: place[str(each.key["strategy"]), str(each.key["pattern"])])

    async def _warm_up(self, world: World, progress: Progress) -> None:
        """A short run without a result, so that the first strategy does not pay for empty caches."""
        (strategy,) = named("one_round_trip")
        rounds = min(self.drawn_rounds, _WARM_UP_ROUNDS)
        closed = replace(self, existing=0, retry="retry", rate=None, think_time=0.0)
        short = replace(closed, rounds=rounds, duration=None, warm_up=0.0, warm_up_rounds=0)
        with progress.unseen.bar(0, "op") as unseen:
            await short._variant(world, strategy, "strangers", unseen)  # noqa: SLF001 - one's own twin

    async def _variant(self, world: World, strategy: CreationStrategy, pattern: str, bar: tqdm[Never]) -> Variant:
        async with self.heat(world, strategy, pattern) as heat:
            before = await world.costs()
            window = await heat.drive(bar)
            costs = await world.costs() - (before if heat.noted is None else heat.noted[1])
            kept = await heat.kept()
        return await heat.judge(window, costs, kept)

    @asynccontextmanager
    async def heat(self, world: World, strategy: CreationStrategy, pattern: str) -> AsyncIterator[Heat]:
        """Prepare one strategy under one pattern: the tables are loaded, the connections are leased."""
        # the calls do not depend on the strategy: all strategies of a pattern get the same calls
        seeds = np.random.SeedSequence(self.seed).spawn(1 + 2 * self.clients + self.nodes)
        chance, *others = (np.random.default_rng(seed) for seed in seeds)
        calls = workload.make(
            pattern,
            clients=self.clients,
            rounds=self.drawn_rounds,
            pairs=self.pairs,
            existing=self.existing,
            ids=self.ids,
            rate=self.rate,
            rng=chance,
        )
        await world.install(self.schema)
        await _load(world.admin, calls)
        await world.deadlock()  # an earlier deadlock does not belong to this heat
        before = await world.contents()
        strategy = replace(strategy, create=watched(strategy.name, strategy.create))
        callers = self._store if self.layer == "store" else self._stack
        async with callers(world, strategy, calls, others) as (people, nodes), AsyncExitStack() as stack:

            async def disconnect() -> None:
                await side_by_side(caller.__aexit__() for caller in people)

            stack.push_async_callback(disconnect)
            await side_by_side(caller.__aenter__() for caller in people)
            states, pauses = await world.session_states(), others[-self.clients :]
            # else the collector examines thousands of idle sessions again and again, while it is measured
            with passed_over():
                yield Heat(
                    world,
                    strategy,
                    pattern,
                    calls,
                    people,
                    nodes,
                    before,
                    states,
                    self.shape,
                    pauses,
                    self.warm_up_rounds,
                )

    @asynccontextmanager
    async def _store(
        self, world: World, strategy: CreationStrategy, _: Workload, rngs: Sequence[np.random.Generator]
    ) -> AsyncIterator[tuple[Sequence[Caller], Cluster | None]]:
        locks = await world.locks(self.clients) if strategy.uses_locks else None
        async with world.database(self.clients) as database:
            retry = POLICIES[self.retry]
            callers = [
                StoreCaller(
                    number,
                    database=database,
                    strategy=strategy,
                    locks=locks,
                    retry=retry,
                    rng=rng,
                    deadline=self.deadline,
                )
                for number, rng in enumerate(rngs[: self.clients])
            ]
            yield callers, None

    @asynccontextmanager
    async def _stack(
        self, world: World, strategy: CreationStrategy, calls: Workload, rngs: Sequence[np.random.Generator]
    ) -> AsyncIterator[tuple[Sequence[Caller], Cluster | None]]:
        ranks = [number // (2 * self.pairs) for number in range(self.clients)]  # of ``same_pair``, where it matters
        world.reserve(sum(len(devices(self.nodes, rank, own)) for rank, own in zip(ranks, calls.calls, strict=True)))
        retry = POLICIES[self.retry]
        through = cluster(
            world,
            nodes=self.nodes,
            pool=self.pool_size,
            strategy=strategy,
            retry=retry,
            # the experiment decides about rate and pairs; MySQL's default for lock waits, as without nodes
            limits=Limits(rate=math.inf, user_leases=math.inf, lock_wait=50, strangers=True, looks_up_users=False),
            schema=self.schema,
            rngs=rngs[self.clients : self.clients + self.nodes],
        )
        async with through as nodes:
            callers = [
                StackCaller(number, rank=rank, cluster=nodes, calls=own, retry=retry, rng=rng, deadline=self.deadline)
                for number, (rank, own, rng) in enumerate(zip(ranks, calls.calls, rngs, strict=False))
            ]
            yield callers, nodes


async def _load(admin: Session, calls: Workload) -> None:
    """Insert the rows that exist before: the users who ask, and the existing pairs with threads from 1 up."""
    uids = sorted({uid for pair in calls.asked for uid in pair})
    await add_users(admin, uids)
    threads = range(1, len(calls.existing) + 1)
    await insert(admin, "chat_thread (id, type)", [(thread, "private") for thread in threads])
    chats = [(thread, *pair) for thread, pair in zip(threads, calls.existing, strict=True)]
    await insert(admin, "private_chat (thread_id, user1_id, user2_id)", chats)
    await admin.execute("ANALYZE TABLE user, chat_thread, private_chat")
