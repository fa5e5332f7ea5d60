"""What clusters and experiments need of a world, beside the ports that the chat system runs on."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from chatsim.chat.ports import Directory, LocalStore, Locks, Network, Peer, Peers, Presence, Tokens
from chatsim.db.deadlock import Deadlock
from chatsim.db.session import Database, Session

__all__ = [
    "BadParameterError",
    "Costs",
    "Distance",
    "PeerGroup",
    "Platform",
    "Reads",
    "Shared",
    "Sharing",
    "World",
    "WorldError",
    "missing_extra",
]


class BadParameterError(ValueError):
    """A parameter makes no sense; the message names it, its value and what is allowed."""


class WorldError(Exception):
    """A world can't be had, or can't do what an experiment asks; the message names the culprit and a way out."""


def missing_extra(what: str, extra: str) -> WorldError:
    """The error to raise where an optional library is not installed."""
    return WorldError(f"{what} needs the extra '{extra}': pip install 'chatsim[{extra}]'")


@dataclass(frozen=True)
class Costs:
    """What the database did, as counts that do not depend on the machine's speed.

    Attributes:
        round_trips: requests that the sessions sent.
        statements: SQL statements in them that ended well.
        rows_examined: rows that the server read to answer; None where it does not say.
        lock_waits: how often a statement waited for a row lock; None where the server does not say.
    """

    round_trips: int
    statements: int
    rows_examined: int | None
    lock_waits: int | None

    def __sub__(self, before: Costs) -> Costs:
        return Costs(
            self.round_trips - before.round_trips,
            self.statements - before.statements,
            _difference(self.rows_examined, before.rows_examined),
            _difference(self.lock_waits, before.lock_waits),
        )


@dataclass(frozen=True)
class Reads:
    """What the database read in its own indexes, and what it put aside to answer.

    Attributes:
        by_index: rows read, by ``table.index``, where there were any; None where the server does not say.
        temporary: rows written into temporary tables; None where it does not say.
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
class Distance:
    """How far a machine is from all others.

    Attributes:
        rtt: the time of a round trip, in seconds.
        bandwidth: bytes per second, in each direction.
        jitter: how much the delay varies: the standard deviation of its logarithm; ``rtt`` is the median then.
    """

    rtt: float = 0.0
    bandwidth: float = math.inf
    jitter: float = 0.0


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
    """How servers know what they know together, and how nodes reach each other.

    Attributes:
        registry: ``process``: in the memory of the one process that they are in; or ``redis``.
        peers: ``process``: they call each other; or ``grpc``.

    Raises:
        WorldError: there is no such way.
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
        tokens: the proofs of a login.
        presence: which node a user is on, as the machine of that name sees it.
        directory: which nodes there are.
        peers: how they reach each other.
    """

    tokens: Tokens
    presence: Callable[[str], Presence]
    directory: Directory
    peers: PeerGroup


class Platform(Protocol):
    """A place where nodes and clients run, entered for the length of an experiment."""

    name: str
    """``mysql`` or ``model``."""

    def wall_time(self) -> float:
        """Seconds since the epoch."""
        ...

    def local_store(self, path: str) -> LocalStore:
        """A client's database in a file, or in ``":memory:"``."""
        ...

    def at(self, machine: str) -> Network:
        """The network as seen from the machine of that name."""
        ...

    def place(self, machine: str, distance: Distance) -> None:
        """Have a machine be so far from all others, from now on: for connections that it opens."""
        ...

    def host(self, machine: str) -> str:
        """The host at which that machine's listeners are reached."""
        ...

    def database(self, connections: int, machine: str = "client") -> AbstractAsyncContextManager[Database]:
        """A pool of so many connections from a machine. Raises `WorldError` on entering when they can't be had."""
        ...

    def shared(self, sharing: Sharing | None, *, expiry: float, dead: float) -> AbstractAsyncContextManager[Shared]:
        """What a new cluster shares for the block; nobody is in it yet.

        Args:
            sharing: how; as is usual here, when None.
            expiry: the seconds after which an entry of presence has lapsed.
            dead: the seconds after which a node that does not report counts as dead.

        Raises:
            WorldError: on entering, when it can't be had.
        """
        ...

    async def locks(self, connections: int, machine: str = "client") -> Locks:
        """The `Locks` port as seen from a machine, ready for so many callers at once.

        Raises `WorldError` when there is none to be had.
        """
        ...


class World(Platform, Protocol):
    """A platform with what an experiment needs beside the ports that the chat system runs on."""

    warms_up: bool
    """Whether what runs first takes longer than it would later: caches are cold."""

    @property
    def environment(self) -> Mapping[str, object]:
        """What a result must say of it: at least ``engine`` and ``server_version``."""
        ...

    @property
    def admin(self) -> Session:
        """A session outside every pool, whose work is not counted: for loading tables and looking at them."""
        ...

    async def install(self, schema: str) -> None:
        """Make the tables of ``chat/schema`` anew, empty."""
        ...

    async def crash(self, down: float) -> None:
        """Kill the database server, as ``kill -9`` does; so many seconds later it is there again, recovered.

        Raises `WorldError` when it can't be killed.
        """
        ...

    async def crash_redis(self, down: float) -> None:
        """Kill the Redis; so many seconds later one is there again, empty.

        Raises `WorldError` when it can't be killed.
        """
        ...

    def reserve(self, connections: int) -> None:
        """See to it that so many connections can be open on the network at once. Raises `WorldError`."""
        ...

    async def costs(self) -> Costs:
        """What all the pools together have cost so far."""
        ...

    async def reads(self) -> Reads:
        """What all the pools' open connections have read so far."""
        ...

    async def explain(self, sql: str, args: Sequence[object]) -> str | None:
        """How the database carries out a statement that reads, measured; None where it does not say."""
        ...

    def stocked(
        self, schema: str, contents: str, load: Callable[[Session], Awaitable[None]]
    ) -> AbstractAsyncContextManager[None]:
        """Have, for the block, the tables of ``chat/schema`` with what ``load`` puts in, which is only to be read.

        On a server that outlives this world they are kept, and found again by what says their ``contents``.
        """
        ...

    async def deadlock(self) -> Deadlock | None:
        """The latest deadlock in this world's tables since the last call, if there was one and it can be known."""
        ...
