"""One connection of a client, as its node sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from chatsim.chat.ports import Address, Device, Stream
from chatsim.chat.protocol import Decoder, ErrorCode, Message, OfflineNotice, encode
from chatsim.chat.server.limits import Bucket, Limits

__all__ = ["ClientSession", "SessionEndedError"]

_CHUNK = 16_384


class SessionEndedError(Exception):
    """A request ends its session, for the reason in the message.

    Attributes:
        farewell: what the client is told before.
    """

    def __init__(self, reason: str, farewell: Message) -> None:
        super().__init__(reason)
        self.farewell = farewell


class ClientSession:
    """Reads requests and writes what answers them, one after the other, and what else there is to say to the client.

    Args:
        stream: the connection.
        known: the requests that are understood, by message id.
        limits: what the session may do.
        spawn: runs a coroutine beside.

    Attributes:
        device: who is logged in, or None before.
        feed: whether its client is told of texts by number.
        present: whether presence has been told of that.
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
        self._stream = stream
        self._limits = limits
        self._spawn = spawn
        self._decoder = Decoder(known, limits.request_bytes)
        self._clock = asyncio.get_running_loop().time
        self._bucket = Bucket(limits.rate, limits.burst, self._clock())
        self._turn = asyncio.Lock()  # held while a request is answered
        self._pen = asyncio.Lock()  # held while bytes are written
        self._frames: deque[bytes] = deque()
        self._unsent = 0  # bytes, those being written among them
        self._heard_at = self._wrote_at = self._clock()
        self._ending: str | None = None
        self._over = asyncio.Event()  # set with it

    @property
    def uid(self) -> int:
        """Who is logged in; 0 before."""
        return self.device.uid if self.device else 0

    @property
    def peer(self) -> Address:
        """The client's address."""
        return self._stream.peer

    async def serve(self, answer: Callable[[ClientSession, Message], Awaitable[Message]]) -> str:
        """Have requests answered until the session ends; returns why it did.

        Raises:
            ProtocolError: the client broke the protocol.
        """
        self._watch()
        try:
            reason = await self._serve(answer)
            async with self._turn:  # after the farewell of whoever has ended it
                return reason
        finally:
            self._watching.cancel()

    async def _serve(self, answer: Callable[[ClientSession, Message], Awaitable[Message]]) -> str:
        try:
            while (request := await self._next()) is not None:
                async with self._turn:
                    await self._pace()
                    if self._ending is None:
                        await self.send(await answer(self, request))
                self._heard_at = self._clock()
        except SessionEndedError as end:
            with suppress(ConnectionError):
                await self.send(end.farewell)
            return str(end)
        except ConnectionError as error:
            return self._ending or str(error)
        return self._ending or "closed by the client"

    async def send(self, message: Message) -> None:
        """Send a message in the turn of a request; waits while the client is slow. Raises `ConnectionError`."""
        self._put(message)
        await self._send()

    def push(self, message: Message) -> None:
        """Send a message that nobody waits for. A session with more unsent bytes than its limit ends."""
        if self._ending is not None:
            return
        if self._unsent > self._limits.queue_bytes:
            self._break(f"{self._unsent} bytes wait to be sent")
            return
        self._put(message)
        if len(self._frames) == 1:  # else somebody is about to send
            self._spawn(self._try_to_send())

    async def end(self, reason: str, code: ErrorCode) -> None:
        """Take no more requests; when the one that runs has been answered, tell the client to go, and close."""
        if self._ending is not None:
            return
        self._end(reason)
        async with self._turn:
            self._put(OfflineNotice(code, self.uid))
            await self._try_to_send()
        await self._stream.close()

    def _watch(self) -> None:
        """End the session when it is overdue, else look again when it may be: cheaper than a timeout for each read."""
        now, expiry = self._clock(), self._limits.expiry
        ends = [(now + expiry, "")]
        if self._pen.locked():
            ends.append((self._wrote_at + expiry, f"has not read what it was sent for {expiry:g} s"))
        if not self._turn.locked():  # a request may take its time
            ends.append((self._heard_at + expiry, f"silent for {expiry:g} s"))
        due, reason = min(ends)
        if now > due + expiry / 10:  # it was this end that slept: what has arrived meanwhile is read first
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
            data = await self._stream.read(_CHUNK)
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
        """Write what is unsent. Raises `ConnectionError`."""
        async with self._pen:
            while self._frames:
                data = b"".join(self._frames)
                self._frames.clear()
                self._wrote_at = self._clock()
                await self._stream.write(data)
                self._unsent -= len(data)

    async def _try_to_send(self) -> None:
        """`_send` for those who have nothing to do with a broken connection: the reader meets it, too."""
        with suppress(ConnectionError):
            await self._send()
