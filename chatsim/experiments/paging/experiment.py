"""The second experiment: lists that are read page by page; what does a page cost, and is anything missed?

Two things are measured apart. What a page costs, on long lists that nothing happens to: by depth and length, the
strategies taking turns, so that a machine that slows down does not speak against the last of them. And whether a reader
sees each entry once, in order: on shorter lists, that others change between the pages.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Never

import msgspec

from chatsim.chat.creation import named as creation_named
from chatsim.chat.paging import DEFAULTS, named
from chatsim.chat.paging.strategy import Page, PagingStrategy, page_of
from chatsim.chat.paging.threads import by_activity
from chatsim.chat.protocol import (
    LoadMessagesReply,
    LoadMessagesRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
)
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.chat.session_wrapper import SessionWrapper
from chatsim.db.session import Rows, Session
from chatsim.db.text import placeholders, statements
from chatsim.experiments.creation.experiment import BadParameterError
from chatsim.experiments.paging.lists import SCHEMA, Lists, lists
from chatsim.experiments.paging.plans import compared
from chatsim.experiments.paging.prices import price
from chatsim.experiments.paging.walks import WRITERS, Walk, walk
from chatsim.experiments.report import Report
from chatsim.experiments.result import describe_machine, percentile
from chatsim.worlds.cluster import cluster
from chatsim.worlds.world import Reads, World

if TYPE_CHECKING:
    from tqdm.auto import tqdm

__all__ = ["DEPTHS", "SHOWN", "Pages"]

DEPTHS: dict[str, Callable[[int, int], int]] = {
    "first": lambda size, page: 0,  # noqa: ARG005
    "middle": lambda size, page: size // 2,  # noqa: ARG005
    "last": lambda size, page: max(size - page, 0),
}
"""How many entries lie before the page that is measured: by name, of a list of some size in pages of some size."""

SHOWN = {
    "strategy": "strategy",
    "existing": "existing",
    "depth": "depth",
    "index_reads": "index reads",
    "bytes": "bytes",
    "p50_ms": "p50 ms",
    "messages_per_s": "entries/s",
    "stack_per_s": "entries/s, stack",
    "writers": "writers",
    "skipped": "skipped",
    "repeated": "repeated",
    "verdict": "verdict",
}

_WALKED = 10
"""How many full pages the lists have that others change."""

_DEADLINE = 120.0


@dataclass(frozen=True)
class Pages:
    """The parameters of a run.

    Attributes:
        what: ``threads``, of a user; or ``history``, of a thread.
        strategies: the paging strategies, by name or as made by `paging_strategy`; ``"all"`` for all shipped.
        existing: how many entries the lists have whose pages are measured, one number or several.
        page_size: entries in a page.
        depths: names in `DEPTHS`: which page is measured.
        writers: names in `WRITERS`: what others do while somebody reads.
        rounds: how often each page is read for its times.
        seed: of what others do.

    Raises:
        BadParameterError: a value is not allowed.
        UnknownStrategyError: no strategy has that name.
    """

    what: str = "threads"
    strategies: str | PagingStrategy | Iterable[str | PagingStrategy] = "all"
    existing: int | Iterable[int] = 10_000
    page_size: int = 100
    depths: str | Iterable[str] = "first,middle,last"
    writers: str | Iterable[str] = "none,all"
    rounds: int = 50
    seed: int = 1

    def __post_init__(self) -> None:
        chosen = named(self.what, self.strategies)
        if len({each.name for each in chosen}) < len(chosen):
            raise BadParameterError(f"strategies are told apart by name: {', '.join(each.name for each in chosen)}")
        sizes = (self.existing,) if isinstance(self.existing, int) else tuple(self.existing)
        object.__setattr__(self, "strategies", tuple(chosen))
        object.__setattr__(self, "existing", tuple(dict.fromkeys(sizes)))
        for name, known in (("depths", DEPTHS), ("writers", WRITERS)):
            given = getattr(self, name)
            words = given.split(",") if isinstance(given, str) else given
            object.__setattr__(self, name, tuple(dict.fromkeys(word.strip() for word in words)))
            for word in getattr(self, name):
                if word not in known:
                    raise BadParameterError(f"unknown {name[:-1]} {word!r}; there are: {', '.join(known)}")
        for name in ("strategies", "existing", "depths", "writers"):
            if not getattr(self, name):
                raise BadParameterError(f"{name} is empty; name at least one")
        for name, values in (
            ("existing", self.sizes),
            ("page_size", [self.page_size]),
            ("rounds", [self.rounds]),
            ("seed", [self.seed + 1]),
        ):
            if least := [each for each in values if not 1 <= each < math.inf]:
                raise BadParameterError(f"{name} is {least[0]}; it must be at least 1")

    @property
    def chosen(self) -> list[PagingStrategy]:
        """The strategies."""
        return named(self.what, self.strategies)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The lengths of the lists."""
        assert isinstance(self.existing, tuple)
        return self.existing

    def report(self, world: str) -> Report:
        """A report without rows."""
        from chatsim import figures

        config: dict[str, object] = {
            "experiment": "pages",
            "world": world,
            "what": self.what,
            "strategies": [each.name for each in self.chosen],
            **{name: list(getattr(self, name)) for name in ("existing", "depths", "writers")},
            **{name: getattr(self, name) for name in ("page_size", "rounds", "seed")},
        }
        return Report(config, SHOWN, figures.pages)

    async def run(self, world: World, report: Report, *, progress: bool = True) -> None:
        """Measure, adding rows to ``report``, those of a list's length at a time.

        Raises:
            DatabaseError: the database refused.
            StrategyError: a strategy is broken.
            WorldError: the world can't do it.
        """
        from tqdm.auto import tqdm

        report.environment |= describe_machine() | dict(world.environment)
        silent = not progress or "TQDM_DISABLE" in os.environ
        bar = partial(tqdm, leave=False, miniters=1, disable=silent)
        walks = await self._walk_all(world, bar)
        if by_activity in self.chosen:
            report.notes["price-by_activity"] = await price(world)
        stock = lists(self.what, self.sizes)
        load = partial(stock.load, bar=lambda rows: bar(total=rows, desc="loading", unit="row"))
        async with world.stocked(SCHEMA, stock.contents, load):
            with bar(total=len(self.sizes) * len(self._depths) * self.rounds, unit="round") as shown:
                for size in self.sizes:
                    found = [
                        (depth, each)
                        for depth in self._depths
                        for each in await self._measure(world, stock, size, depth, shown)
                    ]
                    report.notes |= {f"plan-{each.strategy.name}-{depth}": each.plan for depth, each in found}
                    report.rows += [
                        self._row(world, size, depth, each) | _judged(writers, walks[name, writers])
                        for name in (strategy.name for strategy in self.chosen)
                        for depth, each in found
                        if each.strategy.name == name
                        for writers in self._writers
                    ]

    def _row(self, world: World, size: int, depth: str, measured: _Measured) -> dict[str, object]:
        name = measured.strategy.name
        return {
            "strategy": name,
            "what": self.what,
            "world": world.name,
            **{each: world.environment[each] for each in ("engine", "server_version", "profile")},
            "existing": size,
            "depth": depth,
            "page_size": self.page_size,
            **measured.measures(),
            "plan": "the server's" if world.name == "mysql" else compared(self.what, name, measured.indexes),
        }

    @property
    def _depths(self) -> Sequence[str]:
        assert isinstance(self.depths, tuple)
        return self.depths

    @property
    def _writers(self) -> Sequence[str]:
        assert isinstance(self.writers, tuple)
        return self.writers

    # -- is anything missed?

    async def _walk_all(self, world: World, bar: Callable[..., tqdm[Never]]) -> dict[tuple[str, str], Walk]:
        import numpy as np
        from tqdm.auto import tqdm

        size = _WALKED * self.page_size + self.page_size // 2
        stock = lists(self.what, [size])
        # those without writers first: they leave the tables as they are
        conditions = sorted(self._writers, key=lambda writers: bool(WRITERS[writers]))
        plan = [(strategy, writers) for writers in conditions for strategy in self.chosen]
        found, changed = {}, True
        with bar(total=len(plan), unit="walk") as shown:
            for strategy, writers in plan:
                shown.set_description(f"{strategy.name}: {writers}")
                if changed:
                    await world.install(SCHEMA)
                    await stock.load(world.admin, bar=lambda _: tqdm(disable=True))
                changed = bool(WRITERS[writers])
                async with world.database(1) as database, database.session() as tx:
                    found[strategy.name, writers] = await walk(
                        strategy,
                        tx,
                        world.admin,
                        stock,
                        size=size,
                        page_size=self.page_size,
                        writers=writers,
                        rng=np.random.default_rng(self.seed),
                    )
                shown.update()
        return found

    # -- what does a page cost?

    async def _measure(self, world: World, stock: Lists, size: int, depth: str, bar: tqdm[Never]) -> list[_Measured]:
        before, of = DEPTHS[depth](size, self.page_size), stock.of(size)
        found = []
        async with (
            world.database(1) as database,
            database.session() as tx,
            _through_the_stack(world, stock, size) as ask,
        ):
            for strategy in self.chosen:
                told = _Told(tx)
                # to be somewhere is to have read as far: in one page, which is not counted
                cursor = (await page_of(strategy, tx, of, None, before)).cursor if before else None
                costs = await _costs(world, tx, partial(page_of, strategy, told, of, cursor, self.page_size))
                plan = await _plan(world, told, costs, f"{depth} page of {size:,}")
                through = partial(ask, cursor) if strategy is DEFAULTS[self.what] else None
                found.append(_Measured(strategy, cursor, costs, plan, through))
            for _ in range(self.rounds):
                for each in found:
                    await each.time(partial(page_of, each.strategy, tx, of, each.cursor, self.page_size))
                bar.update()
        return found


@dataclass(frozen=True)
class _Costs:
    """What one page has cost, in counts."""

    page: Page
    reads: Reads
    rows_examined: int | None
    round_trips: int


@dataclass
class _Measured:
    """A strategy at one place of one list: its counts, and how long its page took each time, in seconds."""

    strategy: PagingStrategy
    cursor: object
    costs: _Costs
    plan: str
    through: Callable[[], Awaitable[int]] | None
    straight_s: list[float] = field(default_factory=list)
    through_s: list[float] = field(default_factory=list)
    came_through: int = 0

    async def time(self, read: Callable[[], Awaitable[Page]]) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        await read()
        self.straight_s.append(clock() - begun)
        if self.through is not None:
            begun = clock()
            self.came_through += await self.through()
            self.through_s.append(clock() - begun)

    @property
    def indexes(self) -> list[str]:
        return sorted(self.costs.reads.by_index or ())

    def measures(self) -> dict[str, object]:
        import numpy as np

        costs, times = self.costs, np.array(self.straight_s) * 1e3
        rows, through = len(costs.page.rows) * len(times), sum(self.through_s)
        return {
            "index_reads": costs.reads.total,
            "indexes": self.indexes,
            "temporary_rows": costs.reads.temporary,
            "rows_examined": costs.rows_examined,
            "round_trips": costs.round_trips,
            "bytes": len(msgspec.json.encode(costs.page.rows)),
            "p50_ms": percentile(times, 50),
            "p99_ms": percentile(times, 99),
            "messages_per_s": rows / sum(self.straight_s) if sum(self.straight_s) else None,
            "stack_per_s": self.came_through / through if through else None,
        }


async def _costs(world: World, tx: Session, read: Callable[[], Awaitable[Page]]) -> _Costs:
    costs, reads = await world.costs(), await world.reads()
    page = await read()
    # a server books what a statement has read when it is done with it, and then only it answers the next one
    await tx.execute("DO 0")
    spent, read_now = await world.costs() - costs, await world.reads() - reads
    return _Costs(page, read_now, spent.rows_examined, spent.round_trips - 1)


class _Told(SessionWrapper):
    """A session that remembers what it was asked."""

    def __init__(self, tx: Session) -> None:
        super().__init__(tx)
        self.asked: list[tuple[str, Sequence[object]]] = []

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        self.asked.append((sql, args))
        return await self.tx.execute(sql, args)

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        rest = list(args)
        for each in statements(sql):
            count = placeholders(each)
            self.asked.append((each, rest[:count]))
            del rest[:count]
        return await self.tx.script(sql, args)


async def _plan(world: World, told: _Told, costs: _Costs, which: str) -> str:
    """How the page was read: the indexes with the rows read in each, and what the server says of each statement."""
    lines = [f"The {which}: {_indexes(costs.reads)}"]
    for sql, args in told.asked:
        plan = await world.explain(sql, args)
        if plan is not None:
            lines += ["", " ".join(sql.split()), "", plan]
    return "\n".join(lines)


def _indexes(reads: Reads) -> str:
    if reads.by_index is None:
        return "the server does not say which indexes it read"
    return ", ".join(f"{count:,} of {name}" for name, count in reads.by_index.items()) or "nothing was read"


@asynccontextmanager
async def _through_the_stack(world: World, stock: Lists, size: int) -> AsyncIterator[Callable[[Any], Awaitable[int]]]:
    """A client at a node, and what asks for the page behind a cursor of the node's own strategy, and counts entries."""
    import numpy as np

    (strategy,) = creation_named("look_first")
    nodes = cluster(
        world,
        nodes=1,
        pool=1,
        strategy=strategy,
        retry=POLICIES["none"],
        limits=Limits(rate=math.inf),
        schema=SCHEMA,
        rngs=[np.random.default_rng(0)],
    )
    async with nodes as running:
        client = await running.log_in(stock.reader(size), deadline=_DEADLINE)

        async def ask(cursor: int | None) -> int:
            if stock.what == "threads":
                listed = await client.request(LoadThreadsRequest(stock.of(size), cursor or 0), LoadThreadsReply)
                return len(listed.threads)
            page = await client.request(LoadMessagesRequest(stock.of(size), cursor or 0), LoadMessagesReply)
            return len(page.chat_datas)

        try:
            yield ask
        finally:
            await client.close()


def _judged(writers: str, found: Walk) -> dict[str, object]:
    verdict = found.verdict()
    return {
        "writers": writers,
        "skipped": len(found.skipped),
        "repeated": len(found.repeated),
        "disordered": len(found.disordered),
        "verdict": verdict.word.value,
        "why": verdict.why,
    }
