"""Nodes with a scripted database, in virtual time: who is logged in, who has to go, and how a node ends."""

import asyncio
import functools
import logging
from contextlib import asynccontextmanager, suppress

import model_network
import numpy as np
import pytest

from chatsim.chat.client.connection import Client, ClientError, DisconnectedError, RefusedError
from chatsim.chat.creation import creation_strategy
from chatsim.chat.ports import Address, NodeStatus
from chatsim.chat.protocol import (
    FROM_SERVER,
    CreatePrivateChatReply,
    CreatePrivateChatRequest,
    Decoder,
    FriendApplication,
    FriendEntry,
    HeartbeatReply,
    HeartbeatRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    LoginReply,
    LoginRequest,
    MessageTooLongError,
    OfflineNotice,
    Thread,
    encode,
)
from chatsim.chat.retry import Retry
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.node import Node, Services
from chatsim.chat.server.store.texts import TEXTS
from chatsim.chat.strategies import StrategyError
from chatsim.db.errors import DatabaseError, DeadlockError, Kind
from chatsim.db.mysql import database_error
from chatsim.db.session import Rows
from chatsim.simulation.loop import run
from chatsim.worlds.common.presence import MemoryDirectory, MemoryPresence, ProcessPeers
from chatsim.worlds.common.tokens import SignedTokens

ANYWHERE = Address("127.0.0.1", 0)
NEVER = 1e9
EXPIRY = 20.0
ONCE_MORE = Retry("once more", 1)
KICKED = "ended by the server: logged in elsewhere"
SHUT_DOWN = "ended by the server: the node closes"


def in_virtual_time(body):
    @functools.wraps(body)
    def test(*args, **kwargs):
        run(body(*args, **kwargs))

    return test


def now():
    return asyncio.get_running_loop().time()


@creation_strategy()
async def scripted(tx, low, high):
    return (await tx.execute("create", (low, high))).scalar()


class ScriptedDatabase:
    """Answers what a node asks, by the test's script.

    Attributes:
        users: the uids that there are.
        threads: each user's rows, for the thread query.
        failure: what every statement raises, if it is to raise.
        creations: what the next creations come to, an error or a thread id; afterwards it is 500.
        asked: the arguments of the creations.
        gate: creations wait for it.
        waiting: how many do.
    """

    def __init__(self):
        self.users = set(range(1, 10))
        self.threads = {}
        self.failure = None
        self.creations = []
        self.asked = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.in_transaction = False

    @asynccontextmanager
    async def session(self, isolation=None):
        yield self

    async def script(self, sql, args=()):
        if self.failure:
            raise self.failure
        uid = args[0]
        if "private_chat" in sql:
            _, after, limit, *_ = args
            return [Rows([row for row in self.threads.get(uid, []) if row[0] > after][:limit]), Rows(), Rows()]
        user = [(f"name{uid}", "mail", "nick", "desc", 1, "icon")] if uid in self.users else []
        applications = [("eve", 5, "icon", "e", 0, "hello", 0)]
        friends = [("bob", 6, "icon", "b", 1, "", "bobby")]
        return [Rows(user), Rows(applications), Rows(friends)]

    async def execute(self, sql, args=()):
        if self.failure:
            raise self.failure
        if sql == "create":
            return Rows([(await self._create(args),)])
        if "FROM user WHERE" in sql:
            return Rows([(1,)])
        raise AssertionError(sql)

    async def _create(self, args):
        self.asked.append(args)
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        outcome = self.creations.pop(0) if self.creations else 500
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Harness:
    """Nodes that share a database, a network, and who is where."""

    def __init__(self, *, latency=0.0, retry=ONCE_MORE, strategy=scripted, **limits):
        self.limits = Limits(expiry=EXPIRY, strangers=True, **limits)
        self.network = model_network.network(latency=latency)
        self.database = ScriptedDatabase()
        self.tokens = SignedTokens(b"key", now)
        self.presence = MemoryPresence(EXPIRY)
        self.directory = MemoryDirectory(3 * self.limits.report)
        self.peers = ProcessPeers()
        self._strategy, self._retry = strategy, retry
        self._seeds = iter(range(100))

    async def node(self, name="node1"):
        config = NodeConfig(
            strategy=self._strategy,
            retry=self._retry,
            isolation=self._strategy.isolation,
            texts=TEXTS["source"],
            limits=self.limits,
            rng=np.random.default_rng(next(self._seeds)),
        )
        services = Services(self.network, self.database, self.tokens, self.presence, self.directory, self.peers)
        node = Node(name, services, config)
        self.peers.nodes[name] = node
        await node.open(ANYWHERE)
        return node

    async def connect(self, node, *, heartbeat=NEVER):
        pushed = []
        client = await Client.connect(
            self.network, node.address, deadline=NEVER, heartbeat=heartbeat, pushed=pushed.append
        )
        client.pushed = pushed
        return client

    async def log_in(self, node, uid, *, heartbeat=NEVER):
        client = await self.connect(node, heartbeat=heartbeat)
        await client.log_in(uid, await self.tokens.issue(uid))
        return client

    async def online(self, uid):
        return [device.node for device in await self.presence.find(uid)]

    async def raw(self, node):
        return await self.network.connect(node.address)

    async def raw_login(self, node, uid):
        """A connection that has logged in and whose bytes are the test's."""
        stream = await self.raw(node)
        await stream.write(encode(LoginRequest(uid, await self.tokens.issue(uid))))
        (reply,) = await messages(stream, 1)
        assert reply.error == 0
        return stream


async def messages(stream, count=None):
    """The next messages of a server, all until it closes if it is not said how many."""
    decoder, found = Decoder(FROM_SERVER), []
    while len(found) != count and (data := await stream.read(1 if count else 65536)):
        decoder.feed(data)
        while (message := decoder.next_message()) is not None:
            found.append(message)
    return found


async def settled():
    """Let everything happen that needs no time, or a few round trips."""
    await asyncio.sleep(0.5)


async def running(harness, client, other=2):
    """A creation that has reached the database and waits there."""
    harness.database.gate.clear()
    before = harness.database.waiting
    asking = asyncio.create_task(client.create_private_chat(other))
    await settled()
    assert harness.database.waiting == before + 1
    return asking


async def refusal(asking):
    with pytest.raises(RefusedError) as error:
        await asking
    return error.value.code


# --- login


@in_virtual_time
async def test_a_login_is_answered_with_the_profile_and_the_user_is_online():
    harness = Harness()
    node = await harness.node()
    client = await harness.connect(node)
    reply = await client.log_in(1, await harness.tokens.issue(1))
    assert reply == LoginReply(
        0,
        uid=1,
        name="name1",
        email="mail",
        nick="nick",
        desc="desc",
        sex=1,
        icon="icon",
        apply_list=(FriendApplication("eve", 5, "icon", "e", 0, "hello", 0),),
        friend_list=(FriendEntry("bob", 6, "icon", "b", 1, "", "bobby"),),
    )
    assert reply.pwd == ""
    assert node.sessions == 1
    assert await harness.online(1) == ["node1"]


@in_virtual_time
async def test_a_client_that_closes_is_offline():
    harness = Harness()
    node = await harness.node()
    client = await harness.log_in(node, 1)
    await client.close()
    await settled()
    assert node.sessions == 0
    assert await harness.online(1) == []


async def forged(harness):
    return "forged"


async def someone_elses(harness):
    return await harness.tokens.issue(2)


async def expired(harness):
    token = await harness.tokens.issue(1)
    await asyncio.sleep(86_402)
    return token


@pytest.mark.parametrize("token", [forged, someone_elses, expired])
@in_virtual_time
async def test_a_wrong_token_is_refused_with_1010_and_the_connection_ends(token):
    harness = Harness()
    node = await harness.node()
    proof = await token(harness)
    stream = await harness.raw(node)
    await stream.write(encode(LoginRequest(1, proof)))
    assert await messages(stream) == [LoginReply(1010)]
    await nobody_is_online(harness, node)


@in_virtual_time
async def test_an_unknown_user_is_refused_with_1011_and_the_connection_ends():
    harness = Harness()
    node = await harness.node()
    stream = await harness.raw(node)
    await stream.write(encode(LoginRequest(4711, await harness.tokens.issue(4711))))
    assert await messages(stream) == [LoginReply(1011)]
    await nobody_is_online(harness, node, 4711)


@pytest.mark.parametrize("errno", [2013, 1040, 1213])
@in_virtual_time
async def test_a_login_while_the_database_is_down_is_refused_with_1002_and_the_connection_ends(errno):
    harness = Harness()
    node = await harness.node()
    harness.database.failure = database_error(errno, "no")
    stream = await harness.raw(node)
    await stream.write(encode(LoginRequest(1, await harness.tokens.issue(1))))
    assert await messages(stream) == [LoginReply(1002)]
    await nobody_is_online(harness, node)
    harness.database.failure = None
    await harness.log_in(node, 1)


async def nobody_is_online(harness, node, uid=1):
    await settled()
    assert node.sessions == 0
    assert await harness.online(uid) == []
    assert node.stats.crash is None


@in_virtual_time
async def test_a_second_login_on_a_connection_breaks_the_protocol_and_takes_the_first_one_away():
    harness = Harness()
    node = await harness.node()
    stream = await harness.raw_login(node, 1)
    await stream.write(encode(LoginRequest(2, await harness.tokens.issue(2))))
    assert await messages(stream) == []
    await nobody_is_online(harness, node)
    assert await harness.online(2) == []


@pytest.mark.parametrize(
    "request_", [HeartbeatRequest(1), LoadThreadsRequest(1, 0), CreatePrivateChatRequest(1, 2)], ids=lambda r: str(r.ID)
)
@in_virtual_time
async def test_nothing_but_a_login_may_come_first(request_):
    harness = Harness()
    node = await harness.node()
    stream = await harness.raw(node)
    await stream.write(encode(request_))
    assert await messages(stream) == []
    assert harness.database.asked == []
    assert node.stats.requests == {}


@in_virtual_time
async def test_requests_may_come_right_behind_the_login_and_are_answered_in_order():
    harness = Harness()
    node = await harness.node()
    stream = await harness.raw(node)
    login = LoginRequest(1, await harness.tokens.issue(1))
    requests = [login, HeartbeatRequest(1), CreatePrivateChatRequest(1, 2), LoadThreadsRequest(1, 0)]
    await stream.write(b"".join(map(encode, requests)))
    assert [reply.ID for reply in await messages(stream, 4)] == [1006, 1024, 1028, 1026]


# --- threads


@in_virtual_time
async def test_a_thread_list_says_where_the_next_page_begins():
    harness = Harness()
    node = await harness.node()
    rows = [(number, "private", 1, 1000 + number) for number in range(1, 252)]
    harness.database.threads[1] = rows
    client = await harness.log_in(node, 1)
    pages = [await client.request(LoadThreadsRequest(1, after), LoadThreadsReply) for after in (0, 100, 200, 251)]
    assert [(len(page.threads), page.load_more, page.next_last_id) for page in pages] == [
        (100, True, 100),
        (100, True, 200),
        (51, False, 251),
        (0, False, 251),
    ]
    assert await client.threads() == [Thread(*row) for row in rows]


@in_virtual_time
async def test_a_database_that_fails_costs_the_request_only():
    harness = Harness()
    node = await harness.node()
    client = await harness.log_in(node, 1)
    harness.database.failure = database_error(2013, "lost")
    assert await refusal(client.threads()) == 1013
    assert await refusal(client.create_private_chat(2)) == 1012
    harness.database.failure = None
    assert await client.threads() == []
    assert await client.create_private_chat(2) == 500


# --- identity


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (HeartbeatRequest(2), HeartbeatReply),
        (LoadThreadsRequest(2, 0), LoadThreadsReply),
        (CreatePrivateChatRequest(2, 3), CreatePrivateChatReply),
        (CreatePrivateChatRequest(2, 1), CreatePrivateChatReply),
        (CreatePrivateChatRequest(0, 1), CreatePrivateChatReply),
    ],
    ids=repr,
)
@in_virtual_time
async def test_a_request_in_somebody_elses_name_is_refused_with_1011_and_does_nothing(request_, reply):
    harness = Harness()
    node = await harness.node()
    client, other = await harness.log_in(node, 1), await harness.log_in(node, 2)
    harness.database.threads[2] = [(1, "private", 2, 3)]
    with pytest.raises(RefusedError) as error:
        await client.request(request_, reply)
    assert error.value.code == 1011
    assert harness.database.asked == []
    assert client.ended is None
    assert other.ended is None


@in_virtual_time
async def test_a_refused_thread_list_shows_no_thread():
    harness = Harness()
    node = await harness.node()
    harness.database.threads[2] = [(1, "private", 2, 3)]
    stream = await harness.raw_login(node, 1)
    await stream.write(encode(LoadThreadsRequest(2, 0)))
    assert await messages(stream, 1) == [LoadThreadsReply(1011, uid=2)]


@pytest.mark.parametrize("other", [0, 1])
@in_virtual_time
async def test_a_chat_with_nobody_or_with_oneself_is_refused_before_the_database_is_asked(other):
    harness = Harness()
    client = await harness.log_in(await harness.node(), 1)
    assert await refusal(client.create_private_chat(other)) == 1012
    assert harness.database.asked == []


# --- heartbeats and expiry


@in_virtual_time
async def test_heartbeats_keep_a_session_and_its_presence_for_as_long_as_they_come():
    harness = Harness()
    node = await harness.node()
    client = await harness.log_in(node, 1, heartbeat=EXPIRY / 2)
    for _ in range(50):
        await asyncio.sleep(EXPIRY / 2)
        assert await harness.online(1) == ["node1"]
    assert client.ended is None
    assert node.stats.requests[1023] >= 49


@in_virtual_time
async def test_a_silent_session_is_gone_after_the_expiry_and_its_presence_too():
    harness = Harness()
    node = await harness.node()
    client = await harness.log_in(node, 1)
    await asyncio.sleep(EXPIRY - 0.1)
    assert client.ended is None
    assert await harness.online(1) == ["node1"]
    await asyncio.sleep(0.2)
    assert client.ended == "closed by the server"
    assert client.pushed == []
    await nobody_is_online(harness, node)


@in_virtual_time
async def test_a_client_that_never_logs_in_is_gone_after_the_deadline():
    harness = Harness()
    stream = await harness.raw(await harness.node())
    assert await messages(stream) == []
    assert now() == Limits.login == 10.0


@in_virtual_time
async def test_silent_connections_lock_nobody_out(caplog):
    harness = Harness(connections=5)
    node = await harness.node()
    for _ in range(100):
        await harness.raw(node)
    client = await harness.log_in(node, 1)
    for _ in range(100):
        await harness.raw(node)
    assert await client.threads() == []
    others = [await harness.log_in(node, uid) for uid in (2, 3, 4, 5)]
    assert node.sessions == 5
    with pytest.raises(DisconnectedError):
        await harness.log_in(node, 6)
    said = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [each.getMessage() for each in said] == [
        "node1: there are 5 connections, as many as it may have; one without a login makes room (1 so far)"
    ]
    for each in (client, *others):
        await each.close()
    await settled()
    await (await harness.log_in(node, 6)).close()


@in_virtual_time
async def test_bytes_that_make_no_request_do_not_keep_a_session():
    harness = Harness()
    stream = await harness.raw_login(await harness.node(), 1)
    reading = asyncio.create_task(messages(stream))
    for byte in encode(CreatePrivateChatRequest(1, 2))[:-1]:
        await stream.write(bytes([byte]))
        await asyncio.sleep(0.4)
    assert await reading == []
    assert now() <= EXPIRY + 1


@in_virtual_time
async def test_any_request_counts_as_a_sign_of_life():
    harness = Harness()
    node = await harness.node()
    client = await harness.log_in(node, 1)
    for _ in range(10):
        await asyncio.sleep(0.7 * EXPIRY)
        await client.threads()
    assert await harness.online(1) == ["node1"]


@in_virtual_time
async def test_a_request_may_take_longer_than_the_expiry():
    harness = Harness()
    client = await harness.log_in(await harness.node(), 1)
    asking = await running(harness, client)
    await asyncio.sleep(3 * EXPIRY)
    harness.database.gate.set()
    assert await asking == 500


@in_virtual_time
async def test_a_session_whose_presence_another_login_took_while_nobody_could_tell_it_goes_soon():
    harness = Harness(devices=False)
    node = await harness.node()
    older = await harness.log_in(node, 1)
    harness.peers.nodes.clear()
    await harness.log_in(await harness.node("node2"), 1)
    await settled()
    assert older.ended is None
    await asyncio.sleep(EXPIRY / 4)
    assert older.ended == KICKED
    assert await harness.online(1) == ["node2"]


@pytest.mark.parametrize("first", [0, 0.1, 4.9, 5.1, 19.9])
@in_virtual_time
async def test_a_session_is_online_until_it_has_been_silent_for_the_expiry_whenever_it_began_to_be(first):
    harness = Harness()
    client = await harness.log_in(await harness.node(), 1)
    await asyncio.sleep(first)
    await client.threads()
    await asyncio.sleep(EXPIRY - 0.1)
    assert await harness.online(1) == ["node1"]
    await client.threads()
    assert client.ended is None


@in_virtual_time
async def test_a_session_whose_request_took_longer_than_the_expiry_goes_on():
    harness = Harness()
    client = await harness.log_in(await harness.node(), 1, heartbeat=EXPIRY / 2)
    asking = await running(harness, client)
    await asyncio.sleep(3 * EXPIRY)
    assert await harness.online(1) == ["node1"]
    harness.database.gate.set()
    await asking
    await settled()
    assert client.ended is None
    assert await harness.online(1) == ["node1"]


class SlowPresence(MemoryPresence):
    """It takes some seconds to note a login."""

    async def enter(self, device, *, alone):
        await asyncio.sleep(EXPIRY / 2)
        return await super().enter(device, alone=alone)


@in_virtual_time
async def test_a_login_that_is_noted_slowly_is_not_taken_for_logged_in_elsewhere():
    harness = Harness()
    harness.presence = SlowPresence(EXPIRY)
    client = await harness.log_in(await harness.node(), 1)
    await settled()
    assert client.ended is None


# --- one session, or several devices


@pytest.mark.parametrize("elsewhere", ["node1", "node2"])
@in_virtual_time
async def test_where_a_user_has_one_session_a_login_kicks_the_older_one(elsewhere):
    harness = Harness(devices=False)
    nodes = {name: await harness.node(name) for name in ("node1", "node2")}
    older = await harness.log_in(nodes["node1"], 1)
    bystander = await harness.log_in(nodes["node1"], 2)
    newer = await harness.log_in(nodes[elsewhere], 1)
    await settled()
    assert older.pushed == [OfflineNotice(0, 1)]
    assert older.ended == KICKED
    assert newer.ended is None
    assert bystander.ended is None
    assert await harness.online(1) == [elsewhere]
    assert {name: node.sessions for name, node in nodes.items()} == {"node1": 1, "node2": 0} | (
        {"node1": 2} if elsewhere == "node1" else {"node2": 1}
    )


@in_virtual_time
async def test_a_kicked_sessions_running_request_is_answered_before_it_is_told():
    harness = Harness(devices=False)
    node = await harness.node()
    older = await harness.log_in(node, 1)
    asking = await running(harness, older)
    await harness.log_in(node, 1)
    behind = asyncio.create_task(older.threads())
    await settled()
    assert older.ended is None
    harness.database.gate.set()
    assert await asking == 500
    with pytest.raises(DisconnectedError, match=KICKED):
        await behind
    assert node.stats.requests[1025] == 0


@pytest.mark.parametrize("clients", [2, 10])
@pytest.mark.parametrize("nodes", [1, 2, 3])
@in_virtual_time
async def test_simultaneous_logins_of_one_user_leave_exactly_one(clients, nodes):
    harness = Harness(devices=False, latency=0.01)
    there = [await harness.node(f"node{number}") for number in range(nodes)]
    connections = [await harness.connect(there[number % nodes]) for number in range(clients)]
    token = await harness.tokens.issue(1)
    replies = await asyncio.gather(*(each.log_in(1, token) for each in connections))
    await settled()
    assert {reply.error for reply in replies} == {0}
    (left,) = [each for each in connections if each.ended is None]
    assert [each.ended for each in connections if each is not left] == [KICKED] * (clients - 1)
    assert sum(node.sessions for node in there) == 1
    assert len(await harness.online(1)) == 1
    assert await left.threads() == []


@in_virtual_time
async def test_where_a_user_may_have_several_devices_all_stay():
    harness = Harness(devices=True)
    nodes = [await harness.node("node1"), await harness.node("node2")]
    clients = [await harness.log_in(node, 1) for node in (*nodes, *nodes)]
    await settled()
    assert [each.ended for each in clients] == [None] * 4
    assert await harness.online(1) == ["node1", "node2", "node1", "node2"]
    await clients[0].close()
    await settled()
    assert await harness.online(1) == ["node2", "node1", "node2"]


@in_virtual_time
async def test_the_older_sessions_end_does_not_take_the_newer_ones_presence_away():
    harness = Harness(devices=False)
    node = await harness.node()
    older = await harness.log_in(node, 1)
    asking = await running(harness, older)
    await harness.log_in(node, 1, heartbeat=1)
    harness.database.gate.set()
    await asking
    await older.close()
    await asyncio.sleep(3 * EXPIRY)
    assert await harness.online(1) == ["node1"]


# --- closing


@in_virtual_time
async def test_a_node_that_closes_answers_what_runs_and_tells_everybody_that_it_closes():
    harness = Harness()
    node = await harness.node()
    busy, idle = await harness.log_in(node, 1), await harness.log_in(node, 2)
    asking = await running(harness, busy)
    closing = asyncio.create_task(node.close())
    await settled()
    behind = asyncio.create_task(busy.threads())
    await settled()
    assert idle.ended == SHUT_DOWN
    assert idle.pushed == [OfflineNotice(1002, 2)]
    assert busy.ended is None
    assert not closing.done()
    harness.database.gate.set()
    assert await asking == 500
    await closing
    assert busy.ended == SHUT_DOWN
    assert busy.pushed == [OfflineNotice(1002, 1)]
    with pytest.raises(DisconnectedError, match=SHUT_DOWN):
        await behind
    assert (node.sessions, await harness.online(1), await harness.online(2)) == (0, [], [])
    assert node.stats.requests[1025] == 0


@in_virtual_time
async def test_a_connection_that_has_not_logged_in_is_told_too():
    harness = Harness()
    node = await harness.node()
    stream = await harness.raw(node)
    await settled()
    await node.close()
    assert await messages(stream) == [OfflineNotice(1002, 0)]


@in_virtual_time
async def test_a_node_that_closes_takes_nobody_in_from_the_first_moment():
    harness = Harness()
    node = await harness.node()
    await running(harness, await harness.log_in(node, 1))
    address = node.address
    closing = asyncio.create_task(node.close())
    await asyncio.sleep(0)
    with pytest.raises(DisconnectedError, match="nobody listens"):
        await Client.connect(harness.network, address)
    assert not closing.done()
    harness.database.gate.set()
    await closing


@in_virtual_time
async def test_a_request_that_outlives_the_grace_is_cut(caplog):
    harness = Harness(grace=3)
    node = await harness.node()
    client = await harness.log_in(node, 1)
    asking = await running(harness, client)
    began = now()
    await node.close()
    assert now() == began + 3
    with pytest.raises(DisconnectedError, match="closed by the server"):
        await asking
    assert "node1 closes with 1 sessions still at work" in caplog.text
    assert (node.sessions, await harness.online(1)) == (0, [])


@in_virtual_time
async def test_a_client_that_does_not_read_does_not_hold_up_a_node_beyond_its_grace():
    harness = Harness(grace=3)
    harness.network = model_network.network(window=0)
    node = await harness.node()
    stream = await harness.raw(node)
    await stream.write(encode(LoginRequest(1, await harness.tokens.issue(1))))
    await settled()
    assert await harness.online(1) == ["node1"]
    began = now()
    await node.close()
    assert now() == began + 3
    assert await harness.online(1) == []


@in_virtual_time
async def test_an_idle_node_closes_at_once_and_leaves_no_task_running():
    harness = Harness()
    before = asyncio.all_tasks()
    node = await harness.node()
    clients = [await harness.log_in(node, uid) for uid in (1, 2, 3)]
    began = now()
    await node.close()
    assert now() == began
    for client in clients:
        await client.close()
    assert asyncio.all_tasks() == before


@in_virtual_time
async def test_a_kick_that_waits_for_a_running_request_is_not_lost_when_the_node_closes():
    harness = Harness(devices=False, grace=60)
    node, other_node = await harness.node(), await harness.node("node2")
    older = await harness.log_in(node, 1)
    asking = await running(harness, older)
    await harness.log_in(other_node, 1)
    await settled()
    closing = asyncio.create_task(node.close())
    await settled()
    harness.database.gate.set()
    assert await asking == 500
    await settled()
    assert older.ended in {KICKED, SHUT_DOWN}
    assert closing.done()


@in_virtual_time
async def test_requests_that_a_throttled_client_has_sent_ahead_do_not_hold_up_a_node_that_closes():
    harness = Harness(rate=1, burst=1, grace=60)
    node = await harness.node()
    stream = await harness.raw_login(node, 1)
    await stream.write(encode(HeartbeatRequest(1)) * 20)
    await settled()
    began = now()
    await node.close()
    assert now() <= began + 2


# --- being killed


@in_virtual_time
async def test_a_killed_node_tells_nobody_and_cuts_what_runs():
    harness = Harness()
    node = await harness.node()
    busy, idle = await harness.log_in(node, 1), await harness.log_in(node, 2)
    asking = await running(harness, busy)
    await node.kill()
    with pytest.raises(DisconnectedError, match="closed by the server"):
        await asking
    assert (busy.pushed, idle.pushed) == ([], [])
    assert busy.ended == idle.ended == "closed by the server"
    with pytest.raises(DisconnectedError):
        await Client.connect(harness.network, node.address)


@in_virtual_time
async def test_the_presence_of_a_killed_nodes_users_lapses_an_expiry_after_its_last_refresh_and_not_before():
    harness = Harness()
    node = await harness.node()
    await harness.log_in(node, 1)
    await asyncio.sleep(7)  # refreshed at 5
    await harness.log_in(node, 2)
    await asyncio.sleep(1)
    await node.kill()
    for time, online in ((24.9, [1, 2]), (25.1, [2]), (26.9, [2]), (27.1, [])):
        await asyncio.sleep(time - now())
        assert [uid for uid in (1, 2) if await harness.online(uid)] == online


@pytest.mark.parametrize("devices", [True, False])
@in_virtual_time
async def test_users_of_a_killed_node_log_in_elsewhere_before_their_presence_has_lapsed(devices):
    harness = Harness(devices=devices)
    node, other_node = await harness.node(), await harness.node("node2")
    await harness.log_in(node, 1)
    await node.kill()
    client = await harness.log_in(other_node, 1, heartbeat=5)
    await asyncio.sleep(EXPIRY + 1)
    assert client.ended is None
    assert await harness.online(1) == ["node2"]


@in_virtual_time
async def test_killing_and_closing_a_killed_node_again_is_harmless():
    harness = Harness()
    node = await harness.node()
    await harness.log_in(node, 1)
    await node.kill()
    await node.kill()
    await node.close()
    assert await harness.directory.nodes() == []


@pytest.mark.parametrize("end", ["close", "kill"])
@pytest.mark.parametrize("steps", range(1, 8))
@in_virtual_time
async def test_a_connection_that_was_accepted_in_the_moment_before_the_end_is_not_served(end, steps):
    harness = Harness()
    node = await harness.node()
    connecting = asyncio.create_task(harness.raw(node))
    for _ in range(steps):
        await asyncio.sleep(0)
    await getattr(node, end)()
    try:
        stream = await connecting
    except ConnectionRefusedError:
        return
    with suppress(ConnectionError):
        await stream.write(encode(LoginRequest(1, await harness.tokens.issue(1))))
    assert LoginReply.ID not in [reply.ID for reply in await messages(stream, 1)]
    assert await harness.online(1) == []


# --- reports


@in_virtual_time
async def test_a_node_reports_its_load_at_every_interval_from_the_first_moment_on():
    harness = Harness(report=2.0)
    node = await harness.node()
    assert await harness.directory.nodes() == [NodeStatus("node1", node.address, 0, 1)]
    await harness.log_in(node, 1)
    await harness.log_in(node, 2)
    await asyncio.sleep(2.1)
    assert await harness.directory.nodes() == [NodeStatus("node1", node.address, 2, 2)]
    await asyncio.sleep(2 * 50)
    assert await harness.directory.nodes() == [NodeStatus("node1", node.address, 0, 52)]


@in_virtual_time
async def test_the_reports_of_a_killed_node_stop_and_it_counts_as_dead_when_it_has_missed_some():
    harness = Harness(report=2.0)
    node, other = await harness.node(), await harness.node("node2")
    await asyncio.sleep(4.5)
    await node.kill()
    await asyncio.sleep(5)
    assert [(each.name, each.report) for each in await harness.directory.nodes()] == [("node1", 3), ("node2", 5)]
    await asyncio.sleep(1)
    assert [each.name for each in await harness.directory.nodes()] == [other.name]


@in_virtual_time
async def test_a_node_that_closes_leaves_the_directory_before_its_last_session_has_ended():
    harness = Harness()
    node = await harness.node()
    await running(harness, await harness.log_in(node, 1))
    closing = asyncio.create_task(node.close())
    await asyncio.sleep(1.5)
    assert not closing.done()
    assert await harness.directory.nodes() == []
    harness.database.gate.set()
    await closing
    await asyncio.sleep(10)
    assert await harness.directory.nodes() == []


# --- what goes wrong


@in_virtual_time
async def test_a_handler_that_crashes_answers_with_an_error_is_logged_and_is_in_the_stats(caplog):
    harness = Harness()
    node = await harness.node()
    bystander = await harness.log_in(node, 1)
    asking = await running(harness, bystander)
    victim = await harness.log_in(node, 2)
    harness.database.failure = ZeroDivisionError("a bug in a handler")
    assert await refusal(victim.threads()) == 1013
    harness.database.failure = None
    assert await victim.request(HeartbeatRequest(2), HeartbeatReply) == HeartbeatReply(0)
    harness.database.gate.set()
    assert await asking == 500
    assert isinstance(node.stats.crash, ZeroDivisionError)
    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert record.message == "node1: LoadThreadsRequest of user 2 failed"
    assert "a bug in a handler" in caplog.text
    assert "Traceback" in caplog.text
    assert (await harness.online(1), await harness.online(2)) == (["node1"], ["node1"])
    assert node.sessions == 2


@in_virtual_time
async def test_a_reply_that_fits_into_no_frame_is_an_error_and_the_session_goes_on():
    harness = Harness()
    node = await harness.node()
    client = await harness.log_in(node, 1)
    harness.database.threads[1] = [(1, "x" * 70_000, 1, 2)]
    assert await refusal(client.threads()) == 1013
    assert isinstance(node.stats.crash, MessageTooLongError)
    harness.database.threads[1] = [(1, "private", 1, 2)]
    assert await client.threads() == [Thread(1, "private", 1, 2)]


@in_virtual_time
async def test_a_login_that_crashes_is_refused_and_ends_the_session():
    harness = Harness()
    node = await harness.node()
    harness.database.failure = ZeroDivisionError("a bug in a handler")
    with pytest.raises(RefusedError) as error:
        await harness.log_in(node, 1)
    assert error.value.code == 1002
    assert isinstance(node.stats.crash, ZeroDivisionError)
    assert (await harness.online(1), node.sessions) == ([], 0)


@creation_strategy()
async def broken(tx, low, high):
    raise ZeroDivisionError(high)


@in_virtual_time
async def test_a_broken_strategy_is_a_crash_and_the_first_one_is_kept():
    harness = Harness(strategy=broken)
    node = await harness.node()
    for other in (3, 4):
        client = await harness.log_in(node, 1)
        assert await refusal(client.create_private_chat(other)) == 1012
    assert isinstance(node.stats.crash, StrategyError)
    assert "ZeroDivisionError: 3" in str(node.stats.crash)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x03\xed\xff\xff", b"\x03\xed\x00\x02{}", b"\x03\xed\x00\x02no", b"\x03"]
)
@in_virtual_time
async def test_a_client_that_breaks_the_protocol_is_let_go_with_a_warning_and_is_no_crash(data, caplog):
    harness = Harness()
    node = await harness.node()
    bystander = await harness.log_in(node, 1)
    stream = await harness.raw(node)
    await stream.write(data)
    if data == b"\x03":
        await stream.close()
    assert await messages(stream) == []
    await settled()
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    assert node.stats.crash is None
    assert await bystander.threads() == []


@in_virtual_time
async def test_a_client_that_vanishes_in_the_middle_of_its_request_is_no_crash(caplog):
    harness = Harness(latency=0.01)
    node = await harness.node()
    client = await harness.log_in(node, 1)
    asking = await running(harness, client)
    await client.close()
    with pytest.raises(ClientError):
        await asking
    await settled()
    harness.database.gate.set()
    await nobody_is_online(harness, node)
    assert harness.database.asked == [(1, 2)]
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@in_virtual_time
async def test_stats_count_requests_by_id_retries_and_refusals_by_kind():
    harness = Harness()
    node = await harness.node()
    client = await harness.log_in(node, 1)
    deadlock, duplicate = DeadlockError(1213, "deadlock"), database_error(1062, "duplicate")
    harness.database.creations = [deadlock, 42, duplicate, deadlock, DatabaseError(1064, "syntax"), 43]
    assert await client.create_private_chat(2) == 42, "after one more try"
    assert await refusal(client.create_private_chat(3)) == 1012, "both tries were refused"
    assert await refusal(client.create_private_chat(4)) == 1012, "another try would not mend it"
    assert await client.create_private_chat(5) == 43
    await client.threads()
    await client.request(HeartbeatRequest(1), HeartbeatReply)
    assert node.stats.requests == {1005: 1, 1027: 4, 1025: 1, 1023: 1}
    assert node.stats.retries == 2
    assert node.stats.refusals == {Kind.DEADLOCK: 2, Kind.DUPLICATE_KEY: 1, Kind.OTHER: 1}
    assert node.stats.crash is None
    assert harness.database.asked == [(1, 2), (1, 2), (1, 3), (1, 3), (1, 4), (1, 5)]


@in_virtual_time
async def test_what_is_above_the_rate_has_to_wait():
    harness = Harness(rate=2, burst=3)
    stream = await harness.raw_login(await harness.node(), 1)  # the first of the burst
    await stream.write(encode(HeartbeatRequest(1)) * 6)
    times = []
    for _ in range(6):
        await messages(stream, 1)
        times.append(now())
    assert times == pytest.approx([0, 0, 0.5, 1, 1.5, 2])
