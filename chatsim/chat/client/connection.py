"""A client's connection: login and heartbeats, requests with deadlines, and notices that the server pushes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from chatsim.chat.ports import Address, Network, Stream
from chatsim.chat.protocol import (
    FROM_SERVER,
    REPLY,
    CatchUpPart,
    CatchUpRequest,
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
"""Seconds between two heartbeats (docs/source.md, 3.7)."""

DEADLINE = 10.0
"""The largest time for a request, in seconds."""

_CHUNK = 65_536
_PARTS = 4
"""The largest number of received parts of a catch-up that wait to be taken. The client reads on when one is taken."""

_REPLIES = frozenset(REPLY.values())

R = TypeVar("R", bound=Message)


class ClientError(Exception):
    """A request has failed."""


class DisconnectedError(ClientError):
    """The connection has ended. The message has the reason. Whether the request was carried out is unknown."""


class LateError(ClientError):
    """No reply came in time. Whether the request was carried out is unknown."""


class RefusedError(ClientError):
    """The server answered with an error.

    Attributes:
        code: its number, see `ErrorCode`.
    """

    def __init__(self, message: type[Message], code: int) -> None:
        name = ErrorCode(code).name if code in list(ErrorCode) else "unknown to this client"
        super().__init__(f"error {code} ({name}) in answer to {message.__name__}")
        self.code = code


class _PendingRequest:
    """A request that waits for its reply, and for the parts that come before it. Raises `MessageTooLongError`."""

    def __init__(self, request: Message, due: float) -> None:
        self.request = request
        self.frame = encode(request)
        self.due = due  # when it is late, by the loop's clock
        self.answer: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self.parts: deque[CatchUpPart] = deque()
        self.arrived = asyncio.Event()  # a part, or the answer
        self.taken = asyncio.Event()

    def settle(self, message: Message | None) -> None:
        if not self.answer.done():
            self.answer.set_result(message)
        self.arrived.set()
        self.taken.set()  # nobody waits for room any more

    async def wait(self) -> None:
        """Wait until a part or the reply has arrived, or the connection has ended."""
        while not self.parts and not self.answer.done():
            self.arrived.clear()
            await self.arrived.wait()


class Client:
    """One device of a user: a connection to a node, made by `connect`.

    Attributes:
        uid: the user who is logged in, or None.
        ended: the reason why the connection has ended, or None while it is open.
        kicked: whether the reason is that the user has logged in elsewhere.
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
        self._clock = asyncio.get_running_loop().time
        self._received_at = self._clock()  # of a catch-up
        # replies come in the order of the requests; a request whose caller has given up stays here until then
        self._pending: deque[_PendingRequest] = deque()
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
            network: the network to connect through.
            address: where the node listens.
            deadline: the largest time for a request, and for connecting, in seconds.
            heartbeat: the seconds between two heartbeats after the login.
            pushed: called with each notice that the server pushes. It must not block. An error in it ends the
                connection, and is raised by `close`.

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
            DisconnectedError: the connection ended before the reply.
            LateError: the deadline passed before the reply.
            RefusedError: the reply has an error.
            MessageTooLongError: nothing was sent.
        """
        with self._requesting(message) as pending:
            await self._send(pending)
            await self._wait(pending)
            answer = pending.answer.result()
        self._check(message, answer)
        assert isinstance(answer, reply)
        return answer

    async def log_in(self, uid: int, token: str, *, feed: bool = False) -> LoginReply:
        """Log in, and send heartbeats from then on. With ``feed``, new texts come with their numbers (`TextsNotice`).

        Raises as `request` does.
        """
        reply = await self.request(LoginRequest(uid, token, feed), LoginReply)
        self.uid = uid
        if self.ended is None:
            self._beating = asyncio.create_task(self._beat(uid), name=f"heartbeat of {uid}")
        return reply

    async def create_private_chat(self, other: int) -> int:
        """The id of the thread with ``other``, which is created if there is none. Raises as `request` does."""
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

    async def close(self, reason: str = "closed by this client") -> None:
        """Close the connection; requests under way end with a `DisconnectedError`. May be called twice."""
        self._end(reason)
        await self._stream.close()
        await self._reading

    async def catch_up(self, request: CatchUpRequest) -> AsyncGenerator[CatchUpPart, None]:
        """The parts of the answer to ``request``, as they arrive. While they are not taken, the client reads nothing.

        Raises as `request` does. A caller that does not take all parts must close the generator
        (`contextlib.aclosing`); the remaining parts are dropped then.
        """
        with self._requesting(request) as pending:
            await self._send(pending)
            while True:
                await self._wait(pending)
                if not pending.parts:
                    break
                part = pending.parts.popleft()
                pending.taken.set()
                yield part
                pending.due = self._clock() + self._deadline
            answer = pending.answer.result()
        self._check(request, answer)

    @contextmanager
    def _requesting(self, message: Message) -> Iterator[_PendingRequest]:
        """A request that is about to be sent. A reply that arrives after the block is dropped."""
        if self.ended is not None:
            raise DisconnectedError(self.ended)
        pending = _PendingRequest(message, self._clock() + self._deadline)
        self._pending.append(pending)
        try:
            yield pending
        except TimeoutError:
            raise LateError(f"no answer to {type(message).__name__} within {self._deadline:g} s") from None
        except ConnectionError as error:
            raise DisconnectedError(str(error)) from error
        finally:
            pending.answer.cancel()
            pending.taken.set()

    async def _send(self, pending: _PendingRequest) -> None:
        async with asyncio.timeout_at(pending.due):
            await self._stream.write(pending.frame)

    async def _wait(self, pending: _PendingRequest) -> None:
        """Wait for a part or the reply. The deadline does not pass while parts of a catch-up keep arriving."""
        while True:
            try:
                async with asyncio.timeout_at(pending.due):
                    return await pending.wait()
            except TimeoutError:
                if (later := self._received_at + self._deadline) <= pending.due:
                    raise
                pending.due = later

    def _check(self, request: Message, answer: Message | None) -> None:
        """Raise the error of a request that has failed."""
        if answer is None:
            raise DisconnectedError(self.ended)
        if code := getattr(answer, "error", 0):
            raise RefusedError(type(request), code)

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
            # after an OfflineNotice it does not wait for the server to hang up, which might never happen
            while self.ended is None and (data := await self._stream.read(_CHUNK)):
                if self._catching_up():
                    self._received_at = self._clock()
                self._decoder.feed(data)
                while (message := self._decoder.next_message()) is not None:
                    if isinstance(message, CatchUpPart):
                        await self._deliver(message)
                    else:
                        self._handle(message)
            self._decoder.end()
            reason = "closed by the server"
        except (ConnectionError, ProtocolError) as error:
            reason = str(error)
        finally:
            self._end(reason)
            await self._stream.close()

    async def _deliver(self, part: CatchUpPart) -> None:
        """Pass a part on to the request that it belongs to. Wait while as many parts as allowed have not been taken."""
        if not self._catching_up():
            raise ProtocolError(f"message {part.ID} belongs to nothing that was asked")
        pending = self._pending[0]
        if pending.answer.done():
            return  # the request has been given up
        pending.parts.append(part)
        pending.arrived.set()
        while len(pending.parts) >= _PARTS and not pending.answer.done():
            pending.taken.clear()
            await pending.taken.wait()
        self._received_at = self._clock()

    def _catching_up(self) -> bool:
        """Whether the next reply is that of a catch-up."""
        return bool(self._pending) and isinstance(self._pending[0].request, CatchUpRequest)

    def _handle(self, message: Message) -> None:
        if isinstance(message, OfflineNotice):
            self.kicked = message.error == ErrorCode.SUCCESS
            self._end("ended by the server: " + ("logged in elsewhere" if self.kicked else "the node closes"))
        if type(message) not in _REPLIES:
            if self._pushed is not None:
                self._pushed(message)
            return
        if not self._pending or not _answers(message, self._pending[0].request):
            raise ProtocolError(f"message {message.ID} answers nothing that was asked")
        self._pending.popleft().settle(message)

    def _end(self, reason: str) -> None:
        """End all waiting requests. Only the first reason counts."""
        if self.ended is None:
            self.ended = reason
        if self._beating is not None and self._beating is not asyncio.current_task():
            self._beating.cancel()
        while self._pending:
            self._pending.popleft().settle(None)


def _answers(reply: Message, request: Message) -> bool:
    """Whether a reply can belong to a request: it has the right type, and the same thread if it names one."""
    if type(reply) is not REPLY[type(request)]:
        return False
    if getattr(reply, "error", 0):
        return True
    thread = getattr(request, "thread_id", None)
    return thread is None or thread == getattr(reply, "thread_id", thread)
