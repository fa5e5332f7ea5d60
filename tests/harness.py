"""A cluster in either world, what is in its tables, and devices of users that speak the wire's JSON by hand."""

import asyncio
import functools
import inspect
import json
import re
import struct
from contextlib import asynccontextmanager

import numpy as np
import pytest

from chatsim.chat import schema as schemas
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.store import threads
from chatsim.db.session import Isolation
from chatsim.worlds.cluster import cluster
from chatsim.worlds.loading import add_users, insert

ANN, BOB, CAT, DAN = 1, 2, 3, 4
USERS = range(1, 10)
PATIENCE = 60.0  # seconds that nothing here should take
_HEADER = struct.Struct(">HH")
_WATCHES = 3  # the tasks that a node has beside its sessions for as long as it is open
_WAITING = """
    SELECT COUNT(DISTINCT w.REQUESTING_ENGINE_TRANSACTION_ID) FROM performance_schema.data_lock_waits w
      JOIN performance_schema.data_locks l ON l.ENGINE_LOCK_ID = w.REQUESTING_ENGINE_LOCK_ID
     WHERE l.OBJECT_SCHEMA = DATABASE()"""


def in_both_worlds(schema="hardened", *, worlds=("model", "mysql"), **options):
    """Have a coroutine test be given a `Harness` in each world; ``schema`` may be several.

    Options are those of `harness`.
    """
    each = [schema] if isinstance(schema, str) else schema

    def decorate(body):
        async def enter(there, name, given):
            async with harness(there, name, **options) as made, asyncio.timeout(PATIENCE):
                await body(made, **given)

        @pytest.mark.worlds(*worlds)
        @pytest.mark.parametrize("tables", each)
        @functools.wraps(body)
        def test(world, tables, **given):
            world.in_world(lambda there: enter(there, tables, given))

        first, *others = inspect.signature(body).parameters.values()
        assert first.name == "harness"
        own = [inspect.Parameter(name, first.kind) for name in ("world", "tables")]
        test.__signature__ = inspect.Signature([*own, *others])
        return test

    return decorate


class PausedSession:
    """A database session that stops before its round trip number ``at``, from 0, until it is let go; or fails there.

    Attributes:
        stopped: set when it has come that far.
        go: what it waits for then.
    """

    def __init__(self, tx, at, *, failure=None, behind=False):
        self._tx = tx
        self._at = at
        self._failure = failure
        self._behind = behind  # whether what it fails at is done nevertheless
        self._trips = 0
        self.stopped = asyncio.Event()
        self.go = asyncio.Event()

    @property
    def in_transaction(self):
        return self._tx.in_transaction

    async def execute(self, sql, args=()):
        return await self._trip(self._tx.execute, sql, args)

    async def script(self, sql, args=()):
        return await self._trip(self._tx.script, sql, args)

    async def begin(self, isolation=None):
        await self._trip(self._tx.begin, isolation)

    async def commit(self):
        await self._trip(self._tx.commit)

    async def rollback(self):
        await self._tx.rollback()

    async def _trip(self, work, *args):
        self._trips += 1
        if self._trips - 1 != self._at:
            return await work(*args)
        self.stopped.set()
        if self._failure is None:
            await self.go.wait()
            return await work(*args)
        if self._behind:
            await work(*args)
        raise self._failure


class SpoiledDatabase:
    """A node's database whose next session is `PausedSession`, all later ones as they are."""

    def __init__(self, database, at, **how):
        self.whole = database
        self.paused = None
        self._next = (at, how)

    @asynccontextmanager
    async def session(self, isolation=None):
        async with self.whole.session(isolation) as tx:
            if self.paused is not None:
                yield tx
                return
            at, how = self._next
            self.paused = PausedSession(tx, at, **how)
            yield self.paused


class WireClient:
    """A connection to a node.

    Attributes:
        uid: whose, once it has logged in.
        unasked: what has come unasked, ids and bodies.
    """

    def __init__(self, stream):
        self._stream = stream
        self._data = b""
        self.uid = None
        self.unasked = []

    async def say(self, number, body):
        """Send a message; ``body`` is anything that JSON can say, or bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self._stream.write(_HEADER.pack(number, len(data)) + data)

    async def hear(self):
        """The next message as its id and its body, or None when the node has closed."""
        header = await self._exactly(_HEADER.size)
        if header is None:
            return None
        number, length = _HEADER.unpack(header)
        return number, json.loads(await self._exactly(length))

    async def ask(self, number, body):
        """Send a request and wait for its reply; what comes before it is unasked. None when the node closed."""
        await self.say(number, body)
        while (message := await self.hear()) is not None:
            if message[0] == number + 1:
                return message[1]
            self.unasked.append(message)
        return None

    async def notices(self):
        """What has come unasked since the last call."""
        assert await self.ask(1023, {"fromuid": self.uid}) == {"error": 0}
        unasked, self.unasked = self.unasked, []
        return unasked

    async def close(self):
        """Close."""
        await self._stream.close()

    async def _exactly(self, count):
        while len(self._data) < count:
            piece = await self._stream.read(65_536)
            if not piece:
                assert not self._data
                return None
            self._data += piece
        data, self._data = self._data[:count], self._data[count:]
        return data


class Harness:
    """The nodes under test, with their tables and their clients.

    Attributes:
        world: where the nodes run.
        schema: which tables there are.
        cluster: the nodes.
    """

    def __init__(self, world, schema, cluster):
        self.world = world
        self.schema = schema
        self.cluster = cluster
        self._devices = []

    async def connect(self, node=0):
        """A connection that has not logged in."""
        device = WireClient(await self.world.network_at("client").connect(self.cluster.nodes[node].address))
        self._devices.append(device)
        return device

    async def log_in(self, uid, node=0, **other):
        """A device of a user, logged in."""
        device = await self.connect(node)
        reply = await device.ask(1005, {"uid": uid, "token": await self.world.tokens.issue(uid)} | other)
        assert reply["error"] == 0
        device.uid = uid
        return device

    async def befriend(self, one, other):
        """The rows of a friendship."""
        await insert(self.world.admin, "friend (self_id, friend_id)", [(one, other), (other, one)])

    async def thread(self, one, other):
        """The rows of a private chat; returns its id."""
        made = await self.world.admin.execute("INSERT INTO chat_thread (type) VALUES ('private')")
        into = "private_chat (thread_id, user1_id, user2_id)"
        await insert(self.world.admin, into, [(made.last_id, min(one, other), max(one, other))])
        if self.schema == "hardened":
            await threads.joined(self.world.admin, made.last_id, (one, other))
        return made.last_id

    async def group(self, creator, *others, roles=None, name="us"):
        """The rows of a group of friends; ``roles`` are those of others who are not members only. Returns its id."""
        made = await self.world.admin.execute("INSERT INTO chat_thread (type) VALUES ('group')")
        await insert(self.world.admin, "group_chat (thread_id, name)", [(made.last_id, name)])
        roles = {creator: 2} | dict.fromkeys(others, 0) | (roles or {})
        members = [(made.last_id, uid, role) for uid, role in roles.items()]
        await insert(self.world.admin, "group_chat_member (thread_id, user_id, role)", members)
        if self.schema == "hardened":
            sql, args = threads.changed_in_group(made.last_id)
            await self.world.admin.script(sql, args)
        return made.last_id

    async def talking(self, one, other):
        """A private chat of two friends; returns its id."""
        await self.befriend(one, other)
        return await self.thread(one, other)

    async def rows(self, sql, *args):
        """What the tables say."""
        return [tuple(row) for row in (await self.world.admin.execute(sql, args)).rows]

    async def tables(self):
        """Every row of every table."""
        names = [
            re.search(r"CREATE TABLE (\w+)", statement)[1]
            for statement in schemas.statements(self.schema)
            if "CREATE TABLE" in statement
        ]
        return {name: sorted(await self.rows(f"SELECT * FROM {name}"), key=repr) for name in names}

    async def settled(self):
        """Wait until no node has anything more to tell anybody."""
        while any(len(node._tasks) > _WATCHES for node in self.cluster.nodes):  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def waiting(self):
        """How many transactions wait for row locks."""
        if self.world.name == "model":
            return len(self.world.server.engine.locks.waits.waiting)
        return (await self.world.admin.execute(_WAITING)).scalar()

    async def crossed(self, first, second, at):
        """What two transactions come to if one is overtaken by the other, and whether it was.

        Args:
            first: a coroutine function of a session; it stops before its round trip number ``at`` until the second
                has ended or waits for a lock.
            second: the other.
            at: from 0.

        Returns:
            The two results, or errors; whether the first has come as far as ``at``.
        """
        level = Isolation.REPEATABLE_READ
        async with self.world.database(2) as pool, pool.session(level) as one, pool.session(level) as other:
            paused = PausedSession(one, at)
            running = asyncio.create_task(_ended(first, paused))
            stopping = asyncio.create_task(paused.stopped.wait())
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            overtaken = stopping.done()
            stopping.cancel()
            overtaking = asyncio.create_task(_ended(second, other))
            while not overtaking.done() and await self.waiting() == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            paused.go.set()
            return await asyncio.gather(running, overtaking, return_exceptions=True), overtaken

    def spoil(self, at, node=0, **how):
        """Have the node's next database session stop, or fail, before its round trip number ``at``; see
        `PausedSession`.
        """
        database = self.cluster.nodes[node].database
        whole = database.pool.whole if isinstance(database.pool, SpoiledDatabase) else database.pool
        database.pool = SpoiledDatabase(whole, at, **how)
        return database.pool

    async def close(self):
        """Close all devices."""
        for device in self._devices:
            await device.close()


async def _ended(work, tx):
    """What a transaction comes to; what it leaves open is rolled back, as a node does."""
    try:
        return await work(tx)
    finally:
        if tx.in_transaction:
            await tx.rollback()


@asynccontextmanager
async def harness(world, schema, *, nodes=1, pool=5, retry="retry", strategy="look_first", **limits):
    """Nodes on fresh tables with the users 1 to 9, and no crash at the end; limits are those of `Limits`."""
    await world.install(schema)
    await add_users(world.admin, USERS)
    async with cluster(
        world,
        nodes=nodes,
        pool=pool,
        strategy=STRATEGIES[strategy],
        retry=POLICIES[retry],
        limits=Limits(**limits),
        schema=schema,
        rngs=[np.random.default_rng(seed) for seed in range(nodes)],
    ) as running:
        made = Harness(world, schema, running)
        try:
            yield made
            assert made.cluster.stats.crash is None
        finally:
            await made.close()
