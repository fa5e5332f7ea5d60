"""A client that remembers: it reconnects, catches up, and sends what is to be sent, for as long as it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache, LocalText, Pending, State
from chatsim.chat.client.connection import Client, ClientError, DisconnectedError, RefusedError
from chatsim.chat.client.outbox import Outbox, unique_id
from chatsim.chat.ports import LocalStore
from chatsim.chat.protocol import (
    REQUEST_LIMIT,
    AddFriendNotice,
    AddFriendReply,
    AddFriendRequest,
    AuthFriendNotice,
    AuthFriendReply,
    AuthFriendRequest,
    ErrorCode,
    FirstText,
    FriendApplication,
    FriendEntry,
    LoginReply,
    Message,
    ReadNotice,
    SearchUserReply,
    SearchUserRequest,
    TextsNotice,
    ThreadNotice,
    ThreadTexts,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Event", "LogIn", "Messenger", "Patience", "Status"]

R = TypeVar("R", bound=Message)

LogIn = Callable[[Callable[[Message], None]], Awaitable[tuple[Client, LoginReply]]]
"""Connects and logs in, with a feed; its argument is called with each notice that the server pushes.

Raises a `ClientError` when it does not succeed."""

_UNHEARD = 1_000
"""So many notices may wait to be heard; one more, and the connection ends: the next one begins with what is missing."""

_TOO_MUCH = f"more than {_UNHEARD} notices wait to be heard"

_FINAL = {ErrorCode.TOKEN_INVALID, ErrorCode.UID_INVALID}
"""A login that is refused so will be refused again."""


class Status(StrEnum):
    """Where a messenger is.

    ``CONNECTING``: it has no connection, and tries to have one. ``SYNCING``: it is catching up. ``STALE``: it is
    connected, but something could not be had; it tries again by and by, or when it is told to. ``READY``: everything is
    here. ``CLOSED``: it has been closed, was told to go, or has failed; it does not come back by itself.
    """

    CONNECTING = "connecting"
    SYNCING = "syncing"
    STALE = "stale"
    READY = "ready"
    CLOSED = "closed"


@dataclass(frozen=True)
class Patience:
    """How long a messenger waits, in seconds.

    Attributes:
        shortest, longest: the bounds of the pause before it connects again, or sends again what the server could not
            store; between them it doubles from one failure to the next, and a part of it is chance, so that a crowd
            does not come back at once. A connection that has not lasted for ``longest`` is a failure, too.
        give_up: the time after which a text that could not be sent has failed.
        resync: the time between two looks at all threads: whatever push was lost, it is not missed for longer.
    """

    shortest: float = 0.2
    longest: float = 30.0
    give_up: float = 300.0
    resync: float = 60.0


@dataclass(frozen=True)
class Event:
    """Something has changed: in one thread, or, when that is None, in the status, the friends, the list of threads."""

    thread_id: int | None = None


class Messenger:
    """One device of a user, with a memory.

    Args:
        uid: whose.
        log_in: how it connects.
        store: its memory.
        clock: seconds since the epoch.
        rng: for the pauses, and the names of texts: unlike that of any other messenger of the user.
        patience: how long it waits.
        loads: whether it loads the threads when it has connected; else only when it is told to `synchronise`.
        changed: called with each `Event`; it must not block.
        limit: the most bytes of a request that the servers take.

    Attributes:
        cache: what it remembers, and whose.
        status: where it is.
        trouble: why it is not ready, if something went wrong.
        profile: who the user is, as the latest login said.
        applications: who wants to be a friend, by id.
    """

    def __init__(
        self,
        uid: int,
        log_in: LogIn,
        store: LocalStore,
        *,
        clock: Callable[[], float],
        rng: np.random.Generator,
        patience: Patience | None = None,
        loads: bool = True,
        changed: Callable[[Event], None] = lambda _: None,
        limit: int = REQUEST_LIMIT,
    ) -> None:
        self.cache = Cache(store, uid)
        self.status = Status.CONNECTING
        self.trouble: str | None = None
        self.profile: LoginReply | None = None
        self.applications: dict[int, FriendApplication] = {}
        self._log_in = log_in
        self._clock = clock
        self._rng = rng
        self._patience = patience or Patience()
        self._loads = loads
        self._changed = changed
        self._outbox = Outbox(uid, self.cache, limit)
        self._connection: Client | None = None
        self._told: asyncio.Queue[Message] = asyncio.Queue(_UNHEARD)
        self._names: dict[int, str] = {}  # given to those whom the user has applied to
        self._stale = False  # the list of threads is to be loaded
        self._wanted: dict[int, None] = {}  # threads that have something to be fetched, in order
        self._to_fetch = asyncio.Event()
        self._to_send = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    # --- its life

    async def open(self) -> None:
        """Open the memory, and begin to connect. Raises a `LocalStoreError` or a `WrongOwnerError`."""
        await self.cache.open()
        self._life = asyncio.create_task(self._live(), name=f"messenger of {self.cache.uid}")

    async def _live(self) -> None:
        """All its loops, until it does not come back; when one of them fails, none goes on."""
        why: str | None = None
        try:
            async with asyncio.TaskGroup() as group:
                loops = (self._listen, self._fetch, self._send, self._look_again)
                beside = [group.create_task(each(), name=f"{each.__name__} of {self.cache.uid}") for each in loops]
                why = await self._connect()
                for task in beside:
                    task.cancel()
        except ExceptionGroup as errors:
            error = errors.exceptions[0]
            why = str(error) or type(error).__name__
            raise error from None
        finally:
            if (connection := self._connection) is not None:
                self._connection = None
                await _hang_up(connection)
            self._now(Status.CLOSED, why)

    async def close(self) -> None:
        """Log out, and close the memory; what is to be sent stays in it. Raises what has ended it, if something has."""
        life, self._life = self._life, None
        try:
            if life is not None:
                life.cancel()
                await asyncio.wait([life])
                if not life.cancelled():
                    life.result()
        finally:
            await self.cache.close()
            if self.status is not Status.CLOSED:
                self._now(Status.CLOSED)

    def synchronise(self) -> None:
        """Load all that is missing, now: at first if it does not do so by itself, or after a trouble."""
        self._loads = self._stale = True
        self._to_fetch.set()

    # --- what a user does

    async def send(self, thread_id: int, content: str) -> LocalText:
        """Have a text be sent as soon as can be; it is safe in the memory when this returns.

        Raises:
            TextTooLongError: it can't be sent, and was not taken.
            KeyError: the thread is not known here.
        """
        if (thread := await self.cache.thread(thread_id)) is None:
            raise KeyError(thread_id)
        name = unique_id(self._rng)
        deadline = self._clock() + self._patience.give_up
        await self._outbox.put(Pending(name, thread_id, thread.other(self.cache.uid), content, deadline))
        self._to_send.set()
        self._changed(Event(thread_id))
        return LocalText(thread_id, None, name, self.cache.uid, content, State.SENDING, "")

    async def send_again(self, unique: str) -> None:
        """Try once more to send a text that has failed."""
        await self.cache.send_again(unique, self._clock() + self._patience.give_up)
        self._to_send.set()
        self._changed(Event())

    async def read(self, thread_id: int) -> None:
        """Note that the user has read all that is here of a thread. Raises a `ClientError`; it is noted here anyway."""
        thread = await self.cache.thread(thread_id)
        if thread is None or thread.cursor <= thread.read_by(self.cache.uid):
            return
        await self.cache.note_read(thread_id, self.cache.uid, thread.cursor)
        self._changed(Event(thread_id))
        await sync.tell_read(self._online(), self.cache, thread_id, thread.cursor)

    async def earlier(self, thread_id: int) -> bool:
        """Load an older page of a thread; returns whether there may be more. Raises a `ClientError`."""
        more = await sync.earlier(self._online(), self.cache, thread_id)
        self._changed(Event(thread_id))
        return more

    async def search(self, typed: str) -> SearchUserReply:
        """Look for a user by id or name. Raises a `ClientError`."""
        return await self._ask(SearchUserRequest(typed), SearchUserReply)

    async def apply(self, uid: int, greeting: str = "", back: str = "") -> None:
        """Apply for a friendship; ``back`` is what they are to be called here. Raises a `ClientError`."""
        await self._ask(AddFriendRequest(self.cache.uid, greeting, back, uid), AddFriendReply)
        self._names[uid] = back

    async def accept(self, uid: int, back: str = "") -> int:
        """Accept an application; returns the thread. Raises a `ClientError`."""
        connection = self._online()
        reply = await connection.request(AuthFriendRequest(self.cache.uid, uid, back), AuthFriendReply)
        friend = FriendEntry(reply.name, uid, reply.icon, reply.nick, reply.sex, "", back)
        await self._befriended(friend, reply.chat_datas)
        if not reply.chat_datas:
            return await self.chat_with(uid)
        thread_id = reply.chat_datas[0].thread_id
        if await self.cache.thread(thread_id) is None:  # what they do next may be in it
            await sync.refresh(connection, self.cache)
        return thread_id

    async def chat_with(self, uid: int) -> int:
        """The private thread with a user, made if there is none. Raises a `ClientError`."""
        for thread in await self.cache.threads():
            if {thread.user1_id, thread.user2_id} == {self.cache.uid, uid}:
                return thread.thread_id
        connection = self._online()
        thread_id = await connection.create_private_chat(uid)
        await sync.fetch(connection, self.cache, thread_id)
        self._changed(Event(thread_id))
        return thread_id

    # --- connecting

    def _online(self) -> Client:
        if self._connection is None:
            raise DisconnectedError(self.trouble or "not connected yet")
        return self._connection

    async def _ask(self, request: Message, reply: type[R]) -> R:
        return await self._online().request(request, reply)

    async def _connect(self) -> str:
        """Be connected, again and again; returns why that is over for good."""
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            try:
                connection, profile = await self._log_in(self._told.put_nowait)
            except (ClientError, asyncio.QueueFull) as error:
                trouble = str(error) or _TOO_MUCH
                if isinstance(error, RefusedError) and error.code in _FINAL:
                    return trouble
                failures += 1
            else:
                began = clock()
                await self._connected(connection, profile)
                await connection.wait_ended()
                self._connection = None
                trouble = await _hang_up(connection)
                if connection.kicked:
                    return trouble
                failures = 1 if clock() - began >= self._patience.longest else failures + 1
            self._now(Status.CONNECTING, trouble)
            await asyncio.sleep(self._pause(failures))

    def _pause(self, failures: int) -> float:
        """Full jitter above the shortest pause (Marc Brooker, Exponential Backoff And Jitter, 2015)."""
        most = min(self._patience.longest, self._patience.shortest * 2.0 ** min(failures, 64))  # no float has 2^1024
        return float(self._rng.uniform(self._patience.shortest / 2, most))

    async def _connected(self, connection: Client, profile: LoginReply) -> None:
        self._connection, self._stale = connection, self._loads
        self.profile = profile
        self.applications = {each.uid: each for each in profile.apply_list if each.status == 0}
        self._now(Status.SYNCING if self._loads else Status.READY)
        self._to_fetch.set()
        self._to_send.set()
        await self.cache.note_friends(profile.friend_list)
        self._changed(Event())

    def _now(self, status: Status, trouble: str | None = None) -> None:
        self.status, self.trouble = status, trouble
        self._changed(Event())

    # --- listening

    async def _listen(self) -> None:
        while True:
            await self._hear(await self._told.get())

    async def _hear(self, notice: Message) -> None:
        match notice:
            case TextsNotice(thread_id=thread_id, texts=texts):
                await self.cache.keep(thread_id, texts)
                thread = await self.cache.thread(thread_id)
                if thread is None or thread.cursor < thread.last_seq:
                    self._want(thread_id)
                self._changed(Event(thread_id))
            case ThreadNotice():
                self._want(notice.thread_id)
            case ReadNotice():
                await self.cache.note_read(notice.thread_id, notice.uid, notice.seq)
                if notice.uid == self.cache.uid:  # another device has told it
                    await self.cache.note_told(notice.thread_id, notice.seq)
                self._changed(Event(notice.thread_id))
            case AddFriendNotice():
                self.applications[notice.applyuid] = FriendApplication(
                    *(notice.name, notice.applyuid, notice.icon, notice.nick, notice.sex, notice.desc, 0)
                )
                self._changed(Event())
            case AuthFriendNotice():
                friend = notice.touid if notice.fromuid == self.cache.uid else notice.fromuid
                entry = FriendEntry(
                    notice.name, friend, notice.icon, notice.nick, notice.sex, "", self._names.get(friend, "")
                )
                await self._befriended(entry, notice.chat_datas)

    async def _befriended(self, friend: FriendEntry, opening: Sequence[FirstText]) -> None:
        self.applications.pop(friend.uid, None)
        if friend.back or friend.uid not in await self.cache.friends():
            await self.cache.note_friends([friend])
        for text in opening:
            self._want(text.thread_id)
        self._changed(Event())

    # --- catching up

    def _want(self, thread_id: int) -> None:
        self._wanted[thread_id] = None
        self._to_fetch.set()

    async def _fetch(self) -> None:
        while True:
            await self._to_fetch.wait()
            self._to_fetch.clear()
            if (connection := self._connection) is None:
                continue  # the next one begins with all that is missing
            try:
                trouble = await self._fetch_from(connection)
            except ClientError as error:
                trouble = str(error)
            if self._connection is connection and connection.ended is None:
                if trouble is not None:
                    self._now(Status.STALE, trouble)
                elif self.status is not Status.READY and not self._stale:
                    self._now(Status.READY)

    async def _fetch_from(self, connection: Client) -> str | None:
        """Have what is missing; returns why some of it could not be had, if so."""
        if self._stale:
            self._now(Status.SYNCING)
            self._stale = False  # who sets it meanwhile has it done once more
            try:
                await sync.refresh(connection, self.cache)
                await sync.catch_up(connection, self.cache, self._stored)
            except ClientError:
                self._stale = True
                raise
        trouble, left = None, dict[int, None]()
        try:
            while self._wanted:
                thread_id = next(iter(self._wanted))
                del self._wanted[thread_id]  # who wants it meanwhile has it fetched once more
                left[thread_id] = None
                try:
                    await sync.fetch(connection, self.cache, thread_id)
                    del left[thread_id]
                except (RefusedError, sync.StuckError) as error:  # the others may be had
                    trouble = f"thread {thread_id}: {error}"
                self._changed(Event(thread_id))
        finally:
            self._wanted |= left
        return trouble

    def _stored(self, threads: Sequence[ThreadTexts]) -> None:
        for each in threads:
            self._changed(Event(each.thread_id))

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self._patience.resync)
            if self._loads:
                self._stale = True
            self._to_fetch.set()

    # --- sending

    async def _send(self) -> None:
        failures = 0
        while True:
            for thread_id, _ in await self.cache.lapse(self._clock()):
                self._changed(Event(thread_id))
            failures = 0 if await self._send_some() else failures + 1
            pauses = [self._pause(failures)] if failures else []
            if (deadline := await self.cache.next_deadline()) is not None:
                pauses.append(max(0.0, deadline - self._clock()))
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pauses, default=None)):
                    await self._to_send.wait()
            self._to_send.clear()

    async def _send_some(self) -> bool:
        """Send what can be sent; returns whether the server took what it was given."""
        if (connection := self._connection) is not None:
            try:
                while sent := await self._outbox.send(connection):
                    for text, _ in sent:
                        self._changed(Event(text.thread_id))
            except RefusedError:
                return False
            except ClientError as error:  # whatever was under way, a new connection begins afresh
                await _hang_up(connection, str(error))
        return True


async def _hang_up(connection: Client, reason: str = "closed by this client") -> str:
    """Close a connection; returns why it has ended."""
    try:
        await connection.close(reason)
    except asyncio.QueueFull:
        return _TOO_MUCH
    return connection.ended or reason
