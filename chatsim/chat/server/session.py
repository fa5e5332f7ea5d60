"""One connection of a client, as its node sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from chatsim.chat.ports import Address, Device, Stream
from chatsim.chat.protocol import (
    CHUNK_REQUEST_LIMIT,
    ChunkRequest,
    Decoder,
    ErrorCode,
    Message,
    OfflineNotice,
    ProtocolError,
    encode,
)
from chatsim.chat.server.limits import Bucket, Limits

__all__ = ["Answer", "ClientSession", "Failed", "SessionEndedError"]

_CHUNK = 16_384
_LONGER = {ChunkRequest.ID: CHUNK_REQUEST_LIMIT}


class SessionEndedError(Exception):
    """A request ends its session. The message has the reason.

    Attributes:
        farewell: the last message to the client.
    """

    def __init__(self, reason: str, farewell: Message) -> None:
        super().__init__(reason)
        self.farewell = farewell


Answer = Callable[["ClientSession", Message], Awaitable[Message]]
"""The reply to a request. Raises `SessionEndedError` or `ProtocolError`."""

Failed = Callable[["ClientSession", Message, Exception], Message]
"""The reply to a request whose answer raised an unexpected error, or was too long. Raises `SessionEndedError`."""


class ClientSession:
    """Reads requests, and writes replies, one after the other, and notices.

    Args:
        stream: the connection.
        known: the known requests, by message id.
        limits: the limits of the session.
        spawn: runs a coroutine as a task.

    Attributes:
        device: the logged-in device, or None before the login.
        feed: whether the client has set ``feed``.
        present: whether the device has an entry in presence.
        dropped: whether the node has dropped it.
    """

    def __init__(
        self,
        stream: Stream,
        known: Mapping[int, type[Message]],
        limits: Limits,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.device: Device | None = None
        self.feed = False
        self.present = False
        self.dropped = False
        self._stream = stream
        self._limits = limits
        self._spawn = spawn
        self._decoder = Decoder(known, limits.request_bytes)
        self._clock = asyncio.get_running_loop().time
        self._bucket = Bucket(limits.rate, limits.burst, self._clock())
        self._answer_lock = asyncio.Lock()  # held while a request is answered
        self._write_lock = asyncio.Lock()  # held while bytes are written
        self._frames: deque[bytes] = deque()
        self._unsent = 0  # bytes, including those that are being written
        self._connected_at = self._requested_at = self._wrote_at = self._clock()
        self._ending: str | None = None
        self._over = asyncio.Event()  # set with it

    @property
    def uid(self) -> int:
        """The logged-in user; 0 before the login."""
        return self.device.uid if self.device else 0

    @property
    def peer(self) -> Address:
        """The client's address."""
        return self._stream.peer

    def logged_in(self, device: Device) -> None:
        """Note the login. From now on, chunks of uploads may be longer than other requests."""
        self.device = device
        self._decoder.longer = _LONGER

    async def serve(self, answer: Answer, failed: Failed) -> str:
        """Answer requests until the session ends. Returns the reason why it has ended.

        An error in ``answer`` does not end the session: the client gets the reply that ``failed`` makes of it.

        Raises:
            ProtocolError: the client has broken the protocol.
        """
        self._watch()
        try:
            reason = await self._serve(answer, failed)
            async with self._answer_lock:  # after the farewell, if somebody else has ended it
                return reason
        finally:
            self._watching.cancel()

    async def _serve(self, answer: Answer, failed: Failed) -> str:
        try:
            while (request := await self._next()) is not None:
                async with self._answer_lock:
                    await self._pace()
                    if self._ending is None:
                        await self._reply(request, answer, failed)
                self._requested_at = self._clock()
        except SessionEndedError as end:
            with suppress(ConnectionError):
                await self.send(end.farewell)
            return str(end)
        except ConnectionError as error:
            return self._ending or str(error)
        return self._ending or "closed by the client"

    async def _reply(self, request: Message, answer: Answer, failed: Failed) -> None:
        try:
            await self.send(await answer(self, request))
        except (ConnectionError, ProtocolError, SessionEndedError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason to end a session
            await self.send(failed(self, request, error))

    async def send(self, message: Message) -> None:
        """Send a reply. Waits while the client reads slowly. Raises `ConnectionError`."""
        self._put(message)
        await self._send()

    def push(self, message: Message) -> None:
        """Send a notice, without waiting. The session ends if it has more unsent bytes than its limit."""
        if self._ending is not None:
            return
        if self._unsent > self._limits.queue_bytes:
            self._break(f"{self._unsent} bytes wait to be sent")
            return
        self._put(message)
        if len(self._frames) == 1:  # otherwise another task is about to send
            self._spawn(self._try_to_send())

    async def end(self, reason: str, code: ErrorCode) -> None:
        """Accept no more requests. After the running request, send message 1021 with ``code``, and close."""
        if self._ending is not None:
            return
        self._end(reason)
        async with self._answer_lock:
            self._put(OfflineNotice(code, self.uid))
            await self._try_to_send()
        await self._stream.close()

    def drop(self, reason: str) -> None:
        """End the session now, without a message to the client."""
        self.dropped = True
        self._break(reason)

    def _watch(self) -> None:
        """End the session if the client is overdue, or look again later. Cheaper than a timeout for each read."""
        now, expiry = self._clock(), self._limits.expiry
        ends = [(now + expiry, "")]
        if self._write_lock.locked():
            ends.append((self._wrote_at + expiry, f"has not read what it was sent for {expiry:g} s"))
        if not self._answer_lock.locked():  # a request may take its time
            ends.append((self._requested_at + expiry, f"silent for {expiry:g} s"))
            if self.device is None:
                ends.append((self._connected_at + self._limits.login, f"no login within {self._limits.login:g} s"))
        due, reason = min(ends)
        if now > due + expiry / 10:  # this process was stopped: first read what has arrived meanwhile
            due = now + expiry / 10
        if now >= due:
            self._break(reason)
        else:
            self._watching = asyncio.get_running_loop().call_at(due, self._watch)

    def _break(self, reason: str) -> None:
        self._end(reason)
        self._spawn(self._stream.close())

    def _end(self, reason: str) -> None:
        self._ending = self._ending or reason
        self._over.set()

    async def _next(self) -> Message | None:
        """The next request; None at the end."""
        while self._ending is None:
            if (message := self._decoder.next_message()) is not None:
                return message
            data = await self._stream.read(_CHUNK, self._decoder.missing)  # one byte at a time would cost much
            if not data:
                if self._ending is None:
                    self._decoder.end()
                break
            self._decoder.feed(data)
        return None

    async def _pace(self) -> None:
        """Wait until the rate allows a request, or until the session is over."""
        if wait := self._bucket.take(self._clock()):
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._over.wait()

    def _put(self, message: Message) -> None:
        frame = encode(message)
        self._frames.append(frame)
        self._unsent += len(frame)

    async def _send(self) -> None:
        """Write all unsent bytes. Raises `ConnectionError`."""
        async with self._write_lock:
            while self._frames:
                data = b"".join(self._frames)
                self._frames.clear()
                self._wrote_at = self._clock()
                await self._stream.write(data)
                self._unsent -= len(data)

    async def _try_to_send(self) -> None:
        """`_send` without its error: the reader notices a broken connection, too."""
        with suppress(ConnectionError):
            await self._send()
