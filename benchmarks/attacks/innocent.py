"""Innocent users: requests at a steady pace, whose latencies count from the moment at which each was due.

A request that is late because the one before it is not answered yet is late for its user, too, so it counts in full
(open loop).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from attacks.wire import Connection, Place, RefusedError, error_of
from chatsim.chat.protocol import (
    HeartbeatRequest,
    HistoryRequest,
    Message,
    OutgoingText,
    TextRequest,
    ThreadStatesRequest,
    encode,
)

__all__ = ["PER_SECOND", "Noticed", "prepare"]

PER_SECOND = 10.0
"""Requests of each user per second."""

_LOGIN = "login"
_TURN = ("text", "heartbeat", "history", "text", "states", "heartbeat", "text", "history", "states", _LOGIN)
"""What a user does, one after the other. A login is on a connection of its own."""
_PATIENCE = 15.0  # seconds after the end for what has not been answered


@dataclass
class Noticed:
    """What innocent users have noticed.

    Attributes:
        latencies: the seconds that each answered request took, by kind.
        failed: how many requests were refused, or never answered, by kind and reason.
        acknowledged: of each acknowledged text, the sender and the unique id.
        notices: how many messages came unasked, by message id.
    """

    latencies: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    acknowledged: list[tuple[int, str]] = field(default_factory=list)
    notices: Counter[int] = field(default_factory=Counter)


async def prepare(place: Place, uids: list[int], name: str) -> Callable[[asyncio.Event], Awaitable[Noticed]]:
    """Log users in, two friends after each other in ``uids``; ``name`` is a part of their texts' unique ids."""
    noticed = Noticed()
    users = [_User(place, uid, uids[at ^ 1], name, noticed) for at, uid in enumerate(uids)]
    for user in users:
        await user.connect()

    async def run(stop: asyncio.Event) -> Noticed:
        apart = 1 / PER_SECOND / len(users)
        begun = time.monotonic()
        await asyncio.gather(*(user.run(begun + at * apart, at, stop) for at, user in enumerate(users)))
        return noticed

    return run


class _User:
    def __init__(self, place: Place, uid: int, friend: int, name: str, noticed: Noticed) -> None:
        self._place = place
        self._uid = uid
        self._friend = friend
        self._thread = place.threads[min(uid, friend), max(uid, friend)]
        self._name = name
        self._noticed = noticed
        self._asked: deque[tuple[str, float, Message]] = deque()
        self._asides: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Log in on a connection that stays."""
        self._connection = await Connection.open(self._place)
        try:
            await self._connection.log_in(self._place, self._uid)
        except BaseException:
            self._connection.close()
            raise

    async def run(self, first: float, turn: int, stop: asyncio.Event) -> None:
        """Ask at a steady pace from ``first`` on, until ``stop``; then wait for what is not answered."""
        hearing = asyncio.create_task(self._hear())
        count = 0
        while not stop.is_set():
            due = first + count / PER_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            kind = _TURN[(turn + count) % len(_TURN)]
            count += 1
            if kind == _LOGIN:
                self._aside(self._log_in(due))
            else:
                await self._ask(kind, due, self._request(kind, count))
        until = time.monotonic() + _PATIENCE
        while self._asked and not hearing.done() and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self._noticed.failed.update(f"{kind}: not answered" for kind, *_ in self._asked)
        hearing.cancel()
        await asyncio.gather(hearing, *self._asides, return_exceptions=True)
        self._connection.close()

    def _request(self, kind: str, count: int) -> Message:
        match kind:
            case "text":
                text = OutgoingText("hello, are you there?", f"{self._name}-{count}")
                return TextRequest(self._uid, self._friend, self._thread, (text,))
            case "history":
                return HistoryRequest(self._thread, 0, backward=False)
            case "states":
                return ThreadStatesRequest(0, 0)
        return HeartbeatRequest(self._uid)

    async def _ask(self, kind: str, due: float, message: Message) -> None:
        self._asked.append((kind, due, message))
        with suppress(OSError):  # what was asked is found unanswered at the end
            await self._connection.send(encode(message))

    async def _hear(self) -> None:
        while (heard := await self._connection.hear()) is not None:
            number, body = heard
            if not self._asked or number != self._asked[0][2].ID + 1:
                self._noticed.notices[number] += 1
                continue
            kind, due, message = self._asked.popleft()
            if error := error_of(body):
                self._noticed.failed[f"{kind}: error {error}"] += 1
                continue
            self._took(kind, due)
            if isinstance(message, TextRequest):
                self._noticed.acknowledged.append((self._uid, message.text_array[0].unique_id))

    async def _log_in(self, due: float) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                connection = await Connection.open(self._place)
                try:
                    await connection.log_in(self._place, self._uid)
                    self._took(_LOGIN, due)
                finally:
                    connection.close()
        except (OSError, RefusedError, TimeoutError) as error:
            self._noticed.failed[f"{_LOGIN}: {type(error).__name__} {error}"] += 1

    def _took(self, kind: str, due: float) -> None:
        self._noticed.latencies.setdefault(kind, []).append(time.monotonic() - due)

    def _aside(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)
