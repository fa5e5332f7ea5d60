"""A chat server: accepts clients, knows who they are, answers what they ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from chatsim.chat.ports import (
    Address,
    Device,
    Directory,
    Listener,
    Network,
    NodeStatus,
    Peers,
    Presence,
    RegistryError,
    Stream,
    Tokens,
)
from chatsim.chat.protocol import ErrorCode, LoginRequest, Message, ProtocolError
from chatsim.chat.server import handlers
from chatsim.chat.server.creator import Creator
from chatsim.chat.server.delivery import Delivery
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import Session
from chatsim.chat.server.stats import Stats
from chatsim.chat.server.store.texts import Texts
from chatsim.db.errors import ConnectionLostError
from chatsim.db.session import Database
from chatsim.db.session import Session as DatabaseSession

__all__ = ["Node", "Services"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

_KNOWN = {request.ID: request for request in handlers.HANDLERS}
_REFRESHES = 4
"""How often presence is refreshed within its expiry."""


@dataclass(frozen=True)
class Services:
    """What a node needs of the world.

    Attributes:
        network: where it listens.
        database: its pool.
        tokens: what a login is checked with.
        presence: which node a user is on.
        directory: where it reports.
        peers: the other nodes.
    """

    network: Network
    database: Database
    tokens: Tokens
    presence: Presence
    directory: Directory
    peers: Peers


class Node:
    """One chat server.

    Args:
        name: its name, unlike any other node's.
        services: what it needs of the world.
        creator: how it creates private chats.
        texts: the schema's messages.
        limits: what sessions may do.
        rng: where session ids come from.

    Attributes:
        name, services, creator, texts, limits: as given.
        stats: what it has met.
        delivery: how it tells users what happens.
    """

    def __init__(
        self,
        name: str,
        services: Services,
        *,
        creator: Creator,
        texts: Texts,
        limits: Limits,
        rng: np.random.Generator,
    ) -> None:
        self.name = name
        self.services = services
        self.creator = creator
        self.texts = texts
        self.limits = limits
        self.stats = Stats()
        self._rng = rng
        self._listener: Listener | None = None
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._devices: dict[str, Session] = {}
        self._beside: dict[asyncio.Task[None], None] = {}  # a set in order
        self._watches: list[asyncio.Task[None]] = []
        self._killed = False
        self._cut_off: set[str] = set()  # from presence, from the directory
        self.delivery = Delivery(name, self._devices, services.presence, services.peers, self._spawn)

    @property
    def address(self) -> Address:
        """Where it listens."""
        assert self._listener is not None, "open the node first"
        return self._listener.address

    @property
    def sessions(self) -> int:
        """How many are logged in."""
        return len(self._devices)

    async def open(self, address: Address) -> None:
        """Listen at ``address``, and report to the directory from then on.

        Raises:
            OSError: the address can't be had.
            RegistryError: nobody can be told.
        """
        self._listener = await self.services.network.listen(address, self._accept)
        try:
            await self.services.directory.announce(self._status(1))
        except RegistryError:
            await self._listener.close()
            raise
        self._watches = [self._spawn(self._report()), self._spawn(self._refresh())]

    async def close(self) -> None:
        """Take no more requests; end each session when its running request is answered, or when the grace is over."""
        assert self._listener is not None, "open the node first"
        await self._listener.close()
        await self._cancel(self._watches)
        with suppress(RegistryError):  # then it lapses
            await self.services.directory.withdraw(self.name)
        left = 0
        try:
            async with asyncio.timeout(self.limits.grace):
                while left := len(self._sessions):
                    await self._end(list(self._sessions), f"{self.name} closes", ErrorCode.RPC_FAILED)
                    await asyncio.gather(*self._sessions.values(), return_exceptions=True)
        except TimeoutError:
            _log.warning("%s closes with %d sessions still at work", self.name, left)
        await self._cancel([*self._sessions.values(), *self._beside])

    def lease(self) -> AbstractAsyncContextManager[DatabaseSession]:
        """A connection of the pool, at the one level that this node uses: to change it would be a round trip."""
        return self.services.database.session(self.creator.strategy.isolation)

    async def transact(self, work: Callable[[DatabaseSession], Awaitable[T]]) -> T:
        """Do work on a leased connection, under the retry policy; what it leaves open is rolled back.

        Raises:
            DatabaseError: the last try was refused.
            RefusalError: it is none of the database's business.
        """

        async def once() -> T:
            async with self.lease() as tx:
                try:
                    return await work(tx)
                finally:
                    if tx.in_transaction:
                        with suppress(ConnectionLostError):
                            await tx.rollback()

        return await self.creator.retry.run(once, self.creator.rng, self.stats.refused)

    def needs_numbers(self) -> None:
        """Raise a `RefusalError` where messages have no numbers."""
        if not self.texts.numbered:
            raise RefusalError(ErrorCode.NOT_IN_THIS_SCHEMA, "the seed's messages have no numbers")

    async def kill(self) -> None:
        """Drop everything at once and tell nobody, as a crash would."""
        self._killed = True
        self._devices.clear()
        if self._listener is not None:
            await self._listener.close()
        await self._cancel([*self._sessions.values(), *self._beside])

    async def kicked(self, device: Device) -> bool:
        """A session has given way to another: end it; returns whether it was there."""
        if session := self._devices.get(device.session):
            self._spawn(self._end([session], "logged in elsewhere", ErrorCode.SUCCESS))
        return session is not None

    async def pushed(self, device: Device, notice: Message) -> bool:
        """One of this node's sessions is to be told something; returns whether it is there."""
        return self.delivery.push(device, notice)

    async def enter(self, session: Session, uid: int) -> None:
        """Note that ``session`` is ``uid``'s from now on; those that have to give way are kicked.

        Raises:
            RegistryError: it can't be noted.
        """
        device = Device(uid, self._rng.bytes(8).hex(), self.name)
        session.device = device
        self._devices[device.session] = session
        _log.info("%s: user %d has logged in from %s", self.name, uid, session.peer)
        await self._enter(device)
        session.present = True

    async def _enter(self, device: Device) -> None:
        for other in await self.services.presence.enter(device, alone=not self.limits.devices):
            self._spawn(self.services.peers.kick(other))

    async def _accept(self, stream: Stream) -> None:
        if self._killed:  # in between
            return
        task = asyncio.current_task()
        assert task is not None
        session = Session(stream, _KNOWN, self.limits, self._spawn)
        self._sessions[session] = task
        try:
            self._ended(session, await session.serve(self._answer))
        except ProtocolError as error:
            self._ended(session, str(error), logging.WARNING)
        except Exception as error:
            self.stats.crash = self.stats.crash or error
            raise  # it is logged, and costs this connection only
        finally:
            del self._sessions[session]
            await self._leave(session)

    async def _answer(self, session: Session, request: Message) -> Message:
        if (session.device is None) != isinstance(request, LoginRequest):
            when = "before the login" if session.device is None else "after the login"
            raise ProtocolError(f"message {request.ID} {when}")
        self.stats.requests[request.ID] += 1
        return await handlers.answer(self, session, request)

    async def _leave(self, session: Session) -> None:
        if session.device and not self._killed:
            self._devices.pop(session.device.session, None)
            with suppress(RegistryError):  # then it lapses
                await self.services.presence.leave(session.device)

    def _ended(self, session: Session, reason: str, level: int = logging.INFO) -> None:
        who = f"user {session.device.uid}" if session.device else "a client"
        _log.log(level, "%s: the session of %s at %s has ended: %s", self.name, who, session.peer, reason)

    async def _end(self, sessions: Sequence[Session], reason: str, code: ErrorCode) -> None:
        await asyncio.gather(*(session.end(reason, code) for session in sessions))

    async def _report(self) -> None:
        report = 1
        while True:
            await asyncio.sleep(self.limits.report)
            report += 1
            await self._tried("the directory", self.services.directory.announce(self._status(report)))

    async def _refresh(self) -> None:
        """Keep the sessions' presence from lapsing as long as they live; a client's silence is the session's to end."""
        while True:
            await asyncio.sleep(self.limits.expiry / _REFRESHES)
            await self._tried("presence", self._refresh_all())

    async def _refresh_all(self) -> None:
        devices = [session.device for session in self._devices.values() if session.device and session.present]
        for device in await self.services.presence.refresh(devices):
            if device.session not in self._devices:
                continue  # it has left meanwhile
            if not self.limits.devices and await self.services.presence.find(device.uid):
                await self.kicked(device)
            else:  # it has lapsed, or presence has forgotten everybody: the session is there all the same
                await self._enter(device)
                if device.session not in self._devices:
                    await self.services.presence.leave(device)

    async def _tried(self, whom: str, telling: Awaitable[None]) -> None:
        """Wait for what is told again and again; says once that it can't be, and once that it can be again."""
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
        return NodeStatus(self.name, self.address, self.sessions, report, self.services.peers.address)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._beside[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._beside[task]
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s: %r failed", self.name, task, exc_info=error)

    async def _cancel(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
