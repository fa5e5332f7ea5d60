"""Nodes in processes of their own: what such a process runs, and how its parent starts and ends it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from chatsim.chat.ports import Address, Directory, Locks, LocksError, NodeStatus, Presence, Tokens
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.node import Node, Services
from chatsim.chat.server.status import StatusServer
from chatsim.db.errors import DatabaseError
from chatsim.worlds.cluster import MISSED_REPORTS, listening
from chatsim.worlds.common.presence import MemoryDirectory, MemoryPresence, ProcessPeers
from chatsim.worlds.common.tokens import LIFETIME, SignedTokens
from chatsim.worlds.mysql.driver import MySQLDatabase
from chatsim.worlds.mysql.files import DirectoryFiles
from chatsim.worlds.mysql.servers.mysqld import MySQL
from chatsim.worlds.mysql.servers.urls import without_password
from chatsim.worlds.mysql.sharing import grpc_peers, registry
from chatsim.worlds.mysql.tcp import TcpNetwork
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.service import ChatService
from chatsim.worlds.world import PeerGroup, SessionTimeouts, Sharing, WorldError

__all__ = ["REDIS_URL", "TOKEN_KEY", "LineDirectory", "NodeProcesses", "NodeSettings", "node_processes", "run_node"]

TOKEN_KEY = "CHATSIM_TOKEN_KEY"  # noqa: S105 - a variable's name
REDIS_URL = "CHATSIM_REDIS_URL"

_log = logging.getLogger(__name__)
_START_SECONDS = 120.0
_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class NodeSettings:
    """The settings of a node's process.

    Attributes:
        name: the node's name.
        address: where it listens.
        mysql_url: the MySQL server.
        schema: the schema that has the tables.
        pool: the number of database connections.
        token_key: the key that signs tokens, if they are not in a Redis.
        token_lifetime: the lifetime of tokens, in seconds.
        config: the node's configuration.
        redis_url: the Redis with the locks, if the strategy uses them, and with what servers share.
        sharing: how nodes share presence and call each other.
        attachments: the directory that nodes share for the bytes of attachments; None if they take none.
    """

    name: str
    address: Address
    mysql_url: str
    schema: str
    pool: int
    token_key: bytes | None
    token_lifetime: int
    config: NodeConfig
    redis_url: str | None
    sharing: Sharing
    attachments: Path | None = None


@asynccontextmanager
async def run_node(settings: NodeSettings, parent: Directory) -> AsyncIterator[Node]:
    """Run one node for the block. It reports to its ``parent``, and to the Redis if nodes share one.

    Raises:
        WorldError: connections, addresses, or a Redis that is needed are not available.
    """
    async with AsyncExitStack() as stack:
        tokens, presence, directory, peers = await _shared(settings, parent, stack)
        timeouts = SessionTimeouts.of_node(settings.config.limits)
        database = MySQLDatabase(settings.mysql_url, settings.schema, settings.pool, timeouts=timeouts)
        try:
            await stack.enter_async_context(database)
        except DatabaseError as error:
            raise WorldError(f"MySQL at {without_password(settings.mysql_url)} can't be used: {error}") from error
        files = None
        if settings.attachments is not None:
            files = DirectoryFiles(settings.attachments)
            stack.callback(files.close)
        services = Services(
            network=TcpNetwork(),
            database=database,
            tokens=tokens,
            presence=presence,
            directory=directory,
            peers=peers.of(settings.name),
            locks=await _locks(settings, stack),
            files=files,
        )
        node = Node(settings.name, services, settings.config)
        await stack.enter_async_context(peers.serve(settings.name, node))
        yield await stack.enter_async_context(listening(node, settings.address))


async def _shared(
    settings: NodeSettings, parent: Directory, stack: AsyncExitStack
) -> tuple[Tokens, Presence, Directory, PeerGroup]:
    limits, lifetime = settings.config.limits, settings.token_lifetime
    if settings.sharing.registry == "process":
        assert settings.token_key is not None
        tokens = SignedTokens(settings.token_key, time.time, lifetime)
        return tokens, MemoryPresence(limits.expiry), parent, ProcessPeers()
    url, dead = _redis(settings, "--redis"), MISSED_REPORTS * limits.report
    tokens_there, presence, nodes = await registry(stack, url, lifetime=lifetime, expiry=limits.expiry, dead=dead)
    peers = grpc_peers(nodes) if settings.sharing.peers == "grpc" else ProcessPeers()
    return tokens_there, presence, _Both(parent, nodes), peers


class _Both:
    """Two directories: a node reports to its own one, and to the common one, which has all nodes."""

    def __init__(self, own: Directory, common: Directory) -> None:
        self._own = own
        self._common = common

    async def announce(self, node: NodeStatus) -> None:
        await self._common.announce(node)
        await self._own.announce(node)

    async def withdraw(self, name: str) -> None:
        await self._own.withdraw(name)
        await self._common.withdraw(name)

    async def nodes(self) -> Sequence[NodeStatus]:
        return await self._common.nodes()


def _redis(settings: NodeSettings, needed_by: str) -> str:
    if settings.redis_url is None:
        raise WorldError(f"{needed_by} needs a Redis: set {REDIS_URL}")
    return settings.redis_url


async def _locks(settings: NodeSettings, stack: AsyncExitStack) -> Locks | None:
    if not settings.config.strategy.uses_locks:
        return None
    url = _redis(settings, f"the strategy {settings.config.strategy.name}")
    from chatsim.worlds.mysql.redis_locks import RedisLocks

    locks = RedisLocks(url)
    stack.push_async_callback(locks.close)
    try:
        await locks.open(settings.pool)
    except LocksError as error:
        raise WorldError(f"the Redis of {REDIS_URL} can't be used: {error}") from error
    return locks


class LineDirectory:
    """The `Directory` port of a node whose parent reads its output. A report is a line of JSON.

    Args:
        out: the output.
        each: whether to write every report, or only the first one.
    """

    def __init__(self, out: TextIO, *, each: bool) -> None:
        self._out = out
        self._each = each

    async def announce(self, node: NodeStatus) -> None:
        """Write a report."""
        if self._each or node.report == 1:
            line = {"name": node.name, "host": node.address.host, "port": node.address.port}
            print(json.dumps(line | {"sessions": node.sessions, "report": node.report}), file=self._out, flush=True)

    async def withdraw(self, name: str) -> None:
        """Do nothing: the end of the output tells the parent."""

    async def nodes(self) -> list[NodeStatus]:
        """No nodes: a node in a process of its own knows no others."""
        return []


@asynccontextmanager
async def node_processes(
    world: MySQLWorld,
    *,
    nodes: int,
    port: int,
    words: Sequence[str],
    redis_url: str | None,
    sharing: Sharing,
    token_lifetime: int = LIFETIME,
) -> AsyncIterator[NodeProcesses]:
    """Run nodes named ``node1`` and so on for the block, each as ``chatsim node`` in a process of its own.

    They also end when this process ends, for whatever reason: they watch a pipe that it holds open.

    Args:
        world: its server, schema and token key are used.
        nodes: the number of nodes.
        port: the port of the first node, followed by those of the others; 0 is any free port for each.
        words: more words for their command line.
        redis_url: the Redis with the locks, if the strategy uses them, and with what servers share.
        sharing: how nodes share presence and call each other.
        token_lifetime: the lifetime of tokens, in seconds.

    Raises:
        WorldError: a node does not start, or the Redis can't be used.
    """
    dead = MISSED_REPORTS * Limits.report
    directory = MemoryDirectory(dead)
    secrets = {MySQL.variable: world.url, TOKEN_KEY: world.token_key.hex()}
    if redis_url is not None:
        secrets[REDIS_URL] = redis_url
    words = [
        *words,
        *(["--redis"] if sharing.registry == "redis" else []),
        *(["--grpc"] if sharing.peers == "grpc" else []),
    ]
    processes = [
        _NodeProcess(
            f"node{number + 1}",
            ["--schema", world.schema, "--port", str(port and port + number), *words],
            secrets,
            directory,
        )
        for number in range(nodes)
    ]
    async with AsyncExitStack() as stack:
        tokens: Tokens = world.tokens
        known: Directory = directory
        if sharing.registry == "redis":
            assert redis_url is not None
            tokens, _, known = await registry(
                stack, redis_url, lifetime=token_lifetime, expiry=Limits.expiry, dead=dead
            )
        try:
            for started in await asyncio.gather(*(process.start() for process in processes), return_exceptions=True):
                if started is not None:
                    raise started
            yield NodeProcesses(StatusServer(known, tokens), world, processes)
        finally:
            await asyncio.gather(*(process.close() for process in processes))


@dataclass(frozen=True)
class NodeProcesses(ChatService):
    """Nodes in processes of their own."""

    _processes: Sequence[_NodeProcess]

    async def crash(self, number: int, down: float) -> None:
        """Kill a node, as ``kill -9`` does, and start it again ``down`` seconds later, at any free port.

        Raises:
            WorldError: it does not start.
        """
        await self._processes[number].kill()
        await asyncio.sleep(down)
        await self._processes[number].start()


class _NodeProcess:
    def __init__(self, name: str, words: Sequence[str], secrets: dict[str, str], directory: Directory) -> None:
        self._name = name
        self._words = words
        self._environment = os.environ | secrets
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()
        self._closing = False

    async def start(self) -> None:
        """Start it, and wait until it listens. Raises `WorldError`."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chatsim", "node", "--reports", "--name", self._name, *self._words),
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is the parent's, who ends its nodes in order
        )
        self._reading = asyncio.create_task(self._read(self._process))
        waiting = asyncio.create_task(self._listening.wait())
        await asyncio.wait({waiting, self._reading}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self._listening.is_set():
            raise WorldError(f"{self._name} did not start; its own message is above")

    async def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        assert self._reading is not None
        self._closing = True
        self._process.kill()
        await self._reading
        self._closing = False
        self._listening.clear()

    async def close(self) -> None:
        """Ask it to end its sessions, and wait until it has ended."""
        if self._process is None or self._reading is None:
            return
        self._closing = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(Limits.grace + _PATIENCE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            _log.error("%s does not end; killed", self._name)
        finally:  # also where nobody waits for it any longer
            if self._process.returncode is None:
                self._process.kill()
        await self._reading

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                status = json.loads(line)
            except ValueError:
                _log.warning("%s: %s", self._name, line.decode(errors="replace").rstrip())
                continue
            address = Address(status["host"], status["port"])
            await self._directory.announce(NodeStatus(status["name"], address, status["sessions"], status["report"]))
            self._listening.set()
        await self._directory.withdraw(self._name)
        status = await process.wait()
        if self._listening.is_set() and not self._closing:
            _log.error("%s has died (%s)", self._name, f"signal {-status}" if status < 0 else f"exit status {status}")
