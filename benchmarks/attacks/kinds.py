"""The attacks: what hostile clients do, each in processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from attacks.frames import HostileFrames, bodies
from attacks.wire import Connection, Place, RefusedError, error_of, raise_descriptors, source
from chatsim.chat.protocol import (
    AddFriendRequest,
    CatchUpRequest,
    HeartbeatRequest,
    HistoryRequest,
    LoginRequest,
    Message,
    OutgoingText,
    ReadRequest,
    TextRequest,
    ThreadStatesRequest,
    encode,
)

__all__ = [
    "Attacked",
    "Run",
    "amplification",
    "applications",
    "frames",
    "heartbeats",
    "logins",
    "messages",
    "silent",
    "starvation",
    "stranger",
]

_AHEAD = 100
"""Requests that a client pipelines: it sends another as soon as one is answered."""

_AT_ONCE = 64
"""Connections that are being opened at a time."""

_PATIENCE = 20.0
_REFUSED_SECONDS = 0.1
"""So long a client waits after its connection was refused."""
_SILENT_FROM, _FRAMES_FROM = 1_000, 2_000
"""The first addresses of attacks after which the node lets an address open fewer connections for a while."""
_PAUSE_SECONDS = 0.01
"""So long one waits that only wants to send frames."""


@dataclass
class Attacked:
    """What attackers have done.

    Attributes:
        counts: how many of what.
        acknowledged: of each acknowledged text, the sender and the unique id.
    """

    counts: Counter[str] = field(default_factory=Counter)
    acknowledged: list[tuple[int, str]] = field(default_factory=list)


Run = Callable[[asyncio.Event], Awaitable[Attacked]]


async def frames(  # noqa: PLR0917 - the arguments of one row of the plan
    place: Place, pair: tuple[int, int], seed: int, share: int, clients: int, addresses: int
) -> Run:
    """Send ``share`` hostile frames over ``clients`` connections at a time, half of which log in before.

    Connections come from one of this process's ``addresses`` after the other. Frames whose connection is refused are
    counted, too.
    """
    raise_descriptors()
    uid, friend = pair
    drawn = HostileFrames(seed, bodies(uid, friend, place.threads[pair]))
    done = Attacked()
    turns = count()

    async def client(at: int, stop: asyncio.Event) -> None:
        while not stop.is_set():
            address = source(_FRAMES_FROM + seed * addresses + next(turns) % addresses)
            connection = await _opened(place, address, uid if at % 2 else None, done)
            if connection is None:
                continue
            first = True
            while done.counts["frames"] < share and not stop.is_set():
                raw, hangs_up = drawn.next()
                answered = await _answered(connection, raw, hangs_up=hangs_up, done=done)
                done.counts["frames"] += 1
                if connection.reset and first:
                    done.counts["frames on refused connections"] += 1
                    await asyncio.sleep(_PAUSE_SECONDS)
                first = False
                if not answered:
                    break
            connection.close()
            if done.counts["frames"] >= share:
                return

    async def run(stop: asyncio.Event) -> Attacked:
        await asyncio.gather(*(client(at, stop) for at in range(clients)))
        return done

    return run


async def _opened(place: Place, address: str, uid: int | None, done: Attacked) -> Connection | None:
    """A connection, logged in as ``uid`` unless that is None; None if the server does not want it."""
    connection = None
    try:
        connection = await Connection.open(place, address)
        done.counts["connections"] += 1
        if uid is not None:
            await connection.log_in(place, uid)
            done.counts["logins"] += 1
    except (OSError, RefusedError):
        done.counts["connections refused"] += 1
        if connection is not None:
            connection.close()
        await asyncio.sleep(_REFUSED_SECONDS)
        return None
    return connection


async def _answered(connection: Connection, raw: bytes, *, hangs_up: bool, done: Attacked) -> bool:
    """Send a frame, and wait until the server has dealt with it. Returns whether the connection is still there."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await connection.send(raw)
            if hangs_up:
                connection.hang_up()
                while data := await connection.read():
                    done.counts["bytes received"] += len(data)
                return False
            data = await connection.read()
    except TimeoutError:
        done.counts["frames without an answer"] += 1
        return False
    except OSError:
        return False
    done.counts["bytes received"] += len(data)
    return bool(data)


async def silent(place: Place, uid: int, number: int, connections: int, addresses: int) -> Run:
    """Keep connections open that never log in: every other one says nothing, the others a byte per second."""
    raise_descriptors()
    login = encode(LoginRequest(uid, place.tokens[uid]))
    done = Attacked()
    opening = asyncio.Semaphore(_AT_ONCE)
    there = 0

    async def client(at: int) -> None:
        nonlocal there
        while True:
            async with opening:
                address = source(_SILENT_FROM + number * addresses + at % addresses)
                connection = await _opened(place, address, None, done)
            if connection is None:
                await asyncio.sleep(1)
                continue
            there += 1
            done.counts["open at once"] = max(done.counts["open at once"], there)
            await _say_little(connection, login if at % 2 else b"")
            there -= 1
            connection.close()
            done.counts["ended by the node"] += 1
            await asyncio.sleep(1)

    async def run(stop: asyncio.Event) -> Attacked:
        clients = [asyncio.create_task(client(at)) for at in range(connections)]
        await stop.wait()
        for each in clients:
            each.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        return done

    return run


async def _say_little(connection: Connection, data: bytes) -> None:
    """Send all but the last of these bytes, one each second, until the server hangs up."""
    left = deque(data[:-1])
    while True:
        try:
            async with asyncio.timeout(1.0 if left else None):
                if not await connection.read():
                    return
        except TimeoutError:
            with contextlib.suppress(OSError):
                await connection.send(bytes([left.popleft()]))


async def starvation(place: Place, uid: int, devices: int) -> Run:
    """Devices of one user ask something cheap, as often as their rate lets them."""
    return await _flood(place, uid, devices, lambda: _forever(ThreadStatesRequest(2**62, 0)))


async def heartbeats(place: Place, uid: int, devices: int) -> Run:
    """Devices of one user send heartbeats, which need no database, as often as their rate lets them."""
    return await _flood(place, uid, devices, lambda: _forever(HeartbeatRequest(uid)))


async def applications(place: Place, uid: int, victim: int, devices: int) -> Run:
    """One user applies for the friendship of another, again and again."""
    return await _flood(place, uid, devices, lambda: _forever(AddFriendRequest(uid, "be my friend", "", victim)))


async def messages(place: Place, uid: int, victim: int, devices: int) -> Run:
    """One user sends long texts to a friend."""
    thread = place.threads[min(uid, victim), max(uid, victim)]
    name = secrets.token_hex(4)
    numbers = count()

    def texts() -> Iterator[Message]:
        for number in numbers:
            yield TextRequest(uid, victim, thread, (OutgoingText("x" * 1_000, f"{name}-{number}"),))

    return await _flood(place, uid, devices, texts)


async def stranger(place: Place, uid: int, pair: tuple[int, int], devices: int) -> Run:
    """One user reads and writes in the thread of two others, which has many texts."""
    thread = place.threads[pair]

    def requests() -> Iterator[Message]:
        for number in count():
            yield ReadRequest(thread, 1)
            yield HistoryRequest(thread, number % 1_000, backward=True)
            yield CatchUpRequest((thread,), (0,), (0,))
            yield TextRequest(uid, pair[0], thread, (OutgoingText("let me in", f"{number}"),))

    return await _flood(place, uid, devices, requests)


def _forever(request: Message) -> Iterator[Message]:
    while True:
        yield request


async def _flood(place: Place, uid: int, devices: int, requests: Callable[[], Iterator[Message]]) -> Run:
    """Log in on several connections, and pipeline requests on each."""
    raise_descriptors()
    done = Attacked()
    open_ones = [await Connection.open(place, source(at)) for at in range(devices)]
    for each in open_ones:
        await each.log_in(place, uid)

    async def run(stop: asyncio.Event) -> Attacked:
        tasks = [asyncio.create_task(_pipeline(each, uid, requests(), done)) for each in open_ones]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in open_ones:
            each.close()
        return done

    return run


async def _pipeline(connection: Connection, uid: int, requests: Iterator[Message], done: Attacked) -> None:
    asked: deque[Message] = deque()

    async def ask() -> None:
        message = next(requests)
        asked.append(message)
        await connection.send(encode(message))

    try:
        for _ in range(_AHEAD):
            await ask()
        while (heard := await connection.hear()) is not None:
            number, body = heard
            done.counts["bytes received"] += len(body)
            if number != asked[0].ID + 1:
                continue
            request = asked.popleft()
            refused = bool(error_of(body))
            done.counts["requests refused" if refused else "requests answered"] += 1
            if isinstance(request, TextRequest) and not refused:
                done.acknowledged.extend((uid, text.unique_id) for text in request.text_array)
            await ask()
    except OSError:
        pass
    done.counts["connections ended by the node"] += 1


async def logins(place: Place, uid: int, clients: int) -> Run:
    """Connect, log in, and go, again and again; every other token is wrong."""
    raise_descriptors()
    done = Attacked()
    wrong = encode(LoginRequest(uid, place.tokens[uid][:-1] + "?"))

    async def client(at: int, stop: asyncio.Event) -> None:
        while not stop.is_set():
            valid = not done.counts["connections"] % 2
            connection = await _opened(place, source(at), uid if valid else None, done)
            if connection is None:
                continue
            if not valid and await _answered(connection, wrong, hangs_up=False, done=done):
                done.counts["logins refused"] += 1
            connection.close()

    async def run(stop: asyncio.Event) -> Attacked:
        await asyncio.gather(*(client(at, stop) for at in range(clients)))
        return done

    return run


async def amplification(place: Place, uid: int, friend: int, times: int) -> Run:
    """Ask for the texts of one thread, which is named ``times`` times in one request, again and again."""
    thread = place.threads[min(uid, friend), max(uid, friend)]
    done = Attacked()
    connection = await Connection.open(place, source(0))
    await connection.log_in(place, uid)
    await connection.ask(CatchUpRequest((thread,), (0,), (0,)))
    done.counts["bytes of the thread"] = connection.received
    many = CatchUpRequest((thread,) * times, (0,) * times, (0,) * times)
    if await connection.ask(many) is None:
        raise RefusedError("the catch-up is no request")

    async def ask_again_and_again() -> None:
        while True:
            before = connection.received
            if await connection.ask(many) is None:
                return
            done.counts["requests answered"] += 1
            done.counts["bytes received"] += connection.received - before
            done.counts["bytes of the largest answer"] = max(
                done.counts["bytes of the largest answer"], connection.received - before
            )

    async def run(stop: asyncio.Event) -> Attacked:
        asking = asyncio.create_task(ask_again_and_again())
        await stop.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        connection.close()
        return done

    return run
