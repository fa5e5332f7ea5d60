"""A chat server: it accepts connections, logs users in, and answers their requests."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chatsim.chat.ports import (
    Address,
    Device,
    Directory,
    Files,
    Listener,
    Locks,
    Network,
    NodeStatus,
    Peers,
    Presence,
    RegistryError,
    Stream,
    Tokens,
)
from chatsim.chat.protocol import ErrorCode, Message, ProtocolError
from chatsim.chat.server.admission import Admission
from chatsim.chat.server.collection import Collector
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.database import NodeDatabase
from chatsim.chat.server.fanout import FanOut
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.handlers.table import HANDLERS, answer, check_login, failing
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.stats import Stats
from chatsim.chat.server.turns import Turns
from chatsim.chat.strategies import StrategyError
from chatsim.db.session import Database

__all__ = ["Node", "Services"]

_log = logging.getLogger(__name__)

_REQUESTS = {number: handler.request for number, handler in HANDLERS.items()}
_REFRESHES = 4
"""The number of refreshes of presence within its expiry."""


@dataclass(frozen=True)
class Services:
    """The ports that a node needs.

    Attributes:
        network: the network in which it listens.
        database: its pool of connections.
        tokens: checks login tokens.
        presence: which node a user is on.
        directory: receives its reports.
        peers: calls the other nodes.
        locks: locks outside the database, if its creation strategy uses them.
        files: the bytes of attachments, which all nodes share; None if they take no attachments.
    """

    network: Network
    database: Database
    tokens: Tokens
    presence: Presence
    directory: Directory
    peers: Peers
    locks: Locks | None = None
    files: Files | None = None


class Node:
    """One chat server.

    Args:
        name: its name. No other node has the same.
        services: the ports that it needs.
        config: its configuration.

    Attributes:
        name: as given.
        stats: its counts.
        database: runs transactions and creations.
        fan_out: pushes notices to users.
    """

    def __init__(self, name: str, services: Services, config: NodeConfig) -> None:
        self.name = name
        self.stats = Stats()
        self._services = services
        self._limits = config.limits
        self._rng = config.rng
        self._listener: Listener | None = None
        self._sessions: dict[ClientSession, asyncio.Task[None]] = {}
        self._admission = Admission(name, config.limits, self._capacity)
        self._devices: dict[str, ClientSession] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}  # an ordered set
        self._watches: list[asyncio.Task[None]] = []
        self._killed = False
        self._cut_off: set[str] = set()  # of presence and directory, those that can't be reached
        self.database = NodeDatabase(services.database, services.locks, config, self.stats)
        self.fan_out = FanOut(name, self._devices, services.presence, services.peers, self._spawn)
        self._context = HandlerContext(
            node=name,
            lease=self.database.lease,
            transact=self.database.transact,
            create=self.database.create,
            texts=config.texts,
            fan_out=self.fan_out,
            limits=config.limits,
            stats=self.stats,
            check_token=services.tokens.check,
            log_in=self._log_in,
            files=services.files,
            new_file=lambda: self._rng.bytes(16).hex(),
            checking=Turns(1),
        )
        self._collector: Collector | None = None
        if services.files is not None and config.texts.numbered:
            seconds = config.limits.upload_seconds
            self._collector = Collector(name, services.files, self.database.transact, seconds)

    @property
    def address(self) -> Address:
        """Where it listens."""
        assert self._listener is not None, "open the node first"
        return self._listener.address

    @property
    def sessions(self) -> int:
        """The number of logged-in sessions."""
        return len(self._devices)

    async def open(self, address: Address) -> None:
        """Listen at ``address``, and report to the directory from then on.

        Raises:
            OSError: the address is not available.
            RegistryError: the directory can't be reached.
        """
        self._listener = await self._services.network.listen(address, self._accept, self._admission.welcomes)
        try:
            await self._services.directory.announce(self._status(1))
        except RegistryError:
            await self._listener.close()
            raise
        self._watches = [self._spawn(each()) for each in (self._report, self._refresh, self._collect)]

    async def close(self) -> None:
        """Accept no more requests. Each session ends after its running request, or when the grace is over."""
        assert self._listener is not None, "open the node first"
        await self._listener.close()
        await self._cancel(self._watches)
        with suppress(RegistryError):  # it expires by itself
            await self._services.directory.withdraw(self.name)
        left = 0
        try:
            async with asyncio.timeout(self._limits.grace):
                while left := len(self._sessions):
                    await self._end(list(self._sessions), f"{self.name} closes", ErrorCode.RPC_FAILED)
                    await asyncio.gather(*self._sessions.values(), return_exceptions=True)
        except TimeoutError:
            _log.warning("%s closes with %d sessions still at work", self.name, left)
        await self._cancel([*self._sessions.values(), *self._tasks])

    async def kill(self) -> None:
        """Drop everything at once, as a crash would, without any message."""
        self._killed = True
        self._devices.clear()
        if self._listener is not None:
            await self._listener.close()
        await self._cancel([*self._sessions.values(), *self._tasks])

    async def kicked(self, device: Device) -> bool:
        """End a session, since the user has logged in elsewhere. Returns whether it was there."""
        if session := self._devices.get(device.session):
            self._spawn(self._end([session], "logged in elsewhere", ErrorCode.SUCCESS))
        return session is not None

    async def pushed(self, device: Device, notice: Message) -> bool:
        """Send a notice to one of this node's sessions. Returns whether it is there."""
        return self.fan_out.push(device, notice)

    async def _log_in(self, session: ClientSession, uid: int) -> None:
        """Make ``session`` a session of ``uid``, and kick the sessions that it replaces.

        Raises:
            RegistryError: presence can't be reached.
        """
        device = Device(uid, self._rng.bytes(8).hex(), self.name)
        session.logged_in(device)
        self._admission.logged_in(session)
        self._devices[device.session] = session
        _log.info("%s: user %d has logged in from %s", self.name, uid, session.peer)
        await self._enter(device)
        session.present = True

    async def _enter(self, device: Device) -> None:
        for other in await self._services.presence.enter(device, alone=not self._limits.devices):
            self._spawn(self._services.peers.kick(other))

    async def _accept(self, stream: Stream) -> None:
        if self._killed:  # in between
            return
        task = asyncio.current_task()
        assert task is not None
        session = ClientSession(stream, _REQUESTS, self._limits, self._spawn)
        if not self._admission.admit(session):
            return
        self._sessions[session] = task
        try:
            self._ended(session, await session.serve(self._answer, self._failed))
        except ProtocolError as error:
            self._admission.broken(session.peer)
            self._ended(session, str(error), logging.WARNING)
        except Exception as error:
            self.stats.crash = self.stats.crash or error
            raise  # it is logged, and costs this connection only
        finally:
            del self._sessions[session]
            self._admission.leave(session)
            await self._leave(session)

    def _capacity(self) -> float:
        """The number of connections that the network can hold for this node."""
        return math.inf if self._listener is None else self._listener.capacity

    async def _answer(self, session: ClientSession, request: Message) -> Message:
        check_login(session, request)
        self.stats.requests[request.ID] += 1
        return await answer(self._context, session, request)

    def _failed(self, session: ClientSession, request: Message, error: Exception) -> Message:
        """The reply to a request in whose handler there was an unexpected error; it is logged and kept."""
        self.stats.crash = self.stats.crash or error
        level = logging.INFO if isinstance(error, StrategyError) else logging.ERROR  # which a race raises
        _log.log(level, "%s: %s of user %d failed", self.name, type(request).__name__, session.uid, exc_info=error)
        return failing(request)

    async def _leave(self, session: ClientSession) -> None:
        if session.device and not self._killed:
            self._devices.pop(session.device.session, None)
            with suppress(RegistryError):  # it expires by itself
                await self._services.presence.leave(session.device)

    def _ended(self, session: ClientSession, reason: str, level: int = logging.INFO) -> None:
        if session.dropped:  # there may be thousands of them, and `Admission` has logged that
            return
        who = f"user {session.device.uid}" if session.device else "a client"
        _log.log(level, "%s: the session of %s at %s has ended: %s", self.name, who, session.peer, reason)

    async def _end(self, sessions: Sequence[ClientSession], reason: str, code: ErrorCode) -> None:
        await asyncio.gather(*(session.end(reason, code) for session in sessions))

    async def _report(self) -> None:
        report = 1
        while True:
            await asyncio.sleep(self._limits.report)
            report += 1
            await self._tried("the directory", self._services.directory.announce(self._status(report)))

    async def _refresh(self) -> None:
        """Renew the presence of the sessions while they are open. Silent clients are ended by their sessions."""
        while True:
            await asyncio.sleep(self._limits.expiry / _REFRESHES)
            await self._tried("presence", self._refresh_all())

    async def _collect(self) -> None:
        """Remove attachments that nobody needs any more, now and then."""
        while True:
            await asyncio.sleep(self._limits.collection)
            if self._collector is not None:
                await self._collector.collect()

    async def _refresh_all(self) -> None:
        devices = [session.device for session in self._devices.values() if session.device and session.present]
        for device in await self._services.presence.refresh(devices):
            if device.session not in self._devices:
                continue  # it has left meanwhile
            if not self._limits.devices and await self._services.presence.find(device.uid):
                await self.kicked(device)
            else:  # its entry has expired, or the store has lost all entries, but the session is open
                await self._enter(device)
                if device.session not in self._devices:
                    await self._services.presence.leave(device)

    async def _tried(self, whom: str, telling: Awaitable[None]) -> None:
        """Wait for a repeated report. Logs once that it fails, and once that it succeeds again."""
        try:
            await telling
        except RegistryError as error:
            if whom not in self._cut_off:
                _log.warning("%s: cut off from %s: %s", self.name, whom, error)
            self._cut_off.add(whom)
        else:
            if whom in self._cut_off:
                _log.warning("%s: no longer cut off from %s", self.name, whom)
            self._cut_off.discard(whom)

    def _status(self, report: int) -> NodeStatus:
        return NodeStatus(self.name, self.address, self.sessions, report, self._services.peers.address)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s: %r failed", self.name, task, exc_info=error)

    async def _cancel(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
