"""A client's connection: login and heartbeats, requests with deadlines, and what comes unasked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from chatsim.chat.ports import Address, Network, Stream
from chatsim.chat.protocol import (
    FROM_SERVER,
    REPLY,
    CreatePrivateChatReply,
    CreatePrivateChatRequest,
    Decoder,
    ErrorCode,
    HeartbeatReply,
    HeartbeatRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    LoginReply,
    LoginRequest,
    Message,
    OfflineNotice,
    ProtocolError,
    Thread,
    encode,
)

__all__ = ["DEADLINE", "HEARTBEAT", "Client", "ClientError", "DisconnectedError", "LateError", "RefusedError"]

HEARTBEAT = 10.0
"""Seconds between two heartbeats (system document, 3.7)."""

DEADLINE = 10.0
"""Seconds that a request may take."""

_CHUNK = 65_536
_REPLIES = frozenset(REPLY.values())

R = TypeVar("R", bound=Message)


class ClientError(Exception):
    """A request did not get what it asked for."""


class DisconnectedError(ClientError):
    """The connection has ended, for the reason in the message; what became of the request is unknown."""


class LateError(ClientError):
    """No reply came in time; what became of the request is unknown."""


class RefusedError(ClientError):
    """The server answered with an error.

    Attributes:
        code: its number, see `ErrorCode`.
    """

    def __init__(self, message: type[Message], code: int) -> None:
        name = ErrorCode(code).name if code in list(ErrorCode) else "unknown to this client"
        super().__init__(f"error {code} ({name}) in answer to {message.__name__}")
        self.code = code


class Client:
    """One device of a user: a connection to a node, made by `connect`.

    Attributes:
        uid: who is logged in, or None.
        ended: why the connection has ended, or None while it lasts.
        kicked: whether that is since the user has logged in elsewhere.
    """

    def __init__(
        self, stream: Stream, *, deadline: float, heartbeat: float, pushed: Callable[[Message], None] | None
    ) -> None:
        self.uid: int | None = None
        self.ended: str | None = None
        self.kicked = False
        self._stream = stream
        self._deadline = deadline
        self._heartbeat = heartbeat
        self._pushed = pushed
        self._decoder = Decoder(FROM_SERVER)
        # replies come in the order of the requests; one that came too late for its asker still takes its place
        self._asked: deque[tuple[type[Message], asyncio.Future[Message | None]]] = deque()
        self._reading = asyncio.create_task(self._read(), name=f"client of {stream.peer}")
        self._beating: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls,
        network: Network,
        address: Address,
        *,
        deadline: float = DEADLINE,
        heartbeat: float = HEARTBEAT,
        pushed: Callable[[Message], None] | None = None,
    ) -> Client:
        """Connect to the node at ``address``.

        Args:
            network: what connects.
            address: where the node listens.
            deadline: the seconds that a request may take, and connecting.
            heartbeat: the seconds between two heartbeats, once logged in.
            pushed: called with what the server says unasked, as it arrives; it must not block. An error in it ends
                the connection, and is raised by `close`.

        Raises:
            DisconnectedError: nobody listens there, or it can't be reached.
        """
        try:
            async with asyncio.timeout(deadline):
                stream = await network.connect(address)
        except OSError as error:  # a TimeoutError is one
            raise DisconnectedError(f"no connection to {address}: {error}") from error
        return cls(stream, deadline=deadline, heartbeat=heartbeat, pushed=pushed)

    async def request(self, message: Message, reply: type[R]) -> R:
        """Send a request and wait for its reply.

        Raises:
            DisconnectedError: the connection ended first.
            LateError: the deadline passed first.
            RefusedError: the reply says so.
            MessageTooLongError: nothing was sent.
        """
        if self.ended is not None:
            raise DisconnectedError(self.ended)
        frame = encode(message)
        answer: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._asked.append((reply, answer))
        try:
            async with asyncio.timeout(self._deadline):
                await self._stream.write(frame)
                came = await answer
        except TimeoutError:
            raise LateError(f"no answer to {type(message).__name__} within {self._deadline:g} s") from None
        except ConnectionError as error:
            raise DisconnectedError(str(error)) from error
        finally:
            answer.cancel()
        if came is None:
            raise DisconnectedError(self.ended)
        assert isinstance(came, reply)
        if code := getattr(came, "error", 0):
            raise RefusedError(type(message), code)
        return came

    async def log_in(self, uid: int, token: str, *, feed: bool = False) -> LoginReply:
        """Log in, and keep the session alive from then on; with ``feed``, be told of texts by number.

        Raises as `request` does.
        """
        reply = await self.request(LoginRequest(uid, token, feed), LoginReply)
        self.uid = uid
        if self.ended is None:
            self._beating = asyncio.create_task(self._beat(uid), name=f"heartbeat of {uid}")
        return reply

    async def create_private_chat(self, other: int) -> int:
        """The id of the thread with ``other``, made if there is none. Raises as `request` does."""
        reply = await self.request(CreatePrivateChatRequest(self._logged_in(), other), CreatePrivateChatReply)
        return reply.thread_id

    async def threads(self) -> list[Thread]:
        """All of the user's threads, by id. Raises as `request` does."""
        found: list[Thread] = []
        more, last = True, 0
        while more:
            page = await self.request(LoadThreadsRequest(self._logged_in(), last), LoadThreadsReply)
            found += page.threads
            more, last = page.load_more, page.next_last_id
        return found

    async def wait_ended(self) -> None:
        """Wait until the connection has ended, for whatever reason."""
        await asyncio.wait([self._reading])

    async def close(self) -> None:
        """Close the connection; requests under way end with a `DisconnectedError`. May be called twice."""
        self._end("closed by this client")
        await self._stream.close()
        await self._reading

    def _logged_in(self) -> int:
        if self.uid is None:
            raise RuntimeError("log in first")
        return self.uid

    async def _beat(self, uid: int) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            try:
                await self.request(HeartbeatRequest(uid), HeartbeatReply)
            except ClientError as error:
                self._end(f"the heartbeat failed: {error}")
                await self._stream.close()
                return

    async def _read(self) -> None:
        reason = "this client failed"
        try:
            while data := await self._stream.read(_CHUNK):
                self._decoder.feed(data)
                while (message := self._decoder.next_message()) is not None:
                    self._take(message)
            self._decoder.end()
            reason = "closed by the server"
        except (ConnectionError, ProtocolError) as error:
            reason = str(error)
        finally:
            self._end(reason)
            await self._stream.close()

    def _take(self, message: Message) -> None:
        if isinstance(message, OfflineNotice):
            self.kicked = message.error == ErrorCode.SUCCESS
            self._end("told to go: logged in elsewhere" if self.kicked else "told to go: the node closes")
        if type(message) not in _REPLIES:
            if self._pushed is not None:
                self._pushed(message)
            return
        if not self._asked or self._asked[0][0] is not type(message):
            raise ProtocolError(f"message {message.ID} answers nothing that was asked")
        _, answer = self._asked.popleft()
        if not answer.done():
            answer.set_result(message)

    def _end(self, reason: str) -> None:
        """Let every request under way know; only the first reason counts."""
        if self.ended is None:
            self.ended = reason
        if self._beating is not None and self._beating is not asyncio.current_task():
            self._beating.cancel()
        while self._asked:
            _, answer = self._asked.popleft()
            if not answer.done():
                answer.set_result(None)
