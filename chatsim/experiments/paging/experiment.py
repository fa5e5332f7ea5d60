"""The experiment on paging: what does a page cost, and does a reader miss anything?

Two things are measured separately. The cost of a page, on long lists that do not change, by depth and length; the
strategies take turns, so that a machine that slows down is no disadvantage for the last one. And whether a reader sees
each entry once, in order, on shorter lists that others change between the pages.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Never

import msgspec
import numpy as np

from chatsim.chat.creation import named as creation_named
from chatsim.chat.paging import DEFAULTS, STRATEGIES, named
from chatsim.chat.paging.strategy import WHATS, Page, PagingStrategy, page_of
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
from chatsim.experiments.base import Experiment
from chatsim.experiments.demand import LOADED_PER_S, OPERATION, Demand, row
from chatsim.experiments.history import Operation, Recorder
from chatsim.experiments.paging.lists import SCHEMA, Lists, lists
from chatsim.experiments.paging.plans import compared
from chatsim.experiments.paging.prices import price
from chatsim.experiments.paging.walks import WRITERS, Walk, walk
from chatsim.experiments.parameters import Choice, Choices, Numbers, Objects, Whole, parameter
from chatsim.experiments.result import Result
from chatsim.experiments.statistics import percentile
from chatsim.experiments.variant import Variant
from chatsim.progress import Progress
from chatsim.worlds.cluster import cluster
from chatsim.worlds.world import Reads, World

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from tqdm.auto import tqdm

__all__ = ["DEPTHS", "Pages"]

DEPTHS: dict[str, Callable[[int, int], int]] = {
    "first": lambda size, page: 0,  # noqa: ARG005
    "middle": lambda size, page: size // 2,  # noqa: ARG005
    "last": lambda size, page: max(size - page, 0),
}
"""The depths: from a name to the number of entries before the measured page, given the sizes of list and page."""

_NAMES = tuple(dict.fromkeys(name for shipped in STRATEGIES.values() for name in shipped))

_WALKED = 10
"""The number of full pages in the lists that others change."""

_DEADLINE = 120.0

_ROWS = {"threads": 7, "history": 2}
"""How many rows a list has for each entry, about."""

_PAGES_PER_S = 100
"""How many pages are read in a second."""

_READ_PER_S = {"mysql": 1_000_000, "model": 50_000}
"""How many rows a server reads in a second, by world."""


@dataclass(frozen=True, kw_only=True)
class Pages(Experiment):
    """Read lists page by page, with every strategy: what a page costs, and whether a reader misses anything.

    Costs are those of one page of a list that nobody changes. Skipped, repeated and out of order are entries of a
    shorter list, read to its end while others change it between the pages. On a server that is not started for this
    run, the lists are kept for the next one; `chatsim mysql clean` drops them.
    """

    name = "pages"
    title = "Reading page by page"
    judged = ("strategy", "strategies")
    circumstances = ("existing", "depth", "writers")
    totals = ("skipped", "repeated", "disordered")
    shared: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "writers": ("index_reads", "p50_ms", "messages_per_s", "bytes", "stack_per_s")
    }
    explained = "Show how each page was read, and what the strategy by_activity costs whoever writes."
    shown: ClassVar[Mapping[str, str]] = {
        "strategy": "strategy",
        "existing": "existing",
        "depth": "depth",
        "writers": "writers",
        "verdict": "verdict",
        "index_reads": "index reads",
        "p50_ms": "p50 ms",
        "skipped": "skipped",
        "repeated": "repeated",
        "messages_per_s": "entries/s",
        "bytes": "bytes",
        "stack_per_s": "entries/s, stack",
    }

    what: str = parameter("threads", Choice(WHATS), "a user's list of threads, or a thread's history of messages")
    strategies: str | PagingStrategy | Iterable[str | PagingStrategy] = parameter(
        "all", Objects(_NAMES, iter), "ways to page that list, by name or as made by `paging_strategy`"
    )
    existing: int | Iterable[int] = parameter(10_000, Numbers(Whole(1)), "how many entries the measured lists have")
    page_size: int = parameter(100, Whole(1), "entries in a page")
    depths: str | Iterable[str] = parameter("all", Choices(DEPTHS), "which pages are measured")
    writers: str | Iterable[str] = parameter("none,all", Choices(WRITERS), "what others do while somebody reads")
    rounds: int = parameter(50, Whole(1), "how often each page is read for its times")

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategies", named(self.what, self.strategies))  # a name is of one of the lists
        super().__post_init__()

    @property
    def chosen(self) -> list[PagingStrategy]:
        """The strategies."""
        return named(self.what, self.strategies)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The lengths of the lists."""
        assert isinstance(self.existing, tuple)
        return self.existing

    @staticmethod
    def draw(table: pd.DataFrame, caption: str) -> Figure:
        """Draw what a page costs, by depth and by the length of the list."""
        from chatsim import figures

        return figures.pages(table, caption=caption)

    def demand(self, world: str) -> Demand:
        """Memory and time for the rows of the lists, and time for the pages."""
        entries, walked = sum(self.sizes), _WALKED * self.page_size
        pages = len(self.chosen) * len(list(self.depths)) * len(self.sizes) * self.rounds
        walks, rows = len(self.chosen) * len(list(self.writers)), _ROWS[self.what]
        loaded = rows * (entries + walks * walked)
        longest = max(entries, walked)
        # half of the ways to page read the whole list
        read = pages // (2 * len(self.sizes)) * entries // _READ_PER_S[world]
        return Demand(
            memory={
                f"{pages:,} operations": pages * OPERATION,
                f"lists of {longest:,} entries": rows * longest * row(world),
            },
            seconds={
                f"{pages:,} pages": pages // _PAGES_PER_S + read,
                f"{loaded:,} rows of lists": loaded // LOADED_PER_S,
            },
            connections=2,
        )

    async def measure(self, world: World, result: Result, progress: Progress) -> None:
        """Measure each strategy at each depth of each list, and what each misses while others write."""
        walks = await self._walk_all(world, progress)
        if by_activity in self.chosen:
            result.notes["price-by_activity"] = await price(world)
        stock = lists(self.what, self.sizes)
        load = partial(stock.load, bar=lambda rows: progress.bar(rows, "row", "loading"))
        async with world.stocked(SCHEMA, stock.contents, load):
            with progress.bar(len(self.sizes) * len(list(self.depths)) * self.rounds, "round") as bar:
                for size in self.sizes:
                    found = [
                        (depth, each)
                        for depth in self.depths
                        for each in await self._measure_page(world, stock, size, depth, bar)
                    ]
                    result.notes |= {f"plan-{each.strategy.name}-{depth}": each.plan for depth, each in found}
                    result.add(
                        *(
                            self._variant(
                                world,
                                {"existing": size, "depth": depth, "writers": writers},
                                each,
                                walks[strategy.name, writers],
                                steps=each.history if at == 0 else (),
                            )
                            for strategy in self.chosen
                            for depth, each in found
                            if each.strategy.name == strategy.name
                            for at, writers in enumerate(self.writers)
                        )
                    )

    def _variant(
        self, world: World, key: dict[str, object], measured: _Measured, walked: Walk, steps: Sequence[Operation]
    ) -> Variant:
        name = measured.strategy.name
        return Variant(
            key={"strategy": name, **key},
            measures={
                **measured.measures(),
                "plan": "the server's" if world.name == "mysql" else compared(self.what, name, measured.indexes),
                "skipped": len(walked.skipped),
                "repeated": len(walked.repeated),
                "disordered": len(walked.disordered),
            },
            verdict=walked.verdict(),
            operations=steps,
            window_s=measured.seconds,
        )

    # -- is anything missed?

    async def _walk_all(self, world: World, progress: Progress) -> dict[tuple[str, str], Walk]:
        size = _WALKED * self.page_size + self.page_size // 2
        stock = lists(self.what, [size])
        # those without writers first: they leave the tables as they are
        conditions = sorted(self.writers, key=lambda writers: bool(WRITERS[writers]))
        plan = [(strategy, writers) for writers in conditions for strategy in self.chosen]
        found, changed = {}, True
        with progress.bar(len(plan), "walk") as bar:
            for strategy, writers in plan:
                bar.set_description(f"{strategy.name}: {writers}")
                if changed:
                    await world.install(SCHEMA)
                    await stock.load(world.admin, bar=lambda rows: progress.unseen.bar(rows, "row"))
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
                bar.update()
        return found

    # -- what does a page cost?

    async def _measure_page(
        self, world: World, stock: Lists, size: int, depth: str, bar: tqdm[Never]
    ) -> list[_Measured]:
        before, of = DEPTHS[depth](size, self.page_size), stock.of(size)
        found, begun = [], asyncio.get_running_loop().time()
        async with (
            world.database(1) as database,
            database.session() as tx,
            _through_the_stack(world, stock, size) as ask,
        ):
            for strategy in self.chosen:
                session = _Remembering(tx)
                # a cursor for this depth comes from reading up to there, in one page that is not counted
                cursor = (await page_of(strategy, tx, of, None, before)).cursor if before else None
                costs = await _costs(world, tx, partial(page_of, strategy, session, of, cursor, self.page_size))
                plan = await _plan(world, session, costs, f"{depth} page of {size:,}")
                through = partial(ask, cursor) if strategy is DEFAULTS[self.what] else None
                found.append(_Measured(strategy, cursor, costs, plan, through, Recorder(0, begun)))
            for _ in range(self.rounds):
                for each in found:
                    await each.time(partial(page_of, each.strategy, tx, of, each.cursor, self.page_size))
                bar.update()
        return found


@dataclass(frozen=True)
class _Costs:
    """The costs of one page, as counts."""

    page: Page
    reads: Reads
    rows_examined: int | None
    round_trips: int


@dataclass
class _Measured:
    """A strategy at one place of one list: its counts, and the times of its page, straight and through a node."""

    strategy: PagingStrategy
    cursor: object
    costs: _Costs
    plan: str
    through: Callable[[], Awaitable[int]] | None
    recorder: Recorder
    history: list[Operation] = field(default_factory=list)
    history_through: list[Operation] = field(default_factory=list)

    async def time(self, read: Callable[[], Awaitable[Page]]) -> None:
        async def straight(_: object) -> dict[str, int]:
            return {"entries": len((await read()).rows)}

        self.history.append(await self._record(straight))
        if (ask := self.through) is not None:

            async def through(_: object) -> dict[str, int]:
                return {"entries": await ask()}

            self.history_through.append(await self._record(through))

    async def _record(self, call: Callable[[object], Awaitable[dict[str, int]]]) -> Operation:
        return await self.recorder.record("page", {}, call, turn=len(self.history), refusable=())

    @property
    def seconds(self) -> float:
        return _seconds(self.history)

    @property
    def indexes(self) -> list[str]:
        return sorted(self.costs.reads.by_index or ())

    def measures(self) -> dict[str, object]:
        times, through = _times_ms(self.history), _times_ms(self.history_through)
        return {
            "index_reads": self.costs.reads.total,
            "indexes": self.indexes,
            "temporary_rows": self.costs.reads.temporary,
            "rows_examined": self.costs.rows_examined,
            "round_trips": self.costs.round_trips,
            "bytes": len(msgspec.json.encode(self.costs.page.rows)),
            **{f"p{q}_ms": percentile(times, q) for q in (50, 95, 99)},
            "messages_per_s": _per_second(self.history),
            "stack_per_s": _per_second(self.history_through),
            **{f"stack_p{q}_ms": percentile(through, q) for q in (50, 95, 99)},
        }


def _times_ms(history: Iterable[Operation]) -> np.ndarray:
    return np.array([(each.end - each.start) * 1e3 for each in history])


def _seconds(history: Iterable[Operation]) -> float:
    return sum(each.end - each.start for each in history)


def _per_second(history: Sequence[Operation]) -> float | None:
    """Entries per second of reading."""
    seconds = _seconds(history)
    return sum(each.value["entries"] for each in history) / seconds if seconds else None


async def _costs(world: World, tx: Session, read: Callable[[], Awaitable[Page]]) -> _Costs:
    # a server books what a statement has read when it is done with it, and then only it answers the next one; and that
    # reads no row (on MySQL, a SELECT or DO without a table would count as one)
    await tx.execute("ROLLBACK")
    costs, reads = await world.costs(), await world.reads()
    page = await read()
    await tx.execute("ROLLBACK")
    spent, read_now = await world.costs() - costs, await world.reads() - reads
    return _Costs(page, read_now, spent.rows_examined, spent.round_trips - 1)


class _Remembering(SessionWrapper):
    """A session that remembers its statements."""

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


async def _plan(world: World, session: _Remembering, costs: _Costs, which: str) -> str:
    """How the page was read: the rows read in each index, and the server's plan for each statement."""
    lines = [f"The {which}: {_indexes(costs.reads)}"]
    for sql, args in session.asked:
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
    """Connect a client to a node. Yields a function that loads the page after a cursor, and returns its size."""
    (strategy,) = creation_named("look_first")
    nodes = cluster(
        world,
        nodes=1,
        pool=1,
        strategy=strategy,
        retry=POLICIES["none"],
        limits=Limits(rate=math.inf, user_leases=math.inf),
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
