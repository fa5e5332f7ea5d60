"""What clusters and experiments need from a world, in addition to the ports that the chat system needs."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from chatsim.chat.ports import Directory, Files, LocalStore, Locks, Network, Peer, Peers, Presence, Tokens
from chatsim.chat.server.limits import Limits
from chatsim.db.commits import CommitFates
from chatsim.db.deadlock import Deadlock
from chatsim.db.session import Database, Session

__all__ = [
    "CALLERS",
    "BadParameterError",
    "Busy",
    "Costs",
    "Distance",
    "PeerGroup",
    "Platform",
    "Reads",
    "Shared",
    "Sharing",
    "TableContents",
    "World",
    "WorldError",
    "missing_extra",
]


CALLERS = "client"
"""The machine of callers straight on the database."""


class BadParameterError(ValueError):
    """A parameter is invalid. The message names it, its value and what is allowed."""


class WorldError(Exception):
    """A world can't be entered, or can't do what an experiment needs. The message names the cause and a way out."""


def missing_extra(what: str, extra: str) -> WorldError:
    """The error to raise where an optional library is not installed."""
    return WorldError(f"{what} needs the extra '{extra}': pip install 'chatsim[{extra}]'")


@dataclass(frozen=True)
class Busy:
    """How much a resource has worked.

    Attributes:
        seconds: how long its units have worked, added up.
        units: how many units it has, such as cores or connections.
    """

    seconds: float
    units: int


@dataclass(frozen=True)
class Costs:
    """What the database did, as counts that do not depend on the machine's speed.

    Attributes:
        round_trips: the number of requests of all sessions.
        statements: the number of successful SQL statements in them.
        rows_examined: the number of rows that the server has read; None if the server does not report it.
        lock_waits: how often a statement has waited for a row lock; None if the server does not report it.
        lock_requests: how many record locks were requested, also those that were held already; None if the server does
            not report it, as MySQL.
        flushes: how often the redo log was flushed; None if the server does not report it.
        busy: how much each resource of the world has worked, by its name; empty if the world does not know.
    """

    round_trips: int
    statements: int
    rows_examined: int | None
    lock_waits: int | None
    lock_requests: int | None = None
    flushes: int | None = field(default=None, compare=False)  # also what others do, and the server by itself
    busy: Mapping[str, Busy] = field(default_factory=dict, compare=False)

    def __sub__(self, before: Costs) -> Costs:
        return Costs(
            self.round_trips - before.round_trips,
            self.statements - before.statements,
            _difference(self.rows_examined, before.rows_examined),
            _difference(self.lock_waits, before.lock_waits),
            _difference(self.lock_requests, before.lock_requests),
            _difference(self.flushes, before.flushes),
            {
                name: Busy(now.seconds - (before.busy[name].seconds if name in before.busy else 0.0), now.units)
                for name, now in self.busy.items()
            },
        )

    def counts(self) -> dict[str, int | None]:
        """What is counted, by name."""
        names = ("round_trips", "statements", "rows_examined", "lock_waits", "lock_requests")
        return {name: getattr(self, name) for name in names}

    def utilisation(self, seconds: float) -> dict[str, float]:
        """The share of ``seconds`` that each resource has worked, from 0 to 1, by its name."""
        return {name: busy.seconds / busy.units / seconds for name, busy in self.busy.items()} if seconds else {}


@dataclass(frozen=True)
class Reads:
    """The rows that the database has read in its indexes, and written into temporary tables.

    Attributes:
        by_index: rows read, by ``table.index``, without zeros; None if the server does not report it.
        temporary: rows written into temporary tables; None if the server does not report it.
    """

    by_index: Mapping[str, int] | None
    temporary: int | None

    @property
    def total(self) -> int | None:
        """Rows read in all indexes."""
        return None if self.by_index is None else sum(self.by_index.values())

    def __sub__(self, before: Reads) -> Reads:
        now, then = self.by_index, before.by_index or {}
        more = None if now is None else {name: now[name] - then.get(name, 0) for name in sorted(now)}
        return Reads(
            None if more is None else {name: count for name, count in more.items() if count},
            _difference(self.temporary, before.temporary),
        )


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None else after - (before or 0)


@dataclass(frozen=True)
class TableContents:
    """What is in a table.

    Attributes:
        definition: its columns, keys and constraints, in words, a line each; those of a trigger or a view are one line.
        rows: its rows; columns in the order of the definition.
    """

    definition: tuple[str, ...]
    rows: Sequence[tuple[object, ...]] = ()


@dataclass(frozen=True)
class Distance:
    """The distance of a machine from all others.

    Attributes:
        rtt: the time of a round trip, in seconds.
        bandwidth: bytes per second, in each direction.
        jitter: the variation of the delay, as the standard deviation of its logarithm; ``rtt`` is the median then.
    """

    rtt: float = 0.0
    bandwidth: float = math.inf
    jitter: float = 0.0


@dataclass(frozen=True)
class SessionTimeouts:
    """How long a database server waits for the sessions of a pool, in whole seconds.

    Attributes:
        silence: after so long without a request, it closes a connection and rolls back its transaction
            (``wait_timeout``). The model's connections have no such timeout: what ends in the model, closes them.
        lock_wait: so long may a statement wait for a lock of another transaction (``innodb_lock_wait_timeout``).
    """

    silence: int
    lock_wait: int

    @classmethod
    def of_node(cls, limits: Limits) -> SessionTimeouts:
        """The timeouts of a node's sessions."""
        return cls(limits.idle_transaction, limits.lock_wait)


class PeerGroup(Protocol):
    """How the nodes of a cluster reach each other."""

    def of(self, name: str) -> Peers:
        """The `Peers` port of the node ``name``."""
        ...

    def serve(self, name: str, node: Peer) -> AbstractAsyncContextManager[None]:
        """Serve the calls that peers make to the node ``name`` for the block."""
        ...


@dataclass(frozen=True)
class Sharing:
    """How servers share presence, directory and tokens, and how nodes call each other.

    Attributes:
        registry: ``process``, in the memory of the process that all are in, or ``redis``.
        peers: ``process``, by direct calls, or ``grpc``.

    Raises:
        WorldError: a value is neither of these.
    """

    registry: str = "process"
    peers: str = "process"

    def __post_init__(self) -> None:
        for name, known in (("registry", ("process", "redis")), ("peers", ("process", "grpc"))):
            if (value := getattr(self, name)) not in known:
                raise WorldError(f"unknown {name} {value!r}; there are: {', '.join(known)}")


@dataclass(frozen=True)
class Shared:
    """What the servers of a cluster share.

    Attributes:
        tokens: issues and checks login tokens.
        presence: from the name of a machine to its `Presence` port.
        directory: the list of live nodes.
        peers: how nodes call each other.
    """

    tokens: Tokens
    presence: Callable[[str], Presence]
    directory: Directory
    peers: PeerGroup


class Platform(Protocol):
    """The machines on which nodes and clients run, for the length of an experiment."""

    name: str
    """``mysql`` or ``model``."""

    @property
    def files(self) -> Files:
        """The bytes of attachments, for all nodes."""
        ...

    def local_store(self, path: str) -> LocalStore:
        """A client's database in a file, or in ``":memory:"``."""
        ...

    def network_at(self, machine: str) -> Network:
        """The network as seen from the machine of that name."""
        ...

    def place(self, machine: str, distance: Distance) -> None:
        """Set the distance of a machine from all others, for connections that it opens from now on."""
        ...

    def host(self, machine: str) -> str:
        """The host at which that machine's listeners are reached."""
        ...

    def database(
        self, connections: int, machine: str = CALLERS, timeouts: SessionTimeouts | None = None
    ) -> AbstractAsyncContextManager[Database]:
        """A pool of connections from a machine. Entering it raises `WorldError` if they can't be opened.

        Args:
            connections: how many.
            machine: the machine's name.
            timeouts: how long the database waits for its sessions; None is the server's default.
        """
        ...

    def shared(self, sharing: Sharing | None, *, expiry: float, dead: float) -> AbstractAsyncContextManager[Shared]:
        """What a new cluster shares for the block. It is empty at first.

        Args:
            sharing: how it is shared; None is the platform's default.
            expiry: the seconds after which an entry of presence expires.
            dead: the seconds after which a node that does not report counts as dead.

        Raises:
            WorldError: on entering, if it can't be set up.
        """
        ...

    async def locks(self, connections: int, machine: str = CALLERS) -> Locks:
        """The `Locks` port of a machine, for that many callers at the same time.

        Raises `WorldError` if there is none.
        """
        ...


class World(Platform, Protocol):
    """A platform with what an experiment needs in addition to the ports that the chat system needs."""

    warms_up: bool
    """Whether the first run takes longer than later ones, because caches are empty."""

    @property
    def most_connections(self) -> int | None:
        """How many connections the database allows at once; None if any number."""
        ...

    @property
    def environment(self) -> Mapping[str, object]:
        """The description of the world in a result: at least ``engine`` and ``server_version``."""
        ...

    @property
    def admin(self) -> Session:
        """A session outside all pools, for loading and checking tables. Its work is not counted."""
        ...

    async def own_work(self) -> None:
        """Take the time of what an experiment itself does for an operation, where that takes none by itself."""
        ...

    async def install(self, schema: str) -> None:
        """Create the tables of a schema of ``chat/schema``, empty."""
        ...

    async def crash(self, down: float, *, host: bool = False) -> None:
        """Kill the database server, as ``kill -9`` does. It is restarted and recovered ``down`` seconds later.

        Args:
            down: how long it is down, in seconds.
            host: whether its whole host loses power, so that also what was written and not flushed is lost.

        Raises:
            WorldError: it can't be killed, or not in this way.
        """
        ...

    @property
    def fates(self) -> CommitFates | None:
        """What crashes and lost connections have done to commits so far; None if the server does not report it."""
        ...

    async def crash_redis(self, down: float) -> None:
        """Kill the Redis. An empty one is started ``down`` seconds later.

        Raises `WorldError` if it can't be killed.
        """
        ...

    def reserve(self, connections: int) -> None:
        """Make sure that this number of network connections can be open at the same time. Raises `WorldError`."""
        ...

    async def costs(self) -> Costs:
        """The costs of all pools together, so far."""
        ...

    async def reads(self) -> Reads:
        """What the open connections of all pools have read, so far."""
        ...

    async def explain(self, sql: str, args: Sequence[object]) -> str | None:
        """How the database executes a query (EXPLAIN ANALYZE); None if the database does not report it."""
        ...

    def stocked(
        self, schema: str, contents: str, load: Callable[[Session], Awaitable[None]]
    ) -> AbstractAsyncContextManager[None]:
        """For the block, the tables of a schema with the rows that ``load`` inserts. They must only be read.

        A server that outlives this world keeps them; ``contents`` is the key by which they are found again.
        """
        ...

    async def contents(self) -> Mapping[str, TableContents]:
        """All tables with their rows, by name, in a fixed order. Triggers and views are among them, without rows."""
        ...

    async def warnings(self) -> Sequence[str]:
        """What makes the server slower at this moment than it is by itself, each in a sentence."""
        ...

    async def session_states(self) -> Mapping[str, int] | None:
        """The states of all idle connections of all pools, in words, with the number of connections with each.

        Such as ``autocommit = ON``, a user variable, an advisory lock that is held. None if the server does not tell.
        """
        ...

    async def deadlock(self) -> Deadlock | None:
        """The latest deadlock in this world's tables since the last call, or None. A server may not report all."""
        ...
