"""A client with a local database. While it is open, it reconnects, catches up, and sends the texts of the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from chatsim.chat.client import sync
from chatsim.chat.client.attachments import AttachmentActions, Attachments
from chatsim.chat.client.cache import Cache, LocalText, Pending, State
from chatsim.chat.client.connection import Client, ClientError, DisconnectedError, RefusedError
from chatsim.chat.client.event import Event
from chatsim.chat.client.friends import FriendActions
from chatsim.chat.client.groups import GroupActions
from chatsim.chat.client.outbox import Outbox, unique_id
from chatsim.chat.client.threads import ThreadActions
from chatsim.chat.client.timing import Timing
from chatsim.chat.ports import LocalStore, LocalStoreUnavailableError
from chatsim.chat.protocol import (
    REQUEST_LIMIT,
    AddFriendNotice,
    AuthFriendNotice,
    DeliveredNotice,
    ErrorCode,
    FriendApplication,
    FriendEntry,
    LoginReply,
    Message,
    ReadNotice,
    RevisedNotice,
    TextsNotice,
    ThreadNotice,
    ThreadTexts,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Event", "LogIn", "Messenger", "MessengerClosedError", "Status", "Timing"]

R = TypeVar("R", bound=Message)

LogIn = Callable[[Callable[[Message], None]], Awaitable[tuple[Client, LoginReply]]]
"""Connects and logs in, with ``feed`` set. Its argument is called with each notice that the server pushes.

Raises `ClientError` if it does not succeed."""

_MOST_NOTICES = 1_000
"""The largest number of notices that wait to be handled. With one more the connection ends; the next one catches up."""

_TOO_MANY = f"more than {_MOST_NOTICES} notices wait to be handled"

_FINAL = {ErrorCode.TOKEN_INVALID, ErrorCode.UID_INVALID}
"""The errors of a login after which another try is useless."""


class MessengerClosedError(Exception):
    """The messenger is not open, or has ended, and nothing would send the text. The text was not stored."""


class Status(StrEnum):
    """The status of a messenger.

    ``CONNECTING``: it has no connection, and tries to connect. ``SYNCING``: it is catching up. ``STALE``: it is
    connected, but could not load something; it tries again after a while, or when `Messenger.synchronise` is called.
    ``READY``: it has everything. ``NO_STORE``: it can't use its local database, because another process has locked it
    or the disk is full; it has hung up, and tries again after a while. ``CLOSED``: it was closed, was logged out by the
    server, or has failed; it does not reconnect.
    """

    CONNECTING = "connecting"
    SYNCING = "syncing"
    STALE = "stale"
    READY = "ready"
    NO_STORE = "no local store"
    CLOSED = "closed"


class Messenger(AttachmentActions, GroupActions, ThreadActions, FriendActions):
    """One device of a user, with a local database.

    Args:
        uid: the user.
        log_in: connects and logs in.
        store: the local database.
        rng: for pauses and unique ids. It must differ from that of every other messenger of the user.
        timing: how long it waits.
        loads: whether it loads the threads after it has connected; otherwise it waits for `synchronise`.
        changed: called with each `Event`. It must not block.
        limit: the largest request that the servers accept, in bytes.

    Attributes:
        cache: the user's local data.
        status: its status.
        trouble: why it is not ready, if something went wrong.
        profile: the user's profile, from the latest login.
        applications: the friend applications of other users, by user id.
    """

    def __init__(
        self,
        uid: int,
        log_in: LogIn,
        store: LocalStore,
        *,
        rng: np.random.Generator,
        timing: Timing | None = None,
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
        self._rng = rng
        self._timing = timing or Timing()
        self._loads = loads
        self._changed = changed
        self._outbox = Outbox(uid, self.cache, limit)
        self._connection: Client | None = None
        self._attachments = Attachments(
            uid,
            store,
            rng=rng,
            timing=self._timing,
            limit=limit,
            connection=lambda: self._connection,
            changed=lambda thread_id: changed(Event(thread_id)),
        )
        self._notices: asyncio.Queue[Message] = asyncio.Queue(_MOST_NOTICES)
        self._heard: Message | None = None  # the notice that is being handled
        self._names: dict[int, str] = {}  # the user's own names for those to whom the user has applied
        self._list_is_stale = False  # the list of threads is to be loaded
        self._stale_threads: dict[int, bool] = {}  # threads to fetch, in order, and whether their states are stale
        self._to_fetch = asyncio.Event()
        self._to_send = asyncio.Event()
        self._to_report = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    # --- its life

    async def open(self) -> None:
        """Open the local database, and begin to connect. Raises `LocalStoreError` or `WrongOwnerError`."""
        await self.cache.open()
        await self.cache.postpone(self._deadline())
        self._life = asyncio.create_task(self._live(), name=f"messenger of {self.cache.uid}")

    async def _live(self) -> None:
        """Run all loops until the messenger is closed. After a passing error of the local store, start afresh."""
        clock = asyncio.get_running_loop().time
        why, failures = None, 0
        try:
            while why is None:
                began = clock()
                try:
                    why = await self._run()
                except LocalStoreUnavailableError as error:
                    failures = 1 if clock() - began >= self._timing.longest else failures + 1
                    await self._hang_up()
                    self._set_status(Status.NO_STORE, str(error))
                    await asyncio.sleep(self._timing.pause(failures, self._rng))
        except Exception as error:
            why = str(error) or type(error).__name__
            raise
        finally:
            await self._hang_up()
            self._set_status(Status.CLOSED, why)

    async def _run(self) -> str:
        """Run all loops until the messenger does not connect any more. Returns why. If one of them fails, all end."""
        try:
            async with asyncio.TaskGroup() as group:
                loops = (self._listen, self._fetch, self._send, self._resync, self._report, self._attachments.run)
                tasks = [group.create_task(each(), name=f"{each.__name__} of {self.cache.uid}") for each in loops]
                why = await self._connect()
                for task in tasks:
                    task.cancel()
        except ExceptionGroup as errors:  # one after which another try is useless counts first
            raise min(errors.exceptions, key=lambda each: isinstance(each, LocalStoreUnavailableError)) from None
        return why

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _hang_up(connection)

    async def close(self) -> None:
        """Log out, and close the local database, which keeps the outbox. Raises the error of a loop that has failed."""
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
                self._set_status(Status.CLOSED)

    def synchronise(self) -> None:
        """Load everything that is missing, now: for the first time if ``loads`` is false, or after something failed."""
        self._loads = self._list_is_stale = True
        self._to_fetch.set()

    # --- what a user does

    async def send(self, thread_id: int, content: str) -> LocalText:
        """Send a text as soon as possible. When this returns, the text is stored in the local database.

        Raises:
            TextTooLongError: the text can't be sent, and was not stored.
            MessengerClosedError: nothing would send the text, and it was not stored.
            LocalStoreError: the local database can't be used, and the text was not stored.
            KeyError: the thread is unknown, or is a group that the user has left.
        """
        self._require_open()
        if (thread := await self.cache.thread(thread_id)) is None or thread.left:
            raise KeyError(thread_id)
        name = unique_id(self._rng)
        await self._outbox.put(Pending(name, thread_id, thread.other(self.cache.uid), content, self._deadline()))
        self._to_send.set()
        self._changed(Event(thread_id))
        return LocalText(thread_id, None, name, self.cache.uid, content, State.SENDING, "")

    async def send_again(self, unique: str) -> None:
        """Try once more to send what has failed. Raises `MessengerClosedError` or `LocalStoreError`."""
        self._require_open()
        await self.cache.send_again(unique, self._deadline())
        await self._attachments.send_again(unique)
        self._to_send.set()
        self._changed(Event())

    def _require_open(self) -> None:
        if self._life is None or self._life.done():
            raise MessengerClosedError(self.trouble or "the messenger is not open")

    # --- connecting

    def _online(self) -> Client:
        if self._connection is None:
            raise DisconnectedError(self.trouble or "not connected yet")
        return self._connection

    async def _connect(self) -> str:
        """Connect, again and again. Returns the reason why the messenger does not connect any more."""
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            try:
                connection, profile = await self._log_in(self._notices.put_nowait)
            except (ClientError, asyncio.QueueFull) as error:
                trouble = str(error) or _TOO_MANY
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
                failures = 1 if clock() - began >= self._timing.longest else failures + 1
            self._set_status(Status.CONNECTING, trouble)
            await asyncio.sleep(self._timing.pause(failures, self._rng))

    async def _connected(self, connection: Client, profile: LoginReply) -> None:
        self._connection, self._list_is_stale = connection, self._loads
        self.profile = profile
        self.applications = {each.uid: each for each in profile.apply_list if each.status == 0}
        self._set_status(Status.SYNCING if self._loads else Status.READY)
        self._to_fetch.set()
        self._to_send.set()
        self._attachments.wake()
        await self.cache.note_friends(profile.friend_list)
        self._changed(Event())

    def _set_status(self, status: Status, trouble: str | None = None) -> None:
        self.status, self.trouble = status, trouble
        self._changed(Event())

    # --- listening

    async def _listen(self) -> None:
        while True:
            self._heard = self._heard or await self._notices.get()  # if the local store fails, it is handled later
            await self._handle(self._heard)
            self._heard = None

    async def _handle(self, notice: Message) -> None:
        match notice:
            case TextsNotice() | RevisedNotice():
                await self._keep(notice)
                self._changed(Event(notice.thread_id))
            case DeliveredNotice():
                await self.cache.note_delivered(notice.thread_id, notice.uid, notice.seq)
                self._changed(Event(notice.thread_id))
            case ThreadNotice():
                self._request_fetch(notice.thread_id, state=True)
            case ReadNotice():
                await self.cache.note_read(notice.thread_id, notice.uid, notice.seq)
                if notice.uid == self.cache.uid:  # another device has told it
                    await self._note_read_elsewhere(notice.thread_id, notice.seq)
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
                await self._note_friend(entry, notice.chat_datas)

    async def _keep(self, notice: TextsNotice | RevisedNotice) -> None:
        """Store messages that are new or have been changed. If something is missing before them, it is to be loaded."""
        thread_id = notice.thread_id
        if isinstance(notice, TextsNotice):
            await self.cache.keep_pushed(thread_id, notice.texts)
            if any(text.sender != self.cache.uid for text in notice.texts):
                self._to_report.set()
        else:
            await self.cache.keep_changed(thread_id, notice.texts)
        thread = await self.cache.thread(thread_id)
        if thread is None or (thread.lacks_something and not thread.left):
            self._request_fetch(thread_id)

    async def _note_read_elsewhere(self, thread_id: int, seq: int) -> None:
        await self.cache.note_reported(thread_id, seq)
        thread = await self.cache.thread(thread_id)
        if thread is not None and thread.floor > seq + 1 and self._loads:  # how many are left, the server has counted
            self._list_is_stale = True
            self._to_fetch.set()

    # --- catching up

    def _request_fetch(self, thread_id: int, *, state: bool = False) -> None:
        self._stale_threads[thread_id] = state or self._stale_threads.get(thread_id, False)
        self._to_fetch.set()

    async def _fetch(self) -> None:
        while True:
            await self._to_fetch.wait()
            self._to_fetch.clear()
            if (connection := self._connection) is None:
                continue  # the next connection loads everything that is missing
            try:
                trouble = await self._fetch_from(connection)
            except ClientError as error:
                trouble = str(error)
            self._to_report.set()
            if self._connection is connection and connection.ended is None:
                if trouble is not None:
                    self._set_status(Status.STALE, trouble)
                elif self.status is not Status.READY and not self._list_is_stale:
                    self._set_status(Status.READY)

    async def _fetch_from(self, connection: Client) -> str | None:
        """Load what is missing. Returns the reason if some of it could not be loaded."""
        if self._list_is_stale:
            self._set_status(Status.SYNCING)
            self._list_is_stale = False  # if it is set meanwhile, the list is loaded once more
            try:
                await sync.refresh(connection, self.cache)
                await sync.catch_up(connection, self.cache, self._stored)
            except ClientError:
                self._list_is_stale = True
                raise
        trouble, left = None, dict[int, bool]()
        try:
            while self._stale_threads:
                thread_id = next(iter(self._stale_threads))
                left[thread_id] = self._stale_threads.pop(thread_id)  # if it is wanted meanwhile, it is fetched again
                try:
                    load = sync.follow if left[thread_id] else sync.fetch
                    await load(connection, self.cache, thread_id)
                    del left[thread_id]
                except (RefusedError, sync.StuckError) as error:  # the other threads are still loaded
                    trouble = f"thread {thread_id}: {error}"
                self._changed(Event(thread_id))
        finally:
            self._stale_threads |= left
        return trouble

    def _stored(self, threads: Sequence[ThreadTexts]) -> None:
        for each in threads:
            self._changed(Event(each.thread_id))

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._timing.resync)
            if self._loads:
                self._list_is_stale = True
            self._to_fetch.set()

    async def _report(self) -> None:
        """Report what has been delivered here, a while later: what has been read by then needs no other report."""
        while True:
            await self._to_report.wait()
            await asyncio.sleep(self._timing.receipts)
            self._to_report.clear()
            if (connection := self._connection) is not None:
                with suppress(ClientError):  # the next fetch reports it
                    if await sync.report_delivered(connection, self.cache):
                        self._to_report.set()

    # --- sending

    def _deadline(self) -> float:
        """When a text fails that is to be sent now, by the clock of the running loop."""
        return asyncio.get_running_loop().time() + self._timing.give_up

    async def _send(self) -> None:
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            for thread_id, _ in await self.cache.lapse(clock()):
                self._changed(Event(thread_id))
            failures = 0 if await self._send_some() else failures + 1
            pauses = [self._timing.pause(failures, self._rng)] if failures else []
            if (deadline := await self.cache.next_deadline()) is not None:
                pauses.append(max(0.0, deadline - clock()))
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pauses, default=None)):
                    await self._to_send.wait()
            self._to_send.clear()

    async def _send_some(self) -> bool:
        """Send what can be sent. Returns whether the server has accepted it."""
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
    """Close a connection. Returns the reason why it has ended."""
    try:
        await connection.close(reason)
    except asyncio.QueueFull:
        return _TOO_MANY
    return connection.ended or reason
