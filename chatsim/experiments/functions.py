"""The experiments, and what belongs to them, as functions for a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from chatsim.chat.creation import STRATEGIES, CreationStrategy
from chatsim.chat.paging import STRATEGIES as PAGING_STRATEGIES
from chatsim.chat.paging.strategy import PagingStrategy
from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.delivery.experiment import PATHS, PEERS, PRESENCE, Delivery
from chatsim.experiments.paging.experiment import Pages
from chatsim.experiments.report import Report
from chatsim.experiments.result import Result
from chatsim.worlds.choice import choose
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers as MySQL

if TYPE_CHECKING:
    from chatsim.worlds.model.world import ModelWorld
    from chatsim.worlds.mysql.world import MySQLWorld

__all__ = ["catchup", "delivery", "pages", "paging_strategies", "race", "run", "strategies"]

T = TypeVar("T")


async def race(
    *,
    world: str | MySQL | Model = "mysql",
    strategies: str | CreationStrategy | Iterable[str | CreationStrategy] = "all",
    pattern: str | Iterable[str] = "same_pair",
    clients: int = 16,
    pairs: int = 1,
    rounds: int = 100,
    existing: int = 0,
    ids: str = "random",
    retry: str = "retry",
    seed: int = 1,
    schema: str = "seed",
    layer: str = "store",
    nodes: int = 1,
    pool: int | None = None,
    rate: float | None = None,
    progress: bool = True,
) -> Result:
    """Let many callers create private chats at once, once with every strategy under every pattern.

    Args:
        world: ``"mysql"``, or a `MySQL` that says which server; ``"model"``, or a `Model` that says what things cost.
        strategies: creation strategies by name or as made by `creation_strategy`; ``"all"`` for all shipped.
        pattern: ``same_pair``, ``hot_pairs`` or ``strangers``, one or several.
        clients: how many callers, each with a connection or with devices of its own.
        pairs: new pairs per round (``same_pair``, ``hot_pairs``).
        rounds: how many requests each client makes.
        existing: how many random pairs have a thread before.
        ids: how the ids of the pairs asked for are distributed: ``random``, ``rising`` or ``one_popular``.
        retry: what a caller does when refused: ``none``, ``retry`` (20 times, after 1 to 20 ms) or ``immediate``.
        seed: of everything that is drawn.
        schema: which tables; ``seed`` has the source's own.
        layer: ``store``, callers straight on the database; or ``stack``, clients, wire and chat servers before it.
        nodes: how many chat servers (layer ``stack``).
        pool: connections to the database for each chat server; as many as clients, shared evenly, when None.
        rate: requests per second in all, at random times; when None, each client's next follows its last's answer.
        progress: whether to show a progress bar.

    Raises:
        BadParameterError, UnknownStrategyError: a parameter makes no sense.
        WorldError: the world can't be had.
        StrategyError: a strategy is broken.
        DivergenceError: a run in the model does not repeat itself.
    """
    from chatsim.worlds.mysql.world import MySQLWorld

    parameters = Race(
        strategies=strategies,
        patterns=pattern,
        clients=clients,
        rounds=rounds,
        pairs=pairs,
        existing=existing,
        ids=ids,
        retry=retry,
        seed=seed,
        schema=schema,
        layer=layer,
        nodes=nodes,
        pool=pool,
        rate=rate,
    )
    there = choose(world)
    if isinstance(there, Model):
        return await asyncio.to_thread(_race_in_model, there, parameters, progress=progress)
    result = Result(parameters.config("mysql"))
    async with MySQLWorld(there) as server:
        await parameters.run(server, result, progress=progress)
    return result


def _race_in_model(model: Model, parameters: Race, *, progress: bool) -> Result:
    """In a thread of its own, so that a notebook's event loop goes on meanwhile."""

    async def main(world: ModelWorld) -> Result:
        result = Result(parameters.config(world.name))
        await parameters.run(world, result, progress=progress)
        return result

    return model.run(main, seed=parameters.seed)


async def delivery(
    *,
    world: str | MySQL | Model = "mysql",
    nodes: int = 2,
    pairs: int = 8,
    texts: int = 100,
    paths: str | Iterable[str] = PATHS,
    presence: str | Iterable[str] = PRESENCE,
    peers: str | Iterable[str] = PEERS,
    pool: int = 5,
    seed: int = 1,
    progress: bool = True,
) -> Report:
    """Time what becomes of texts: acknowledged, pushed, read.

    Args:
        world: ``"mysql"``, or a `MySQL` that says which server; ``"model"``, or a `Model` that says what things cost.
        nodes: how many chat servers.
        pairs: how many authors, each with a reader, talk at once.
        texts: how many each author sends, the next when the last has been read.
        paths: ``same``, author and reader on one server; ``across``, on two; or both.
        presence: where it is kept, ``process`` or ``redis``, or both.
        peers: how servers reach each other, ``process`` or ``grpc``, or both.
        pool: connections to the database for each chat server.
        seed: of everything that is drawn.
        progress: whether to show a progress bar.

    Raises:
        BadParameterError: a parameter makes no sense.
        WorldError: the world can't be had.
        DivergenceError: a run in the model does not repeat itself.
    """
    parameters = Delivery(
        nodes=nodes, pairs=pairs, texts=texts, paths=paths, presence=presence, peers=peers, pool=pool, seed=seed
    )
    return await _reported(choose(world), parameters, seed=seed, progress=progress)


async def pages(
    *,
    world: str | MySQL | Model = "mysql",
    what: str = "threads",
    strategies: str | PagingStrategy | Iterable[str | PagingStrategy] = "all",
    existing: int | Iterable[int] = 10_000,
    page_size: int = 100,
    depths: str | Iterable[str] = ("first", "middle", "last"),
    writers: str | Iterable[str] = ("none", "all"),
    rounds: int = 50,
    seed: int = 1,
    progress: bool = True,
) -> Report:
    """Read lists page by page, with every strategy: what a page costs, and whether a reader misses anything.

    Args:
        world: ``"mysql"``, or a `MySQL` that says which server; ``"model"``, or a `Model` that says what things cost.
        what: ``threads``, a user's; or ``history``, a thread's messages.
        strategies: ways to page by name or as made by `paging_strategy`; ``"all"`` for all shipped.
        existing: how many entries the lists have whose pages are measured, one number or several.
        page_size: entries in a page.
        depths: which pages are measured: ``first``, ``middle``, ``last``.
        writers: what others do while somebody reads: ``none``, ``inserts``, ``deletes``, ``activity``, ``all``.
        rounds: how often each page is read for its times.
        seed: of what others do.
        progress: whether to show progress bars.

    Raises:
        BadParameterError, UnknownStrategyError: a parameter makes no sense.
        WorldError: the world can't be had.
        StrategyError: a strategy is broken.
        DivergenceError: a run in the model does not repeat itself.
    """
    parameters = Pages(
        what=what,
        strategies=strategies,
        existing=existing,
        page_size=page_size,
        depths=depths,
        writers=writers,
        rounds=rounds,
        seed=seed,
    )
    return await _reported(choose(world), parameters, seed=seed, progress=progress)


async def catchup(
    *,
    world: str | MySQL | Model = "mysql",
    protocols: str | Iterable[str] = "all",
    cursors: str | Iterable[str] = "all",
    rtt: float | Sequence[float] = 50.0,
    bandwidth: float | None = None,
    threads: int = 100,
    missed: int = 50,
    quiet_threads: int = 0,
    history: int = 1,
    writers: int = 0,
    batch: int = 1,
    seed: int = 1,
    progress: bool = True,
) -> Report:
    """Let a client that was away catch up, with each cursor and protocol: how soon, at what price, is all there?

    Args:
        world: ``"mysql"``, or a `MySQL` that says which server; ``"model"``, or a `Model` that says what things cost.
        protocols: ``source``, ``wide_pages``, ``pipelined``, ``bulk``, through clients, wire and server; ``direct``, a
            reader straight on the database who follows writers; several of them, or ``"all"``.
        cursors: kinds of cursor by name; ``"all"`` for all. A protocol is tried with those that it knows.
        rtt: the round trip to the reader, in milliseconds, one or several.
        bandwidth: to the reader, in each direction, in Mbit/s; as much as there is when None.
        threads: how many threads have news.
        missed: how many messages each of them.
        quiet_threads: how many threads have none.
        history: how many messages of each thread were there before, and have been seen.
        writers: how many write meanwhile, each ``missed`` texts at most; with ``direct``, who write all that is missed,
            two at least.
        batch: messages in a writer's transaction, with ``direct``.
        seed: of everything that is drawn.
        progress: whether to show a progress bar.

    Raises:
        BadParameterError, UnknownCursorError: a parameter makes no sense.
        WorldError: the world can't be had.
        DivergenceError: a run in the model does not repeat itself.
    """
    parameters = CatchUp(
        protocols=protocols,
        cursors=cursors,
        rtt=[rtt] if isinstance(rtt, int | float) else rtt,
        bandwidth=bandwidth,
        threads=threads,
        missed=missed,
        quiet_threads=quiet_threads,
        history=history,
        writers=writers,
        batch=batch,
        seed=seed,
    )
    return await _reported(choose(world), parameters, seed=seed, progress=progress)


async def _reported(
    there: MySQL | Model, parameters: Delivery | Pages | CatchUp, *, seed: int, progress: bool
) -> Report:
    """What an experiment finds; in the model in a thread of its own, so that a notebook's event loop goes on."""
    from chatsim.worlds.mysql.world import MySQLWorld

    async def main(place: MySQLWorld | ModelWorld) -> Report:
        report = parameters.report(place.name)
        await parameters.run(place, report, progress=progress)
        return report

    if isinstance(there, Model):
        return await asyncio.to_thread(there.run, main, seed=seed)
    async with MySQLWorld(there) as server:
        return await main(server)


def strategies() -> dict[str, CreationStrategy]:
    """The creation strategies that are shipped, by name."""
    return dict(STRATEGIES)


def paging_strategies(what: str) -> dict[str, PagingStrategy]:
    """The ways to page ``threads`` or ``history`` that are shipped, by name."""
    return dict(PAGING_STRATEGIES[what])


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end and return what it returns; in a notebook use ``await`` instead."""
    return asyncio.run(main)
