"""A chat system of a test's own: chat servers that run on a schema of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from chatsim.chat import schema as schemas
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.loading import add_users
from chatsim.worlds.world import BadParameterError, World

if TYPE_CHECKING:
    from chatsim.pytest.own_schema import OwnSchema

__all__ = ["Login", "OwnCluster", "running"]

T = TypeVar("T")

_FIRST_UID = 1001
_POOL = 5


@dataclass(frozen=True)
class Login:
    """Where a user logs in, as whom, and with which token.

    Attributes:
        uid: the user's id.
        name: the user's name.
        host: the host of a chat server.
        port: its port.
        token: the login token.
    """

    uid: int
    name: str
    host: str
    port: int
    token: str


@dataclass(frozen=True)
class OwnCluster:
    """A running chat system.

    Attributes:
        schema: its tables.
        logins: for each user, how to log in: by TCP for a client of the test's own. In the model only `run` gets there.
    """

    schema: OwnSchema
    logins: Sequence[Login]
    _cluster: Cluster

    def run(self, body: Callable[[Cluster], Awaitable[T]]) -> T:
        """What an async function over the chat system returns, which runs in its event loop.

        In the model that is virtual time. The caller is blocked meanwhile.
        """
        return self.schema.in_world(lambda _: body(self._cluster))

    def befriend(self, uid: int, other: int) -> None:
        """Make two users friends: only then can they create a private chat."""
        friends = "INSERT INTO friend (self_id, friend_id) VALUES (?, ?), (?, ?)"
        self.schema.execute(friends, (uid, other, other, uid))


@contextmanager
def running(
    schema: OwnSchema, *, nodes: int = 1, users: int = 2, strategy: str = "look_first", tables: str = "hardened"
) -> Iterator[OwnCluster]:
    """A chat system for the block.

    Args:
        schema: where its tables are made.
        nodes: how many chat servers there are.
        users: how many users.
        strategy: the name of the strategy with which they create private chats.
        tables: the name of the tables.

    Raises:
        BadParameterError: there are no such strategy or tables, or not at least one node and one user.
        AssertionError: at the end, if a chat server has met an error that it did not expect.
    """
    for name, value in (("nodes", nodes), ("users", users)):
        if value < 1:
            raise BadParameterError(f"{name} is {value!r}; it must be at least 1")
    for name, text, known in (("strategy", strategy, [*STRATEGIES]), ("tables", tables, schemas.names())):
        if text not in known:
            raise BadParameterError(f"{name} is {text!r}; it can be: {', '.join(known)}")
    stack = AsyncExitStack()

    async def begin(world: World) -> OwnCluster:
        return await _begin(stack, world, schema, nodes=nodes, users=users, strategy=strategy, tables=tables)

    async def end(_: World) -> None:
        await stack.aclose()

    try:
        there = schema.in_world(begin)
        yield there
        crash = there._cluster.stats.crash  # noqa: SLF001 - its own
    finally:
        schema.in_world(end)
    if crash is not None:
        raise AssertionError(f"a chat server has met an error that it did not expect: {crash!r}") from crash


async def _begin(
    stack: AsyncExitStack, world: World, schema: OwnSchema, *, nodes: int, users: int, strategy: str, tables: str
) -> OwnCluster:
    import numpy as np

    uids = range(_FIRST_UID, _FIRST_UID + users)
    await world.install(tables)
    await add_users(world.admin, uids)
    there = await stack.enter_async_context(
        cluster(
            world,
            nodes=nodes,
            pool=_POOL,
            strategy=STRATEGIES[strategy],
            retry=POLICIES["retry"],
            limits=Limits(),
            schema=tables,
            rngs=[np.random.default_rng(seed) for seed in range(nodes)],
        )
    )
    logins = []
    for uid in uids:
        ticket = await there.status.send(uid)
        logins.append(Login(uid, f"user{uid}", ticket.address.host, ticket.address.port, ticket.token))
    return OwnCluster(schema, logins, there)
