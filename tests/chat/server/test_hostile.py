"""A node among clients that send what they like: it costs them their connection, and nobody else anything."""

import asyncio
import functools
import gc
import json
import logging
import re
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass

import model_network
import numpy as np
import pytest
from attacks.frames import HostileFrames, bodies, frame

from chatsim.chat import schema
from chatsim.chat.client.connection import Client
from chatsim.chat.creation import creation_strategy
from chatsim.chat.ports import Address
from chatsim.chat.protocol import REQUEST_LIMIT, Thread
from chatsim.chat.retry import Retry
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.node import Node, Services
from chatsim.chat.server.store.texts import TEXTS
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.sql.parsed_statement import parsed
from chatsim.simulation.loop import run
from chatsim.worlds.common.presence import MemoryDirectory, MemoryPresence, ProcessPeers
from chatsim.worlds.common.tokens import SignedTokens
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.model.database import AdminSession

ADDRESS = Address("127.0.0.1", 9000)
LATENCY = 0.001
PAUSE = 0.05
GOOD, BAD = 1, 1019

LOGIN, HEARTBEAT, THREADS, CREATE = 1005, 1023, 1025, 1027
BODIES = bodies(BAD, other=2, thread=5)
"""A valid request of each kind."""


def in_virtual_time(test):
    @functools.wraps(test)
    def play(*args, **kwargs):
        run(test(*args, **kwargs))

    return play


def padded(size):
    """A heartbeat whose body has ``size`` bytes."""
    return frame(HEARTBEAT, json.dumps(BODIES[HEARTBEAT]).encode().ljust(size))


@creation_strategy()
async def pairs(tx, low, high):
    return 1_000 * low + high


class Tables:
    """The hardened tables in the model's engine, which takes no time for it: users, two of whom have a thread."""

    def __init__(self):
        clock = asyncio.get_running_loop().time
        self.engine = Engine(lambda: 1_700_000_000 + clock())

    async def fill(self):
        async with self.session() as admin:
            for statement in schema.statements("hardened"):
                await admin.execute(statement)
            await add_users(admin, [*range(1, 102), BAD])
            await insert(admin, "chat_thread (id, type)", [(1_000 + other, "private") for other in range(2, 102)])
            await admin.execute("INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (1002, 1, 2)")

    def forget_texts(self):
        """Forget the statements that the engine has prepared: it keeps so many of them, and no more."""
        self.engine.prepared._texts.clear()
        parsed.cache_clear()

    @asynccontextmanager
    async def session(self, _isolation=None):
        session = AdminSession(self.engine)
        try:
            yield session
        finally:
            session.close()


@dataclass
class Place:
    """A node that runs, and how it is reached."""

    node: Node
    network: model_network.network
    presence: MemoryPresence
    tokens: SignedTokens
    tables: Tables

    @property
    def connections(self):
        return len(self.node._sessions)

    async def log_in(self, uid, **options):
        client = await Client.connect(self.network, ADDRESS, **options)
        await client.log_in(uid, await self.tokens.issue(uid))
        return client

    async def stranger(self, *, logged_in=False):
        """A connection without a client, logged in by hand if need be."""
        stream = await self.network.connect(ADDRESS)
        if logged_in:
            await stream.write(await self.login())
            (reply,) = frames(await stream.read(65_536))
            assert reply[0] == LOGIN + 1
        return stream

    async def login(self):
        return frame(LOGIN, {"uid": BAD, "token": await self.tokens.issue(BAD)})


@asynccontextmanager
async def place(**limits):
    network, limits = model_network.network(latency=LATENCY), Limits(strangers=True, **limits)
    presence, peers, tokens = MemoryPresence(limits.expiry), ProcessPeers(), SignedTokens(b"key", lambda: 0)
    tables = Tables()
    await tables.fill()
    services = Services(network, tables, tokens, presence, MemoryDirectory(3 * limits.report), peers)
    config = NodeConfig(
        strategy=pairs,
        retry=Retry("none", 0),
        isolation=pairs.isolation,
        texts=TEXTS["hardened"],
        limits=limits,
        rng=np.random.default_rng(1),
    )
    node = Node("node1", services, config)
    peers.nodes[node.name] = node
    await node.open(ADDRESS)
    yield Place(node, network, presence, tokens, tables)
    await node.close()


def frames(data):
    """Message ids and bodies of whole frames."""
    found = []
    while data:
        number, length = struct.unpack_from(">HH", data)
        found.append((number, json.loads(data[4 : 4 + length])))
        data = data[4 + length :]
    return found


async def read_all(stream):
    data = bytearray()
    while piece := await stream.read(65_536):
        data += piece
    return bytes(data)


class GoodClient:
    """Heartbeats, lists its threads and creates chats all the while; any error in that is the test's."""

    def __init__(self, client):
        self.client = client
        self.created = 0
        self._working = asyncio.create_task(self._work())

    async def _work(self):
        while True:
            other = 2 + self.created % 100
            assert await self.client.create_private_chat(other) == 1_000 + other
            assert await self.client.threads() == [Thread(1_002, "private", 1, 2)]
            self.created += 1
            await asyncio.sleep(PAUSE)

    async def stop(self):
        assert not self._working.done(), self._working
        assert self.client.ended is None
        self._working.cancel()
        await asyncio.wait([self._working])


# --- one hostile frame


def session_ends(caplog):
    """Why sessions have ended, as the log has it: who, the reason and the level."""
    pattern = re.compile(r"node1: the session of (.*) at [\d.:]+ has ended: (.*)", re.DOTALL)
    lines = [(pattern.fullmatch(record.getMessage()), record.levelname) for record in caplog.records]
    return [(line[1], line[2], level) for line, level in lines if line]


NO_MESSAGES = [
    (frame(HEARTBEAT, b""), "message 1023: Input data was truncated"),
    (frame(HEARTBEAT, b"nope"), "message 1023: JSON is malformed: invalid character"),
    (frame(HEARTBEAT, b"\xff\xfe\0"), "message 1023: JSON is malformed: invalid character"),
    (frame(HEARTBEAT, b'{"fromuid":1}}'), "message 1023: JSON is malformed: trailing characters"),
    (frame(LOGIN, b'{"uid":1,"token":"\xff"}'), "message 1005: "),
    (frame(HEARTBEAT, [BAD]), "message 1023: Expected `object`, got `array`"),
    (frame(HEARTBEAT, b"[[[[[]]]]]"), "message 1023: Expected `object`, got `array`"),
    (frame(HEARTBEAT, b"7"), "message 1023: Expected `object`, got `int`"),
    (frame(HEARTBEAT, b"null"), "message 1023: Expected `object`, got `null`"),
    (frame(HEARTBEAT, {}), "message 1023: Object missing required field `fromuid`"),
    (frame(HEARTBEAT, {"fromuid": "1019"}), "message 1023: Expected `int`, got `str` - at `$.fromuid`"),
    (frame(HEARTBEAT, {"fromuid": [BAD]}), "message 1023: Expected `int`, got `array` - at `$.fromuid`"),
    (frame(HEARTBEAT, {"fromuid": True}), "message 1023: Expected `int`, got `bool` - at `$.fromuid`"),
    (frame(LOGIN, {"uid": BAD, "token": 7}), "message 1005: Expected `str`, got `int` - at `$.token`"),
    (frame(HEARTBEAT, {"fromuid": -1}), "message 1023: Expected `int` >= 0 - at `$.fromuid`"),
    (frame(HEARTBEAT, {"fromuid": 2**63}), "message 1023: Expected `int` <= 9223372036854775807 - at `$.fromuid`"),
    (frame(HEARTBEAT, b'{"fromuid":1e999}'), "message 1023: Number out of range"),
    (frame(HEARTBEAT, b'{"fromuid":' + b"9" * 2_000 + b"}"), "message 1023: "),
    (frame(HEARTBEAT, b'{"a":' + b"[" * 1_020 + b"]" * 1_020 + b"}"), "message 1023: "),
]
NO_REQUESTS = [
    (frame(4242, {}), "unknown message id 4242"),
    (frame(0, b""), "unknown message id 0"),
    (frame(65_535, b""), "unknown message id 65535"),
    (frame(1024, {"error": 0}), "unknown message id 1024"),
    (frame(1028, {"error": 0, "uid": 1, "other_id": 2, "thread_id": 5}), "unknown message id 1028"),
    (b"GET / HTTP/1.1\r\nHost: chat\r\n\r\n", "unknown message id 18245"),
    (frame(CREATE, b" " * 2_049), "message 1027 has 2049 bytes, more than the 2048 allowed"),
    (struct.pack(">HH", CREATE, 65_535), "message 1027 has 65535 bytes, more than the 2048 allowed"),
]
STATES = pytest.mark.parametrize("logged_in", [False, True], ids=["before-login", "logged-in"])


@STATES
@pytest.mark.parametrize(
    ("garbage", "reason"),
    [*NO_MESSAGES, *NO_REQUESTS],
    ids=lambda value: value if isinstance(value, str) else "",
)
@in_virtual_time
async def test_garbage_ends_the_session_that_sent_it_for_a_reason_that_is_logged(caplog, logged_in, garbage, reason):
    caplog.set_level(logging.INFO, logger="chatsim")
    async with place() as here:
        stream = await here.stranger(logged_in=logged_in)
        await stream.write(garbage)
        assert await read_all(stream) == b""
        ((who, why, level),) = session_ends(caplog)
        assert why.startswith(reason)
        assert (who, level) == (f"user {BAD}" if logged_in else "a client", "WARNING")
        assert (here.connections, here.node.sessions, await here.presence.find(BAD)) == (0, 0, [])
        assert here.node.stats.crash is None


@STATES
@pytest.mark.parametrize("length", [1, 3, 4, 5, 18])
@in_virtual_time
async def test_so_does_a_frame_that_ends_with_its_connection(caplog, logged_in, length):
    async with place() as here:
        stream = await here.stranger(logged_in=logged_in)
        await stream.write(frame(HEARTBEAT, {"fromuid": BAD})[:length])
        await stream.close()
        await asyncio.sleep(1)
        ((_, why, _),) = session_ends(caplog)
        assert why == f"the connection ended within a frame, after {length} bytes of it"
        assert (here.connections, here.node.sessions) == (0, 0)


@pytest.mark.parametrize("number", [HEARTBEAT, THREADS, CREATE])
@in_virtual_time
async def test_a_frame_before_login_costs_the_connection_and_nobody_else_anything(caplog, number):
    async with place() as here:
        good = GoodClient(await here.log_in(GOOD))
        stream = await here.stranger()
        await stream.write(frame(number, BODIES[number]) + await here.login())
        assert await read_all(stream) == b""
        assert session_ends(caplog) == [("a client", f"message {number} before the login", "WARNING")]
        await asyncio.sleep(60)
        await good.stop()
        assert here.node.sessions == 1


@in_virtual_time
async def test_a_second_login_costs_the_connection_even_if_it_is_the_same(caplog):
    async with place() as here:
        stream = await here.stranger(logged_in=True)
        await stream.write(await here.login())
        assert await read_all(stream) == b""
        assert session_ends(caplog) == [(f"user {BAD}", "message 1005 after the login", "WARNING")]
        assert await here.presence.find(BAD) == []


@in_virtual_time
async def test_a_login_that_proves_nothing_is_told_so_and_costs_the_connection(caplog):
    caplog.set_level(logging.INFO, logger="chatsim")
    async with place() as here:
        stream = await here.stranger()
        await stream.write(frame(LOGIN, {"uid": GOOD, "token": await here.tokens.issue(BAD)}))
        ((number, reply),) = frames(await read_all(stream))
        assert (number, reply["error"], reply["uid"]) == (1006, 1010, 0)
        assert session_ends(caplog) == [("a client", "login as 1: the token is somebody else's", "INFO")]


@pytest.mark.parametrize(
    ("request_frame", "error"),
    [
        (frame(HEARTBEAT, {"fromuid": GOOD}), 1011),
        (frame(THREADS, {"uid": GOOD, "thread_id": 0}), 1011),
        (frame(CREATE, {"uid": GOOD, "other_id": 2}), 1011),
        (frame(CREATE, {"uid": BAD, "other_id": BAD}), 1012),
        (frame(CREATE, {"uid": BAD, "other_id": 0}), 1012),
    ],
)
@in_virtual_time
async def test_who_speaks_for_somebody_else_or_to_nobody_is_refused_and_stays(request_frame, error):
    async with place() as here:
        stream = await here.stranger(logged_in=True)
        await stream.write(request_frame)
        ((_, reply),) = frames(await stream.read(65_536))
        assert reply["error"] == error
        assert here.node.sessions == 1


@pytest.mark.parametrize("limit", [256, REQUEST_LIMIT, 65_535])
@in_virtual_time
async def test_a_request_may_be_as_long_as_the_node_is_told(limit):
    async with place(request_bytes=limit) as here:
        stream = await here.stranger(logged_in=True)
        for _ in range(3):
            await stream.write(padded(limit))
            assert frames(await stream.read(65_536)) == [(1024, {"error": 0})]


@pytest.mark.parametrize("limit", [256, REQUEST_LIMIT, 65_534])
@in_virtual_time
async def test_a_request_that_is_one_byte_longer_costs_the_connection(caplog, limit):
    async with place(request_bytes=limit) as here:
        stream = await here.stranger(logged_in=True)
        await stream.write(padded(limit + 1))
        assert await read_all(stream) == b""
        ((_, why, _),) = session_ends(caplog)
        assert why == f"message 1023 has {limit + 1} bytes, more than the {limit} allowed"


# --- a hundred thousand


class Attack:
    """Hostile clients beside each other, every other one of which logs in first.

    Attributes:
        sent: how many frames, logged in and not.
        connections: over how many connections.
    """

    def __init__(self, here, drawn, login, *, clients):
        self.sent = {True: 0, False: 0}
        self.connections = 0
        self._here = here
        self._drawn = drawn
        self._login = login
        self._clients = clients

    async def go_on(self, until):
        """Attack until so many frames have been sent, half of them logged in; then go away."""
        await asyncio.gather(*(self._attack(number % 2 == 0, until // 2) for number in range(self._clients)))

    async def _attack(self, logs_in, until):
        while self.sent[logs_in] < until:
            stream = await self._here.network.connect(ADDRESS)
            self.connections += 1
            if logs_in:
                await stream.write(self._login)
                assert struct.unpack_from(">H", await stream.read(65_536)) == (LOGIN + 1,)
            try:
                while self.sent[logs_in] < until and self._drawn.below(8):
                    self.sent[logs_in] += 1
                    await stream.write(self._drawn.next()[0])
                    await asyncio.sleep(PAUSE)
            except ConnectionResetError:
                self.sent[logs_in] -= 1  # it has not left
            await stream.close()


@pytest.mark.timeout(1200)  # on a busy machine it takes minutes
@pytest.mark.parametrize(("first", "frames"), [(10_000, 16_000), pytest.param(20_000, 40_000, marks=pytest.mark.slow)])
@in_virtual_time
async def test_many_hostile_frames_hurt_nobody_and_leave_nothing_behind(caplog, first, frames):
    caplog.set_level(logging.CRITICAL, logger="chatsim")  # what it records would count as memory
    async with place() as here:
        good = GoodClient(await here.log_in(GOOD, heartbeat=1.0, deadline=1.0))
        drawn = HostileFrames(7, BODIES)
        attack = Attack(here, drawn, await here.login(), clients=40)

        async def things_after(sent):
            await attack.go_on(sent)
            await asyncio.sleep(1)
            here.tables.forget_texts()
            gc.collect()
            return len(gc.get_objects())

        before = await things_after(first)
        after = await things_after(frames)
        await good.stop()

        assert attack.sent == {True: frames // 2, False: frames // 2}
        assert attack.connections > frames / 10
        assert min(drawn.made.values()) > frames / 20
        passed = asyncio.get_running_loop().time()
        assert passed > frames / 1_000  # seconds, and so many heartbeats
        assert good.created > 0.9 * passed / (PAUSE + 4 * LATENCY)
        assert here.node.stats.crash is None
        assert (here.connections, here.node.sessions) == (1, 1)
        assert list(here.presence._users) == [GOOD]
        assert after < before + 500
