"""A schema of a test's own, on a real MySQL or in the model, with the same methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation, Rows, Session
from chatsim.pytest.loops import Loop, RealTime, VirtualTime
from chatsim.pytest.tables import Tables, read_tables
from chatsim.worlds.world import BadParameterError, Costs, Reads, World

__all__ = ["Measured", "OwnSchema", "in_model", "on_mysql"]

T = TypeVar("T")

_SEED = 1


@dataclass(frozen=True)
class Measured(Generic[T]):
    """What a transaction has returned, and what it has cost.

    Attributes:
        value: what it has returned.
        costs: round trips, statements, rows examined and lock waits.
        reads: the rows that were read, by index.
    """

    value: T
    costs: Costs
    reads: Reads


class OwnSchema:
    """A schema of a test's own. All methods block until they are done; an async test may call them, too.

    Args:
        world: where it is.
        loop: the event loop in which the world is.
        url: of the schema, if it is on a real server.

    Attributes:
        url: ``mysql://user:password@host:port/schema``, for a driver of the test's own; None in the model.
    """

    def __init__(self, world: World, loop: Loop, url: str | None) -> None:
        self._world = world
        self._loop = loop
        self.url = url

    @property
    def world(self) -> str:
        """``mysql`` or ``model``."""
        return self._world.name

    @property
    def server_version(self) -> str:
        """The version of the server, or that of the server that is modelled."""
        return str(self._world.environment["server_version"])

    def apply(self, tables: Tables) -> None:
        """Make tables and their rows.

        Args:
            tables: DDL text, a file of SQL, a folder of migrations, or several of these (`read_tables`).

        Raises:
            BadParameterError: there is no such file or folder; or a statement fails, or the model does not know it. The
                message names the statement and its file.
        """
        for source in read_tables(tables):
            try:
                self.execute(source.sql)
            except (DatabaseError, NotImplementedError) as error:
                raise BadParameterError(f"{source.where}: {error}, at: {source.sql}") from None

    def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run a statement, on a session of its own whose work is not counted. Raises `DatabaseError`."""
        return self._loop.run(lambda: self._world.admin.execute(sql, args))

    def run(self, transaction: Callable[[Session], Awaitable[T]], *, isolation: str | None = None) -> Measured[T]:
        """Run a transaction alone, and measure what it costs.

        Args:
            transaction: an async function over a session.
            isolation: the session's isolation level; None is the server's default.

        Raises:
            BadParameterError: there is no such isolation level.
            Exception: what the transaction raises.
        """
        level = _level(isolation)

        async def measured() -> Measured[T]:
            async with self._world.database(1) as pool, pool.session(level) as tx:
                costs, reads = await self._world.costs(), await self._world.reads()
                value = await transaction(tx)
                return Measured(value, await self._world.costs() - costs, await self._world.reads() - reads)

        return self._loop.run(measured)

    def in_world(self, body: Callable[[World], Awaitable[T]]) -> T:
        """Run an async function over the world itself, in the world's event loop; in the model in virtual time."""
        return self._loop.run(lambda: body(self._world))


def _level(isolation: str | None) -> Isolation | None:
    try:
        return None if isolation is None else Isolation(isolation)
    except ValueError as error:
        raise BadParameterError(str(error)) from None


@contextmanager
def on_mysql(url: str) -> Iterator[OwnSchema]:
    """A schema on the server at ``url`` for the block. Raises `WorldError`."""
    from chatsim.worlds.mysql.settings import Servers
    from chatsim.worlds.mysql.world import MySQLWorld

    with RealTime() as loop:
        world, stack = MySQLWorld(Servers(mysql_url=url)), AsyncExitStack()
        loop.run(lambda: stack.enter_async_context(world))
        try:
            yield OwnSchema(world, loop, f"{url.rstrip('/')}/{world.schema}")
        finally:
            loop.run(stack.aclose)


@contextmanager
def in_model() -> Iterator[OwnSchema]:
    """A schema in a new model for the block."""
    from chatsim.worlds.model.costs import ModelCosts
    from chatsim.worlds.model.world import ModelWorld

    async def made() -> ModelWorld:
        return ModelWorld(ModelCosts.read(None), seed=_SEED)

    with VirtualTime() as loop:
        yield OwnSchema(loop.run(made), loop, None)
