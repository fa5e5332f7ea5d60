"""The callers of a race: each carries out one operation at a time, and records its outcome."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Self

from chatsim.chat.client.connection import Client, ClientError, DisconnectedError, LateError, RefusedError
from chatsim.chat.creation import CreationStrategy, attempt
from chatsim.chat.ports import Address, Locks, LocksError
from chatsim.chat.retry import Retry
from chatsim.db.errors import ConnectionLostError, DatabaseError, Kind
from chatsim.db.session import Database, Session
from chatsim.experiments.history import Operation, Recorder
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    import numpy as np

    from chatsim.experiments.creation.workload import Pair
    from chatsim.worlds.cluster import Cluster

__all__ = ["DEADLINE", "Caller", "OverdueError", "StackCaller", "StoreCaller", "devices"]

DEADLINE = 120.0
"""The seconds that an operation may take, if nothing else is said. A request through the stack that takes longer, and
its connection, count as lost."""


class OverdueError(Exception):
    """An operation has not ended by its deadline. Whether it took effect is unknown."""


class NodeLostError(ConnectionLostError):
    """A node does not answer any more. Whether the request took effect is unknown."""

    kind = Kind.NODE_LOST


class Caller(ABC):
    """A caller. Entering it connects it, so that this is not measured.

    Args:
        number: the number of the caller.
        retry: what it does after a refusal.
        rng: the random generator for the pauses between tries.
        deadline: the seconds that an operation may take.

    Attributes:
        overdue: whether an operation has passed its deadline.
    """

    def __init__(self, number: int, *, retry: Retry, rng: np.random.Generator, deadline: float) -> None:
        self._number = number
        self._retry = retry
        self._rng = rng
        self._deadline = deadline
        self.overdue = False

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Connect."""

    @abstractmethod
    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""

    @abstractmethod
    async def _attempt(self, uid: int, other: int) -> int:
        """Try once, as ``uid``, to get the thread with ``other``.

        Raises:
            DatabaseError, LocksError, RefusedError: the try was refused.
            StrategyError: the strategy is broken.
        """

    def _in_doubt(self) -> bool:
        """Whether a refused try may have taken effect."""
        return self.overdue

    @abstractmethod
    async def _abandon(self) -> None:
        """Give up the connection of an overdue operation."""

    async def create(
        self, uid: int, other: int, *, turn: int, begun: float, intended: float | None = None
    ) -> Operation:
        """Ask for the thread of ``uid`` and ``other``.

        Args:
            uid: the user who asks.
            other: the other user.
            turn: the number of the operation among the caller's.
            begun: the beginning of the run, on the loop's clock; the times of the record count from there.
            intended: when the operation was due, on the loop's clock; None is now.

        Raises:
            StrategyError: the strategy is broken. Refusals are outcomes and not errors.
        """

        async def create(refused: Callable[[DatabaseError], None]) -> dict[str, int]:
            thread = None
            with suppress(TimeoutError):  # only the deadline's: `attempt` raises those of a strategy as StrategyError
                async with asyncio.timeout(self._deadline) as limit:
                    thread = await self._retry.run(partial(self._attempt, uid, other), self._rng, refused)
            if thread is None or limit.expired():
                self.overdue = True
                await self._abandon()
                raise OverdueError(f"overdue: it has not ended within {self._deadline:g} s")
            return {"thread": thread}

        return await Recorder(self._number, begun).record(
            "create",
            {"uid": uid, "other": other},
            create,
            turn=turn,
            refusable=(DatabaseError, LocksError, RefusedError, OverdueError),
            in_doubt=self._in_doubt,
            intended=intended,
        )


class StoreCaller(Caller):
    """A caller with a database connection of its own, without wire and node.

    Args:
        number: the number of the caller.
        database: the pool of its connection.
        strategy: the creation strategy.
        locks: the `Locks` port, if the strategy uses one.
        retry: what it does after a refusal.
        rng: the random generator for the pauses between tries.
        deadline: the seconds that an operation may take.
    """

    def __init__(
        self,
        number: int,
        *,
        database: Database,
        strategy: CreationStrategy,
        locks: Locks | None,
        retry: Retry,
        rng: np.random.Generator,
        deadline: float = DEADLINE,
    ) -> None:
        super().__init__(number, retry=retry, rng=rng, deadline=deadline)
        self._database = database
        self._strategy = strategy
        self._locks = locks
        self._lease = AsyncExitStack()
        self._session: Session | None = None

    async def __aenter__(self) -> Self:
        await self._leased()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lease.aclose()

    async def _attempt(self, uid: int, other: int) -> int:
        session = await self._leased()
        try:
            return await attempt(self._strategy, session, uid, other, self._locks)
        except Exception as error:
            if isinstance(error, ConnectionLostError) or session.in_transaction:
                await self._abandon()  # so that the next try leases another
            raise

    async def _abandon(self) -> None:
        self._session = None
        await self._lease.aclose()

    async def _leased(self) -> Session:
        if self._session is None:
            self._session = await self._lease.enter_async_context(self._database.session(self._strategy.isolation))
        return self._session


class StackCaller(Caller):
    """A caller through the whole stack: client, wire, node, database.

    A user can only make requests for itself, so the caller has a device of each user for which it will ask, on the node
    where that device belongs (see `devices`). The devices are logged in on entering, and again on the node with the
    fewest sessions when their node is lost. After a refusal of the database, the node tries again and counts it. After
    the loss of a node, the caller tries again.

    Args:
        number: the number of the caller.
        rank: its number among the callers that ask as the same user at the same time.
        cluster: the nodes.
        calls: the requests that it will make.
        retry: what it does after the loss of a node.
        rng: the random generator for the pauses between tries.
        deadline: the seconds that an operation may take.
    """

    def __init__(
        self,
        number: int,
        *,
        rank: int,
        cluster: Cluster,
        calls: Iterable[Pair],
        retry: Retry,
        rng: np.random.Generator,
        deadline: float = DEADLINE,
    ) -> None:
        super().__init__(number, retry=retry, rng=rng, deadline=deadline)
        self._rank = rank
        self._cluster = cluster
        self._calls = calls
        self._devices: dict[tuple[int, int], Client] = {}

    async def __aenter__(self) -> Self:
        nodes = self._cluster.nodes
        for uid, home in devices(len(nodes), self._rank, self._calls):
            try:
                self._devices[uid, home] = await self._log_in(uid, nodes[home].address)
            except ClientError as error:
                raise WorldError(f"client {self._number} can't log in as {uid}: {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._devices.values():
            await client.close()

    def _in_doubt(self) -> bool:
        # the reply says only that it failed; a node that has lost the database does not know more
        return self.overdue or Kind.CONNECTION_LOST in self._cluster.stats.refusals

    async def _abandon(self) -> None:
        await self.__aexit__()

    async def _log_in(self, uid: int, address: Address | None = None) -> Client:
        return await self._cluster.log_in(uid, address, deadline=DEADLINE, machine=f"client{self._number}")

    async def _attempt(self, uid: int, other: int) -> int:
        device = (uid, _home(len(self._cluster.nodes), self._rank, uid, other))
        try:
            client = self._devices[device]
            if client.ended is not None:
                client = self._devices[device] = await self._log_in(uid)
            return await client.create_private_chat(other)
        except RefusedError as error:
            if crash := self._cluster.stats.crash:
                raise crash from error
            raise
        except (DisconnectedError, LateError) as error:
            await self._devices[device].close()  # so that a new request does not wait behind a late one
            if crash := self._cluster.stats.crash:
                raise crash from error
            raise NodeLostError(None, str(error)) from error


def devices(nodes: int, rank: int, calls: Iterable[Pair]) -> list[tuple[int, int]]:
    """The devices that a caller needs for its calls: each with its user and the number of its node.

    The two members of a pair are never on the same node (if there are two nodes). The devices of a member, which differ
    in ``rank``, are spread over the remaining nodes. Pairs begin at different nodes.
    """
    return list(dict.fromkeys((uid, _home(nodes, rank, uid, other)) for uid, other in calls))


def _home(nodes: int, rank: int, uid: int, other: int) -> int:
    if nodes == 1:
        return 0
    return (uid + other + 2 * (rank % (nodes // 2)) + (uid > other)) % nodes
