"""Two people on two servers, as the source tells it: in processes with a real Redis and gRPC, and in the model."""

import asyncio
import functools
import json
import re
import time

import grpc.aio
import numpy as np
import psutil
import pytest
import redis
from foreign import Serving
from two_servers import ANN, BOB, befriend, people, two_servers

from chatsim.chat.client.connection import Client, DisconnectedError
from chatsim.chat.client.messenger import Status
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.ports import Address
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.worlds.cluster import cluster
from chatsim.worlds.common.peers_pb2 import GetChatServerReq, GetChatServerRsp
from chatsim.worlds.loading import add_users
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.local_store import SqliteStore
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.tcp import TcpNetwork
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import Sharing

USERS = 19
ALL = Sharing("redis", "grpc")


# --- in processes


class Site:
    """``chatsim serve`` with two nodes as processes, met as the source's gate server and clients would meet it."""

    def __init__(self, running, redis_url):
        self.running = running
        self.status = running.logs(r"The status server is at (\S+)\.\n")[1]
        self.redis = redis.Redis.from_url(redis_url, decode_responses=True)

    def login_for(self, uid, node=None):
        """Asks the status server over gRPC, logs in over TCP; where it says, unless a node is named."""

        async def enter(pushed):
            async with grpc.aio.insecure_channel(self.status) as channel:
                ask = channel.unary_unary(
                    "/message.StatusService/GetChatServer",
                    request_serializer=GetChatServerReq.SerializeToString,
                    response_deserializer=GetChatServerRsp.FromString,
                )
                ticket = await ask(GetChatServerReq(uid=uid), timeout=60)
            if ticket.error:
                raise DisconnectedError(f"error {ticket.error}")
            address = Address(ticket.host, int(ticket.port))
            if node is not None:
                report = json.loads(await asyncio.to_thread(self.redis.get, f"node_node{node + 1}"))
                address = Address(**report["address"])
            client = await Client.connect(TcpNetwork(), address, deadline=60, pushed=pushed)
            try:
                return client, await client.log_in(uid, ticket.token, feed=True)
            except BaseException:
                await client.close()
                raise

        return enter

    def people(self):
        return people(self.login_for, functools.partial(SqliteStore, ":memory:"))

    async def where(self, uid):
        return await asyncio.to_thread(self.redis.get, f"uip_{uid}")


@pytest.fixture
def own_redis(monkeypatch):
    """A Redis that may be killed, whatever the session's is."""
    monkeypatch.delenv("CHATSIM_REDIS_URL", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")  # a container can't be killed
    with Servers().redis() as server:
        yield server


def test_across_processes_people_talk_whoever_is_killed_and_nothing_is_left(mysql_url, own_redis):
    options = ("--processes", "--redis", "--grpc", "--sessions", "one", "--nodes", 2, "--users", USERS)
    variables = {"CHATSIM_MYSQL_URL": mysql_url, "CHATSIM_REDIS_URL": own_redis.url}
    with Serving("serve", *options, lines=USERS, **variables) as running:
        children = psutil.Process(running.process.pid).children(recursive=True)
        site = Site(running, own_redis.url)

        async def all_of_it():
            for part in (the_story, a_crowd, redis_is_killed, a_node_is_killed):
                async with site.people() as there:
                    await part(site, there, own_redis.instance)

        asyncio.run(all_of_it())
        running.end()
        assert "Traceback" not in running.stderr
        assert psutil.wait_procs(children, timeout=30)[1] == []
        assert all(site.redis.ttl(key) != -1 for key in site.redis.keys("*")), "every key lapses by itself"
        until = time.monotonic() + 60
        while [key for key in site.redis.keys("*") if not key.startswith("utoken_")]:  # what was killed lapses
            assert time.monotonic() < until, "who has left is still there"
            time.sleep(0.1)
        site.redis.close()


async def the_story(site, there, _):
    """They become friends and talk across servers, and a login elsewhere ends the first session."""
    await two_servers(there, site.where)


async def a_crowd(site, there, _):
    """Those who log in at once are spread over the servers; the source's went to one, until it reported."""
    crowd, used = range(1007, 1017), set()
    async with asyncio.timeout(60):  # on a slow machine a node may miss its reports, and all are sent to the other one
        while used != {"node1", "node2"}:
            while await asyncio.to_thread(site.redis.exists, "node_node1", "node_node2") != 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            await asyncio.gather(*(there.open(uid) for uid in crowd))
            used = {await site.where(uid) for uid in crowd}


async def redis_is_killed(site, there, instance):
    """What is sent meanwhile is acknowledged, and heard at the next look; who is online is found again, and stays."""
    ann, bob = await there.open(1003, 0, resync=1.0), await there.open(1004, 1, resync=1.0)
    thread = await befriend(ann, bob)
    said = ["Hi!", "We are friends now!"]
    await asyncio.to_thread(instance.kill)
    for person in (ann, bob):
        said.append(f"{person.uid} into the dark")
        await person.messenger.send(thread, said[-1])
        for each in (ann, bob):
            await each.has(thread, said)
    site.running.logs("on this node only: Redis can't be used")
    await asyncio.to_thread(instance.revive)
    async with asyncio.timeout(60):
        while (await site.where(1003), await site.where(1004)) != ("node1", "node2"):  # noqa: ASYNC110 - in Redis
            await asyncio.sleep(0.1)
    assert not re.search(r"user 100[34] at \S+ has ended", site.running.stderr), "nobody was sent away"


async def a_node_is_killed(site, there, _):
    """No text is lost, and its users come back on the other."""
    ann, bob = await there.open(1005), await there.open(1006)
    thread = await befriend(ann, bob)
    home = await site.where(1006)
    own = psutil.Process(site.running.process.pid)
    (node,) = [each for each in own.children() if home in each.cmdline()]
    node.kill()
    said = ["Hi!", "We are friends now!"]
    for number in range(5):
        said.append(f"text {number}")
        await ann.messenger.send(thread, said[-1])
    for person in (ann, bob):
        await person.has(thread, said)
    assert {await site.where(1005), await site.where(1006)} == {"node1", "node2"} - {home}


# --- in one process, by a real Redis and gRPC


async def story(world, *, sharing, rounds):
    """The story in a world's cluster."""

    def login_for(uid, node):
        return nodes.login_for(uid, None if node is None else nodes.nodes[node].address)

    await world.install("hardened")
    await add_users(world.admin, range(1001, 1001 + USERS))
    async with (
        cluster(
            world,
            nodes=2,
            pool=5,
            strategy=STRATEGIES["look_first"],
            retry=POLICIES["retry"],
            limits=Limits(devices=False),
            schema="hardened",
            rngs=[np.random.default_rng(seed) for seed in range(2)],
            sharing=sharing,
        ) as nodes,
        people(login_for, lambda: world.local_store(":memory:")) as there,
    ):

        async def where(uid):
            return (await nodes.presence.find(uid))[-1].node

        await rounds(there, where, nodes)


async def tell(there, where, _):
    await two_servers(there, where)


@pytest.mark.parametrize("sharing", [Sharing("redis", "process"), Sharing("process", "grpc"), ALL], ids=str)
def test_the_story_in_one_process_whatever_the_servers_share_by(sharing, mysql_url, redis_url):
    async def play():
        async with MySQLWorld() as world:
            await story(world, sharing=sharing, rounds=tell)

    asyncio.run(play())


@pytest.mark.parametrize("sharing", [ALL, Sharing("process", "process")], ids=str)
def test_the_story_in_the_model(sharing):
    Model().run(lambda world: story(world, sharing=sharing, rounds=tell), seed=1)


# --- in virtual time


def in_model(rounds):
    async def play(world):
        await story(world, sharing=ALL, rounds=functools.partial(rounds, world))

    Model().run(play, seed=1)


def test_a_push_that_is_lost_is_heard_of_within_the_time_between_two_looks():
    resync = 60.0

    async def rounds(world, there, where, _):
        bob, ann = await there.open(BOB, 0, resync=resync), await there.open(ANN, 1, resync=resync)
        thread = await befriend(ann, bob)
        said = ["Hi!", "We are friends now!"]
        world.network.partition("node1", "node2")
        clock = asyncio.get_running_loop().time
        await ann.messenger.send(thread, "lost on the way")
        sent = clock()
        await ann.has(thread, [*said, "lost on the way"])
        assert clock() - sent < 1, "whoever sends does not wait for the other's server"
        await bob.has(thread, [*said, "lost on the way"])
        assert 1 < clock() - sent <= resync + 1
        world.network.heal("node1", "node2")

    in_model(rounds)


def test_after_a_redis_that_forgot_everybody_people_are_found_again_when_presence_is_next_refreshed():
    async def rounds(world, there, where, _):
        bob, ann = await there.open(BOB, 0), await there.open(ANN, 1)
        thread = await befriend(ann, bob)
        said = ["Hi!", "We are friends now!"]
        await world.crash_redis(3.0)
        await asyncio.sleep(Limits.expiry / 4 + 0.1)
        assert (await where(BOB), await where(ANN)) == ("node1", "node2")
        await ann.messenger.send(thread, "found")
        await bob.has(thread, [*said, "found"])
        assert {ann.messenger.status, bob.messenger.status} == {Status.READY}

    in_model(rounds)


def test_while_redis_is_gone_a_login_is_refused_and_who_is_there_stays():
    async def rounds(world, there, where, nodes):
        bob, ann = await there.open(BOB, 0), await there.open(ANN, 1)
        thread = await befriend(ann, bob)
        world.redis.kill()
        with pytest.raises(Exception, match=r"error 1002 \(RPC_FAILED\)"):
            await nodes.log_in(1003, deadline=5)
        await asyncio.sleep(2 * Limits.expiry)
        assert {ann.messenger.status, bob.messenger.status} == {Status.READY}
        await ann.messenger.send(thread, "stored all the same")
        await ann.has(thread, ["Hi!", "We are friends now!", "stored all the same"])
        world.redis.start()
        await asyncio.sleep(Limits.expiry / 4 + 0.1)
        await (await nodes.log_in(1003, deadline=5)).close()

    in_model(rounds)


def test_of_two_sessions_that_come_back_at_once_where_one_is_allowed_one_stays():
    async def rounds(world, there, where, nodes):
        world.network.partition("node1", "node2")  # the kick is lost
        first = await nodes.log_in(1003, nodes.nodes[0].address, deadline=5)
        second = await nodes.log_in(1003, nodes.nodes[1].address, deadline=5)
        await world.crash_redis(1.0)
        world.network.heal("node1", "node2")
        await asyncio.sleep(Limits.expiry)
        assert [client.ended is None for client in (first, second)].count(True) == 1
        assert len(await nodes.presence.find(1003)) == 1
        for client in (first, second):
            await client.close()

    in_model(rounds)


@pytest.mark.parametrize("peers", ["process", "grpc"])
def test_a_peer_that_hangs_delays_no_acknowledgement(peers):
    async def rounds(there, where, nodes):
        bob, ann = await there.open(BOB, 0), await there.open(ANN, 1)
        thread = await befriend(ann, bob)
        hangs, gone = asyncio.Event(), asyncio.Event()

        async def never(device, notice):
            hangs.set()
            await gone.wait()
            return True

        nodes.nodes[0].pushed = never
        await ann.messenger.send(thread, "does it wait?")
        await hangs.wait()
        await ann.has(thread, ["Hi!", "We are friends now!", "does it wait?"])
        assert await ann.messenger.cache.pending() == [], "it is acknowledged while the other server still hangs"
        assert not gone.is_set()
        gone.set()

    async def play(world):
        await story(world, sharing=Sharing("redis", peers), rounds=rounds)

    Model().run(play, seed=1)


def test_a_peer_that_hangs_delays_no_acknowledgement_over_grpc_either(mysql_url):
    async def rounds(there, where, nodes):
        bob, ann = await there.open(BOB, 0), await there.open(ANN, 1)
        thread = await befriend(ann, bob)
        hangs, gone = asyncio.Event(), asyncio.Event()

        async def never(device, notice):
            hangs.set()
            await gone.wait()
            return True

        nodes.nodes[0].pushed = never
        await ann.messenger.send(thread, "does it wait?")
        await hangs.wait()

        async def acknowledged():
            return await ann.messenger.cache.pending() == []

        await ann.until(acknowledged, "waits")
        assert not gone.is_set()
        gone.set()

    async def play():
        async with MySQLWorld() as world:
            await story(world, sharing=Sharing("process", "grpc"), rounds=rounds)

    asyncio.run(play())
