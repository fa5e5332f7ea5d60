"""The clients of an experiment: each carries out one operation at a time and records what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
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

__all__ = ["Caller", "StackCaller", "StoreCaller", "devices"]

_DEADLINE = 120.0
"""Seconds after which a request through the stack counts as lost, and its connection with it."""


class NodeLostError(ConnectionLostError):
    """A node does not answer any more; whether what it was asked took effect is unknown."""

    kind = Kind.NODE_LOST


class Caller(ABC):
    """A client; enter it to have it connected, so that no measured window does that.

    Args:
        number: which client this is.
        retry: what it does when refused.
        rng: for the pauses between tries.
    """

    def __init__(self, number: int, *, retry: Retry, rng: np.random.Generator) -> None:
        self._number = number
        self._retry = retry
        self._rng = rng

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Connect."""

    @abstractmethod
    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""

    @abstractmethod
    async def _attempt(self, uid: int, other: int) -> int:
        """One try, as ``uid``, to have the thread with ``other``.

        Raises:
            DatabaseError, LocksError, RefusedError: it was refused.
            StrategyError: the strategy is broken.
        """

    def _in_doubt(self) -> bool:
        """Whether what was refused may have been done all the same."""
        return False

    async def create(
        self, uid: int, other: int, *, turn: int, begun: float, intended: float | None = None
    ) -> Operation:
        """Ask for the thread of ``uid`` and ``other``.

        Args:
            uid: the asking user.
            other: whom to chat with.
            turn: which of this caller's operations it is.
            begun: when the run began, on the loop's clock; the record's times count from there.
            intended: when the operation was due, on the loop's clock; now, when None.

        Raises:
            StrategyError: the strategy is broken. Refusals are outcomes, not errors.
        """

        async def create(refused: Callable[[DatabaseError], None]) -> dict[str, int]:
            return {"thread": await self._retry.run(partial(self._attempt, uid, other), self._rng, refused)}

        return await Recorder(self._number, begun).record(
            "create",
            {"uid": uid, "other": other},
            create,
            turn=turn,
            refusable=(DatabaseError, LocksError, RefusedError),
            in_doubt=self._in_doubt,
            intended=intended,
        )


class StoreCaller(Caller):
    """A caller straight on a connection of its own to the database: no wire, no node.

    Args:
        number: which client this is.
        database: where its connection is leased.
        strategy: how it creates.
        locks: the `Locks` port, if the strategy uses one.
        retry: what it does when refused.
        rng: for the pauses between tries.
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
    ) -> None:
        super().__init__(number, retry=retry, rng=rng)
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
                self._session = None  # so that the next try leases another
                await self._lease.aclose()
            raise

    async def _leased(self) -> Session:
        if self._session is None:
            self._session = await self._lease.enter_async_context(self._database.session(self._strategy.isolation))
        return self._session


class StackCaller(Caller):
    """A caller through the whole stack: client, wire, node, database.

    A request is its user's own, so the caller has a device of every user that it will ask for, on the node where that
    device belongs (see `devices`): logged in on entering, again on the least loaded node when its node is lost. What
    the database refuses is tried again by the node, and counted there; this end tries again when a node is lost.

    Args:
        number: which client this is.
        rank: its number among those who ask as the same user at the same time.
        cluster: the nodes.
        calls: what it is going to ask.
        retry: what it does when a node is lost.
        rng: for the pauses between tries.
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
    ) -> None:
        super().__init__(number, retry=retry, rng=rng)
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
        # the reply says only that it failed; a node that has lost the database knows no more itself
        return Kind.CONNECTION_LOST in self._cluster.stats.refusals

    async def _log_in(self, uid: int, address: Address | None = None) -> Client:
        return await self._cluster.log_in(uid, address, deadline=_DEADLINE, machine=f"client{self._number}")

    async def _attempt(self, uid: int, other: int) -> int:
        device = (uid, _home(len(self._cluster.nodes), self._rank, uid, other))
        try:
            client = self._devices[device]
            if client.ended is not None:
                client = self._devices[device] = await self._log_in(uid)
            return await client.create_private_chat(other)
        except (DisconnectedError, LateError) as error:
            await self._devices[device].close()  # so that a late one is not asked again behind itself
            if crash := self._cluster.stats.crash:
                raise crash from error
            raise NodeLostError(None, str(error)) from error


def devices(nodes: int, rank: int, calls: Iterable[Pair]) -> list[tuple[int, int]]:
    """The devices that a client needs for its calls: of which user, on which of so many nodes.

    The two members of a pair are never on the same node (if there are two), the devices of a member, told apart by
    ``rank``, are spread over as many nodes as that leaves, and pairs begin at different ones.
    """
    return list(dict.fromkeys((uid, _home(nodes, rank, uid, other)) for uid, other in calls))


def _home(nodes: int, rank: int, uid: int, other: int) -> int:
    if nodes == 1:
        return 0
    return (uid + other + 2 * (rank % (nodes // 2)) + (uid > other)) % nodes
