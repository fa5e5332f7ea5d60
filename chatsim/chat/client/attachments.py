"""The attachments of a messenger: those to be sent go up one after the other, and any of a message is fetched."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from chatsim.chat.client.acting import Acting
from chatsim.chat.client.cache import LocalText, LocalThread, State
from chatsim.chat.client.connection import Client, ClientError, RefusedError
from chatsim.chat.client.event import Event
from chatsim.chat.client.local_files import LocalFile, LocalFiles, Upload
from chatsim.chat.client.outbox import TextTooLongError, unique_id
from chatsim.chat.client.timing import Timing
from chatsim.chat.client.transfers import TransferError, beginning, download, sha256, upload
from chatsim.chat.ports import LocalStore
from chatsim.chat.protocol import FILE, ErrorCode

if TYPE_CHECKING:
    import numpy as np

__all__ = ["AttachmentActions", "Attachments", "NoAttachmentError"]

_AGAIN = {ErrorCode.FILE_FAILED, ErrorCode.SEND_FAILED, ErrorCode.RPC_FAILED}
"""Errors of the server after which the same attachment may be accepted later."""

_MOST_TRIES = 5
"""How often an upload is tried that the server has lost, or does not take although it has all bytes."""


class NoAttachmentError(Exception):
    """The message has no attachment, or there is no such message in the local database."""


class Attachments:
    """The attachments of one device. Uploads are stored with their bytes, so they go on after a restart.

    Args:
        uid: the user.
        store: the local database, in which the cache has made the tables.
        rng: for pauses and unique ids.
        timing: how long it waits.
        limit: the largest request that the server accepts, in bytes; chunks may be longer.
        connection: gives the connection, or None while there is none.
        changed: called with a thread of which something has changed.
    """

    def __init__(
        self,
        uid: int,
        store: LocalStore,
        *,
        rng: np.random.Generator,
        timing: Timing,
        limit: int,
        connection: Callable[[], Client | None],
        changed: Callable[[int], None],
    ) -> None:
        self._uid = uid
        self._files = LocalFiles(store)
        self._rng = rng
        self._timing = timing
        self._limit = limit
        self._connection = connection
        self._changed = changed
        self._to_send = asyncio.Event()
        self._may_be_more = True  # that is to be sent; it is looked for only then, and not at every login
        self._tries: Counter[str] = Counter()
        self._downloading = asyncio.Lock()

    async def put(self, thread: LocalThread, name: str, data: bytes, msg_type: int) -> LocalText:
        """Store an attachment that is to be sent. Raises `TextTooLongError` or `LocalStoreError`."""
        unique = unique_id(self._rng)
        receiver = thread.other(self._uid)
        wanted = Upload(unique, thread.thread_id, receiver, name, msg_type, len(data), await sha256(data))
        if (size := len(msgspec.json.encode(beginning(wanted)))) > self._limit:
            raise TextTooLongError(f"the file's name makes a request of {size} bytes; a server accepts {self._limit}")
        await self._files.put(wanted, data)
        self._may_be_more = True
        self.wake()
        file = LocalFile(0, msg_type, len(data), 0)
        return LocalText(thread.thread_id, None, unique, self._uid, name, State.SENDING, "", file)

    async def send_again(self, unique: str) -> None:
        """Try once more to send an attachment that has failed, if it is one. Raises `LocalStoreError`."""
        self._tries.pop(unique, None)
        await self._files.send_again(unique)
        self._may_be_more = True
        self.wake()

    def wake(self) -> None:
        """Look at once whether something can be sent."""
        self._to_send.set()

    async def fetch(self, connection: Client, thread_id: int, seq: int) -> bytes:
        """The bytes of a message's attachment.

        Raises:
            NoAttachmentError: there is none.
            ClientError: it could not be loaded. What has come of it is kept.
            LocalStoreError: the local database can't be used.
        """
        async with self._downloading:
            file = await self._files.file(thread_id, seq)
            if file is None:
                raise NoAttachmentError(f"message {seq} has no attachment")
            return await download(connection, self._files, file, lambda: self._changed(thread_id))

    async def run(self) -> None:
        """Send what is to be sent, until cancelled. Raises `LocalStoreError`."""
        failures = 0
        self._may_be_more = False
        if await self._files.next_upload() is not None:
            self._may_be_more = True
        while True:
            failures = 0 if await self._send_some() else failures + 1
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.pause(failures, self._rng) if failures else None):
                    await self._to_send.wait()
            self._to_send.clear()

    async def _send_some(self) -> bool:
        """Send what can be sent. Returns whether nothing is left that could be sent by another try."""
        while self._may_be_more and (connection := self._connection()) is not None:
            self._may_be_more = False
            wanted = await self._files.next_upload()
            if wanted is None:
                return True
            self._may_be_more = True
            moved = partial(self._changed, wanted.thread_id)
            try:
                await upload(connection, self._uid, self._files, wanted, moved)
            except RefusedError as error:
                if error.code in _AGAIN:
                    return False
                await self._files.note_failed(wanted.unique_id)
            except TransferError:
                self._tries[wanted.unique_id] += 1
                if self._tries[wanted.unique_id] < _MOST_TRIES:
                    return False
                await self._files.note_failed(wanted.unique_id)
            except ClientError:
                return False
            self._tries.pop(wanted.unique_id, None)
            self._changed(wanted.thread_id)
        return True  # if there is more, the next connection goes on


class AttachmentActions(Acting):
    """The methods of a messenger that are about attachments."""

    _attachments: Attachments

    def _require_open(self) -> None:
        raise NotImplementedError

    async def send_file(self, thread_id: int, name: str, data: bytes, msg_type: int = FILE) -> LocalText:
        """Send a file, or an image, as soon as possible. When this returns, it is stored in the local database.

        It is sent when the server has all of its bytes, however long that takes; texts do not wait for it. A name that
        the server does not allow makes it fail.

        Args:
            thread_id: the thread.
            name: the name to show, without a path.
            data: the bytes.
            msg_type: `FILE` or `IMAGE`.

        Raises:
            TextTooLongError: the name is too long for a request, and nothing was stored.
            MessengerClosedError: nothing would send it, and it was not stored.
            LocalStoreError: the local database can't be used, and it was not stored.
            KeyError: the thread is unknown, or is a group that the user has left.
        """
        self._require_open()
        if (thread := await self.cache.thread(thread_id)) is None or thread.left:
            raise KeyError(thread_id)
        sending = await self._attachments.put(thread, name, data, msg_type)
        self._changed(Event(thread_id))
        return sending

    async def fetch_file(self, thread_id: int, seq: int) -> bytes:
        """The bytes of the attachment of message ``seq``, from the server. They are those that were sent.

        What has come is kept in the local database until all is here, so that another try goes on from there.

        Raises:
            NoAttachmentError: this client knows no such message, or it has no attachment.
            ClientError: it could not be loaded.
            LocalStoreError: the local database can't be used.
        """
        return await self._attachments.fetch(self._online(), thread_id, seq)
