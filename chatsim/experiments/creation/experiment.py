"""The first experiment: many callers create private chats at once; which strategy gives each pair one thread?"""

from __future__ import annotations

import asyncio
import gc
import itertools
import math
import os
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Never

from chatsim.chat import schema as schemas
from chatsim.chat.creation import CreationStrategy, named
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.stats import Stats
from chatsim.db.session import Session
from chatsim.experiments.checks import PrivateChats, check_creation
from chatsim.experiments.creation import workload
from chatsim.experiments.creation.callers import Caller, StackCaller, StoreCaller, devices
from chatsim.experiments.creation.workload import Pair, Workload
from chatsim.experiments.history import Operation
from chatsim.experiments.result import Result, Variant, describe_machine
from chatsim.experiments.together import side_by_side
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import BadParameterError, Costs, World

if TYPE_CHECKING:
    import numpy as np
    from tqdm.auto import tqdm

__all__ = ["LAYERS", "BadParameterError", "Heat", "Race"]

LAYERS = ("store", "stack")
"""Callers straight on the database; or clients, wire and nodes before it."""

_WARM_UP_ROUNDS = 20


@dataclass(frozen=True)
class Race:
    """The parameters of a race.

    Attributes:
        strategies: the creation strategies, by name or as made by `creation_strategy`; ``"all"`` for all shipped.
        patterns: names in `workload.PATTERNS`.
        clients: how many callers, each with a connection of its own (layer ``store``) or devices of its own.
        rounds: how many requests each makes.
        pairs: new pairs per round (``same_pair``, ``hot_pairs``).
        existing: how many random pairs have a thread before.
        ids: how the ids of the pairs asked for are distributed, a name in `workload.IDS`.
        retry: the retry policy, a name in `POLICIES`.
        seed: of everything that is drawn.
        schema: which tables, a name in ``chat/schema``.
        layer: a name in `LAYERS`.
        nodes: how many chat servers (layer ``stack``).
        pool: connections to the database for each node (layer ``stack``), for which requests wait; when None, as many
            as there are clients, shared evenly.
        rate: requests per second in all, at random times (an open loop, of at most ``clients`` requests at once); when
            None, each client's next request follows the answer to its last (a closed loop).

    Raises:
        BadParameterError: a value is not allowed.
        UnknownStrategyError: no strategy has that name.
    """

    strategies: str | CreationStrategy | Iterable[str | CreationStrategy] = "all"
    patterns: str | Iterable[str] = "same_pair"
    clients: int = 16
    rounds: int = 100
    pairs: int = 1
    existing: int = 0
    ids: str = "random"
    retry: str = "retry"
    seed: int = 1
    schema: str = "seed"
    layer: str = "store"
    nodes: int = 1
    pool: int | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        chosen = named(self.strategies)
        if twice := {each.name for each in chosen if [other.name for other in chosen].count(each.name) > 1}:
            raise BadParameterError(f"strategies are told apart by name; {', '.join(sorted(twice))} is there twice")
        patterns = self.patterns.split(",") if isinstance(self.patterns, str) else self.patterns
        object.__setattr__(self, "strategies", tuple(chosen))
        object.__setattr__(self, "patterns", tuple(dict.fromkeys(pattern.strip() for pattern in patterns)))
        for name in ("strategies", "patterns"):
            if not getattr(self, name):
                raise BadParameterError(f"{name} is empty; name at least one")
        for pattern in self.patterns:
            _known("pattern", pattern, workload.PATTERNS)
        _known("ids", self.ids, workload.IDS)
        _known("schema", self.schema, schemas.names())
        _known("retry", self.retry, POLICIES)
        _known("layer", self.layer, LAYERS)
        for name, least in (
            *(("clients", 1), ("rounds", 1), ("pairs", 1), ("existing", 0), ("seed", 0)),
            *(("nodes", 1), ("pool", 1), ("rate", 0.001)),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value < math.inf:
                raise BadParameterError(f"{name} is {value}; it must be at least {least}")
        if self.layer == "store" and (self.nodes > 1 or self.pool):
            raise BadParameterError("nodes and pool belong to the layer 'stack'; the layer 'store' has none")

    @property
    def names(self) -> list[str]:
        """The strategies' names."""
        return [strategy.name for strategy in named(self.strategies)]

    @property
    def pool_size(self) -> int:
        """Connections for each node."""
        # a pair's two members take turns on an even number of nodes: see `callers.devices`
        return self.pool or -(-self.clients // max(1, self.nodes - self.nodes % 2))

    def config(self, world: str) -> dict[str, object]:
        """The parameters as plain values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        pool = self.pool_size if self.layer == "stack" else None
        plain = {"strategies": self.names, "patterns": [*self.patterns], "pool": pool}
        return {"experiment": "race", "world": world} | values | plain

    async def run(self, world: World, result: Result, *, progress: bool = True) -> None:
        """Run every strategy under every pattern, adding each to ``result`` as it finishes.

        Raises:
            StrategyError: a strategy is broken.
            WorldError: the world can't do it.
        """
        import numpy as np
        from tqdm.auto import tqdm

        result.environment |= describe_machine() | dict(world.environment)
        plan = [(strategy, pattern) for pattern in self.patterns for strategy in named(self.strategies)]
        place = {(strategy.name, pattern): number for number, (strategy, pattern) in enumerate(plan)}
        # in an order of its own, so that a machine that slows down does not speak against the last of the list
        order = np.random.default_rng(self.seed).permutation(len(plan))
        if any(strategy.uses_locks for strategy, _ in plan):
            await world.locks(self.clients)
        total = len(plan) * self.clients * self.rounds
        # miniters: else the bar stands still for up to ten seconds when a slow strategy comes after a fast one
        silent = not progress or "TQDM_DISABLE" in os.environ  # tqdm looks there only if it is not told
        with tqdm(total=total, unit="op", leave=False, miniters=1, disable=silent) as bar:
            if world.warms_up:
                await self._warm_up(world)
            for strategy, pattern in (plan[number] for number in order):
                bar.set_description(f"{pattern}: {strategy.name}")
                result.variants.append(await self._variant(world, strategy, pattern, bar))
                result.variants.sort(key=lambda variant: place[variant.strategy, variant.pattern])

    async def _warm_up(self, world: World) -> None:
        """A short run that nobody sees, so that the first strategy does not pay for cold caches."""
        from tqdm.auto import tqdm

        (strategy,) = named("one_round_trip")
        short = replace(self, rounds=min(self.rounds, _WARM_UP_ROUNDS), existing=0, retry="retry", rate=None)
        with tqdm(disable=True) as unseen:
            await short._variant(world, strategy, "strangers", unseen)  # noqa: SLF001 - one's own twin

    async def _variant(self, world: World, strategy: CreationStrategy, pattern: str, bar: tqdm[Never]) -> Variant:
        async with self.heat(world, strategy, pattern) as heat:
            before = await world.costs()
            window = await heat.drive(bar)
            costs = await world.costs() - before
        return await heat.judge(window, costs)

    @asynccontextmanager
    async def heat(self, world: World, strategy: CreationStrategy, pattern: str) -> AsyncIterator[Heat]:
        """One strategy under one pattern, ready to go: tables loaded, connections leased."""
        import numpy as np

        # the calls' chance does not depend on the strategy: all strategies of a pattern are asked the same
        seeds = np.random.SeedSequence(self.seed).spawn(1 + self.clients + self.nodes)
        chance, *others = (np.random.default_rng(seed) for seed in seeds)
        calls = workload.make(
            pattern,
            clients=self.clients,
            rounds=self.rounds,
            pairs=self.pairs,
            existing=self.existing,
            ids=self.ids,
            rate=self.rate,
            rng=chance,
        )
        await world.install(self.schema)
        await _load(world.admin, calls)
        await world.deadlock()  # whatever was before is not this heat's
        callers = self._store if self.layer == "store" else self._stack
        async with callers(world, strategy, calls, others) as (people, nodes), AsyncExitStack() as stack:

            async def disconnect() -> None:
                await side_by_side(caller.__aexit__() for caller in people)

            stack.push_async_callback(disconnect)
            await side_by_side(caller.__aenter__() for caller in people)
            yield Heat(world, strategy.name, pattern, calls, people, nodes)

    @asynccontextmanager
    async def _store(
        self, world: World, strategy: CreationStrategy, _: Workload, rngs: Sequence[np.random.Generator]
    ) -> AsyncIterator[tuple[Sequence[Caller], Cluster | None]]:
        locks = await world.locks(self.clients) if strategy.uses_locks else None
        async with world.database(self.clients) as database:
            retry = POLICIES[self.retry]
            callers = [
                StoreCaller(number, database=database, strategy=strategy, locks=locks, retry=retry, rng=rng)
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
            limits=Limits(rate=math.inf, strangers=True),  # how fast, and whom, is the experiment's to say
            schema=self.schema,
            rngs=rngs[self.clients :],
        )
        async with through as nodes:
            callers = [
                StackCaller(number, rank=rank, cluster=nodes, calls=own, retry=retry, rng=rng)
                for number, (rank, own, rng) in enumerate(zip(ranks, calls.calls, rngs, strict=False))
            ]
            yield callers, nodes


@dataclass
class Heat:
    """One strategy under one pattern.

    Attributes:
        world: where it runs.
        strategy: its name.
        pattern: the pattern's name.
        calls: what the callers ask.
        callers: the clients.
        nodes: the nodes, if callers go through them.
        history: what has happened so far.
    """

    world: World
    strategy: str
    pattern: str
    calls: Workload
    callers: Sequence[Caller]
    nodes: Cluster | None = None
    history: list[Operation] = field(default_factory=list)

    async def drive(self, bar: tqdm[Never]) -> float:
        """Let the callers make all their calls; returns how long that took, in seconds."""
        # else the garbage collector walks through thousands of idle sessions, again and again, within the window
        gc.collect()
        gc.freeze()
        try:
            return await self._drive(bar)
        finally:
            gc.unfreeze()

    async def _drive(self, bar: tqdm[Never]) -> float:
        clock = asyncio.get_running_loop().time
        begun = clock()

        async def one(caller: Caller, turn: int, call: Pair, intended: float | None = None) -> None:
            self.history.append(await caller.create(*call, turn=turn, begun=begun, intended=intended))
            bar.update()

        async def alone(caller: Caller, own: Sequence[Pair], due: Sequence[float] | None) -> None:
            for turn, call in enumerate(own):
                intended = None if due is None else begun + due[turn]
                if intended is not None:
                    await asyncio.sleep(intended - clock())
                await one(caller, turn, call, intended)

        calls, due = self.calls.calls, self.calls.due
        if self.calls.together and due is None:
            for turn, asked in enumerate(zip(*calls, strict=True)):
                now = clock()
                await side_by_side(
                    one(caller, turn, call, now) for caller, call in zip(self.callers, asked, strict=True)
                )
        else:
            times = due or itertools.repeat(None, len(calls))
            await side_by_side(alone(*each) for each in zip(self.callers, calls, times, strict=True))
        return clock() - begun

    async def judge(self, window_s: float, costs: Costs) -> Variant:
        """Check what happened against the final tables."""
        final = await _final(self.world.admin, first_thread=len(self.calls.existing) + 1)
        return Variant(
            strategy=self.strategy,
            pattern=self.pattern,
            operations=self.history,
            window_s=window_s,
            costs=costs,
            verdict=check_creation(self.history, final),
            orphans=final.orphans,
            deadlock=await self.world.deadlock(),
            stats=Stats() if self.nodes is None else self.nodes.stats,
        )


def _known(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise BadParameterError(f"unknown {name} {value!r}; there are: {', '.join(known)}")


async def _load(admin: Session, calls: Workload) -> None:
    """The rows that are there before: the askers, and the existing pairs with the threads from 1 up."""
    uids = sorted({uid for pair in calls.asked for uid in pair})
    await add_users(admin, uids)
    threads = range(1, len(calls.existing) + 1)
    await insert(admin, "chat_thread (id, type)", [(thread, "private") for thread in threads])
    chats = [(thread, *pair) for thread, pair in zip(threads, calls.existing, strict=True)]
    await insert(admin, "private_chat (thread_id, user1_id, user2_id)", chats)
    await admin.execute("ANALYZE TABLE user, chat_thread, private_chat")


async def _final(admin: Session, first_thread: int) -> PrivateChats:
    chats = await admin.execute(
        "SELECT p.thread_id, p.user1_id, p.user2_id, t.id IS NULL FROM private_chat p"
        " LEFT JOIN chat_thread t ON t.id = p.thread_id AND t.type = 'private' WHERE p.thread_id >= ?",
        (first_thread,),
    )
    orphans = await admin.execute(
        "SELECT COUNT(*) FROM chat_thread t LEFT JOIN private_chat p ON p.thread_id = t.id"
        " WHERE t.type = 'private' AND p.thread_id IS NULL"
    )
    rows = [tuple(int(str(value)) for value in row) for row in chats.rows]
    return PrivateChats(
        [(thread, user1, user2) for thread, user1, user2, _ in rows],
        orphans.scalar() or 0,
        frozenset(thread for thread, _, _, dangling in rows if dangling),
    )
