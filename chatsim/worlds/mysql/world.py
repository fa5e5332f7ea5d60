"""The world `mysql`: a server from the ladder with a schema of its own, pools of connections, and a Redis if needed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from chatsim.chat import schema as schemas
from chatsim.chat.ports import Address, Directory, Locks, LocksError, Network, Presence, Tokens
from chatsim.db.deadlock import Deadlock
from chatsim.db.errors import DatabaseError
from chatsim.db.session import Session
from chatsim.worlds.common.presence import MemoryDirectory, MemoryPresence, ProcessPeers
from chatsim.worlds.common.tokens import LIFETIME, SignedTokens
from chatsim.worlds.mysql import contents, counters, deadlock_report, driver, health, processors, session_states, tcp
from chatsim.worlds.mysql.delayed_network import DelayedNetwork
from chatsim.worlds.mysql.files import DirectoryFiles, temporary_directory
from chatsim.worlds.mysql.local_store import SqliteStore
from chatsim.worlds.mysql.servers import ladder
from chatsim.worlds.mysql.servers.private import Instance, StartError
from chatsim.worlds.mysql.servers.urls import without_password
from chatsim.worlds.mysql.settings import LOOPBACK, Servers
from chatsim.worlds.mysql.sharing import grpc_peers, registry
from chatsim.worlds.mysql.stale_schemas import PREFIX
from chatsim.worlds.mysql.tcp import TcpNetwork
from chatsim.worlds.world import Costs, Distance, Reads, SessionTimeouts, Shared, Sharing, TableContents, WorldError

if TYPE_CHECKING:
    from chatsim.worlds.mysql.redis_locks import RedisLocks

__all__ = ["MySQLWorld"]

_log = logging.getLogger(__name__)
_LOADED = "loaded"
"""The table whose existence means that all rows have been loaded."""

_SETTINGS = (
    "max_connections",
    "log_bin",
    "sync_binlog",
    "innodb_flush_log_at_trx_commit",
    "innodb_doublewrite",
    "innodb_buffer_pool_size",
    "innodb_autoinc_lock_mode",
    "innodb_deadlock_detect",
    "innodb_lock_wait_timeout",
    "innodb_rollback_on_timeout",
    "innodb_print_all_deadlocks",
    "transaction_isolation",
)


class MySQLWorld:
    """The `World` on a real server. Entering it starts or finds the server, and makes a schema and an admin session.

    Args:
        servers: which servers to use.
        token_lifetime: the lifetime of a token, in seconds.
        attachments: where to make the directory for the bytes of attachments; None is a temporary directory.

    Attributes:
        schema: the schema's name.
        tokens: issues and checks login tokens, if they are not in a Redis.
        token_key: the key that signs them.

    Raises:
        WorldError: on entering, if no server is available.
    """

    name = "mysql"
    warms_up = True

    def __init__(
        self,
        servers: Servers | None = None,
        *,
        token_lifetime: int = LIFETIME,
        attachments: Path | None = None,
    ) -> None:
        self._servers = servers or Servers()
        self._stack = AsyncExitStack()
        self._redis: ladder.Server | None = None
        self._sharings = 0
        self._locks: RedisLocks | None = None
        self._environment: dict[str, object] = {}
        self._counts = driver.RequestCounts()
        self._last_report = ""
        self._network = TcpNetwork()
        self._placed: dict[str, DelayedNetwork] = {}
        self.token_key = secrets.token_bytes(32)
        self.tokens: Tokens = SignedTokens(self.token_key, time.time, token_lifetime)
        self._token_lifetime = token_lifetime
        self.schema = PREFIX + secrets.token_hex(6)
        self._attachments = attachments

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        self._server = await self._own(self._servers.mysql)
        try:
            self.admin = await driver.connect(self._server.url)
            self._stack.push_async_callback(self._close_admin)
            await self._hold_schema()
            try:
                await self.admin.script(f"CREATE DATABASE {self.schema}; USE {self.schema}")
            except asyncio.CancelledError:
                await self._drop()  # the schema may have been created
                raise
            self._stack.push_async_callback(self._drop)
            await self._count_out_admin()
            self._environment = await self._describe()
            self._process = await processors.server_process(self.admin)
            await self.deadlock()
        except DatabaseError as error:
            raise WorldError(f"MySQL at {without_password(self._server.url)} can't be used: {error}") from error

    async def _hold_schema(self) -> None:
        """Hold an advisory lock while the schema is in use: `drop_stale_schemas` drops schemas without this lock."""
        await self.admin.execute("DO GET_LOCK(?, 0)", (self.schema,))

    async def _close_admin(self) -> None:
        await self.admin.close()

    async def _count_out_admin(self) -> None:
        """Do not count the admin session. The server counts by schema, and reading the counts counts, too."""
        # a user who may not do this gets costs that are a few rows too high
        with contextlib.suppress(DatabaseError):
            await self.admin.execute(
                "UPDATE performance_schema.threads SET INSTRUMENTED = 'NO' WHERE PROCESSLIST_ID = CONNECTION_ID()"
            )

    async def _own(self, climb: Callable[[], ladder.Server]) -> ladder.Server:
        """A server from ``climb``, which ends with this world. A thread starts and stops it, because both block."""
        starting = asyncio.ensure_future(asyncio.to_thread(climb))
        try:
            server = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # the thread can't be stopped: wait for what it starts, and end that
            with contextlib.suppress(WorldError):
                (await starting).close()
            raise
        self._stack.push_async_callback(asyncio.to_thread, server.close)
        return server

    async def _drop(self) -> None:
        drop = f"DROP DATABASE IF EXISTS {self.schema}"
        try:
            await self.admin.execute(drop)
        except asyncio.CancelledError:
            _log.warning("the schema %s is left behind; `chatsim mysql clean` drops it", self.schema)
            raise
        except DatabaseError:
            # the admin connection is gone, or was interrupted and its last statement may still be making the schema;
            # a fresh one has the lock once the old one has ended, and not before
            await self.admin.close()
            try:
                session = await driver.connect(self._server.url)
                await session.execute("DO GET_LOCK(?, 60)", (self.schema,))
                await session.execute(drop)
                await session.close()
            except DatabaseError as error:
                _log.warning("the schema %s may be left behind: %s", self.schema, error)

    async def _describe(self) -> dict[str, object]:
        names = ", ".join(f"@@{name}" for name in _SETTINGS)
        row = (await self.admin.execute(f"SELECT @@version, {names}")).rows[0]
        return {
            "engine": "MySQL",
            "server_version": str(row[0]),
            "rung": self._server.rung,
            "profile": self._servers.profile if self._server.own else self._server.profile or "as found",
            "settings": dict(zip(_SETTINGS, row[1:], strict=True)),
        }

    @property
    def url(self) -> str:
        """The server's URL, password and all."""
        return self._server.url

    @property
    def most_connections(self) -> int:
        """The server's max_connections."""
        settings = self._environment["settings"]
        assert isinstance(settings, dict)
        return int(settings["max_connections"])

    @property
    def environment(self) -> Mapping[str, object]:
        """Engine, version, rung, profile and the settings that change results."""
        return self._environment

    @property
    def fates(self) -> None:
        """None: the server does not report what becomes of commits."""

    async def crash(self, down: float, *, host: bool = False) -> None:
        """Kill the server, as ``kill -9`` does, and start it again ``down`` seconds later.

        Raises:
            WorldError: it is not a private instance, or does not start again; or the host is to lose power.
        """
        if host:
            raise WorldError("the power of this machine is not cut; in the model it can be: --world model")
        if (instance := self._server.instance) is None:
            raise WorldError(
                f"the MySQL server ({self._server.rung}) is not a process of chatsim's own, and is not killed;"
                " --mysql-via unpacked has one that can be"
            )
        await _restart(instance, down)
        await self.admin.close()
        self.admin = await driver.connect(self._server.url, self.schema)
        self._process = await processors.server_process(self.admin)
        await self._hold_schema()
        await self._count_out_admin()

    async def steady(self) -> None:
        """Make a private server purge as soon as possible, and keep its query plans. A named server is not changed."""
        if self._server.own:
            await self.admin.script("SET GLOBAL innodb_purge_batch_size = 1; SET GLOBAL innodb_stats_auto_recalc = OFF")

    async def empty(self) -> None:
        """Drop the schema, and create it without tables."""
        await self.admin.script(f"DROP DATABASE {self.schema}; CREATE DATABASE {self.schema}; USE {self.schema}")

    async def own_work(self) -> None:
        """Nothing: it takes its time."""

    async def install(self, schema: str) -> None:
        """Create the tables of a schema of ``chat/schema``, empty."""
        await self.empty()
        for statement in schemas.statements(schema):
            await self.admin.execute(statement)

    @asynccontextmanager
    async def database(
        self, connections: int, machine: str = "client", timeouts: SessionTimeouts | None = None
    ) -> AsyncIterator[driver.MySQLDatabase]:
        """A pool of open connections."""
        async with AsyncExitStack() as stack:
            at = None
            if machine in self._placed:
                relay = self._placed[machine].relay(Address(LOOPBACK, 0), driver.address(self._server.url))
                at = await stack.enter_async_context(relay)
            try:
                database = driver.MySQLDatabase(
                    self._server.url, self.schema, connections, self._counts, at=at, timeouts=timeouts
                )
                await stack.enter_async_context(database)
            except DatabaseError as error:
                raise WorldError(f"{connections} connections can't be had: {error}") from error
            yield database

    @cached_property
    def attachments(self) -> Path:
        """Where the directory for the bytes of attachments is. It has the schema's name, and ends with the schema."""
        if self._attachments is None:
            return self._stack.enter_context(temporary_directory())
        self._stack.callback(shutil.rmtree, self._attachments / self.schema, ignore_errors=True)
        return self._attachments

    @cached_property
    def files(self) -> DirectoryFiles:
        """A directory, which is made when this is first asked for."""
        files = DirectoryFiles(self.attachments / self.schema)
        self._stack.callback(files.close)
        return files

    def local_store(self, path: str) -> SqliteStore:
        """SQLite in a thread of its own."""
        return SqliteStore(path)

    def network_at(self, machine: str) -> Network:
        """TCP."""
        return self._placed.get(machine, self._network)

    def place(self, machine: str, distance: Distance) -> None:
        """Hold back the bytes of its connections."""
        self._placed[machine] = DelayedNetwork(self._network, distance)

    def host(self, machine: str) -> str:  # noqa: ARG002
        """Loopback."""
        return LOOPBACK

    def reserve(self, connections: int) -> None:
        """Raise the limit of open files if needed. A connection within one process takes two files."""
        tcp.reserve(2 * connections)

    @asynccontextmanager
    async def shared(self, sharing: Sharing | None, *, expiry: float, dead: float) -> AsyncIterator[Shared]:
        """By default everything is in memory, since all nodes are in this process. A Redis starts at the first call."""
        sharing = sharing or Sharing()
        async with AsyncExitStack() as stack:
            tokens: Tokens = self.tokens
            presence: Presence = MemoryPresence(expiry)
            directory: Directory = MemoryDirectory(dead)
            if sharing.registry == "redis":
                self._sharings += 1
                prefix = f"{self.schema}:{self._sharings}:"  # others may use the same Redis
                tokens, presence, directory = await registry(
                    stack, await self.redis_url(), prefix, lifetime=self._token_lifetime, expiry=expiry, dead=dead
                )
            peers = grpc_peers(directory) if sharing.peers == "grpc" else ProcessPeers()
            yield Shared(tokens, lambda _: presence, directory, peers)

    async def locks(self, connections: int, machine: str = "client") -> Locks:  # noqa: ARG002
        """Locks in a Redis, which is started at the first call. The connections to it are open on return."""
        if self._locks is None:
            url = await self.redis_url()
            from chatsim.worlds.mysql.redis_locks import RedisLocks

            self._locks = RedisLocks(url)
            self._stack.push_async_callback(self._locks.close)
        try:
            await self._locks.open(connections)
        except LocksError as error:
            raise WorldError(str(error)) from error
        return self._locks

    async def redis_url(self) -> str:
        """A Redis, started at the first call. Raises `WorldError`."""
        if self._redis is None:
            self._redis = await self._own(self._servers.redis)
        return self._redis.url

    async def crash_redis(self, down: float) -> None:
        """Kill the Redis, as ``kill -9`` does, and start it again, empty, ``down`` seconds later.

        Raises:
            WorldError: it is not a private instance, or does not start again.
        """
        await self.redis_url()
        assert self._redis is not None
        if (instance := self._redis.instance) is None:
            raise WorldError(f"the Redis ({self._redis.rung}) is not a process of chatsim's own, and is not killed")
        await _restart(instance, down)

    async def costs(self) -> Costs:
        """The driver's counts, and the server's counts for this schema. Lock waits are those of the whole server."""
        examined = await counters.rows_examined(self.admin, self.schema)
        waits, flushes = await counters.lock_waits(self.admin), await counters.flushes(self.admin)
        busy = processors.busy(self._process)
        return Costs(**asdict(self._counts), rows_examined=examined, lock_waits=waits, flushes=flushes, busy=busy)

    async def reads(self) -> Reads:
        """The server's counts for this schema, by index. Rows that it writes while it reads are temporary rows."""
        return await counters.reads(self.admin, self.schema)

    async def explain(self, sql: str, args: Sequence[object]) -> str | None:
        """EXPLAIN ANALYZE."""
        return str((await self.admin.execute(f"EXPLAIN ANALYZE {sql}", args)).rows[0][0]).strip()

    async def contents(self) -> Mapping[str, TableContents]:
        """The tables of the schema."""
        return await contents.contents(self.admin)

    async def warnings(self) -> Sequence[str]:
        """Purge that lags, old transactions, and other connections at work."""
        return await health.warnings(self.admin)

    async def session_states(self) -> Mapping[str, int] | None:
        """What the server tells of the connections to the schema."""
        return await session_states.session_states(self.admin)

    @asynccontextmanager
    async def stocked(
        self, schema: str, contents: str, load: Callable[[Session], Awaitable[None]]
    ) -> AsyncIterator[None]:
        """See `World.stocked`. A private server uses the world's schema, others use one that is named by contents."""
        text = f"{contents}\n" + "\n".join(schemas.statements(schema))
        stock = PREFIX + hashlib.sha256(text.encode()).hexdigest()[:12]
        # if it is in use, the caller loads a schema of its own
        if self._server.own or not (await self.admin.execute("SELECT GET_LOCK(?, 0)", (stock,))).scalar():
            await self.install(schema)
            await load(self.admin)
            yield
            return
        own, self.schema = self.schema, stock
        try:
            if await self._is_loaded():
                await self.admin.execute(f"USE {stock}")
            else:
                await self.admin.execute(f"CREATE DATABASE IF NOT EXISTS {stock}")
                await self.install(schema)
                await load(self.admin)
                await self.admin.execute(f"CREATE TABLE {_LOADED} (id INT)")
            yield
        finally:
            self.schema = own
            with contextlib.suppress(DatabaseError):  # the connection is gone, and the lock with it
                await self.admin.script(f"USE {own}; DO RELEASE_LOCK(?)", (stock,))

    async def _is_loaded(self) -> bool:
        found = await self.admin.execute(
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", (self.schema, _LOADED)
        )
        return bool(found.rows)

    async def deadlock(self) -> Deadlock | None:
        """The server's latest deadlock, if it is new and in this world's schema.

        The server keeps only the latest one. It could print all of them, but this halves the speed of what is measured
        (``docs/findings.md``).
        """
        latest = await deadlock_report.latest(self.admin)
        if latest is None or latest.raw == self._last_report:
            return None
        self._last_report = latest.raw
        return latest if f"`{self.schema}`" in latest.raw else None


async def _restart(instance: Instance, down: float) -> None:
    await asyncio.to_thread(instance.kill)
    await asyncio.sleep(down)
    try:
        await asyncio.to_thread(instance.revive)
    except StartError as error:
        raise WorldError(str(error)) from error
