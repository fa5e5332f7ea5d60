"""Several nodes and a status server over TCP, on a real MySQL."""

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest

from chatsim.chat.client.connection import DisconnectedError, LateError, RefusedError
from chatsim.chat.creation import STRATEGIES, creation_strategy
from chatsim.chat.ports import Address
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.chat.strategies import StrategyError
from chatsim.worlds.cluster import cluster
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError

PATIENCE = 60.0
NO_REPORTS = Limits(report=3600.0, strangers=True)  # a node reports when it begins: nothing changes by itself
LOCK = "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (999999, ?, ?)"
WAITING = """
    SELECT COUNT(DISTINCT w.REQUESTING_ENGINE_TRANSACTION_ID) FROM performance_schema.data_lock_waits w
      JOIN performance_schema.data_locks l ON l.ENGINE_LOCK_ID = w.REQUESTING_ENGINE_LOCK_ID
     WHERE l.OBJECT_SCHEMA = DATABASE()"""
CONNECTED = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"


@pytest.fixture
async def world(mysql_url):
    async with MySQLWorld() as world:
        await world.install("source")
        for uid in range(1, 13):
            await world.admin.execute("INSERT INTO user (uid, name, email) VALUES (?, 'someone', ?)", (uid, str(uid)))
        yield world


def running(world, *, strategy=STRATEGIES["one_round_trip"], nodes=2, pool=2, limits=NO_REPORTS):
    rngs = [np.random.default_rng(seed) for seed in range(nodes)]
    return cluster(
        world,
        nodes=nodes,
        pool=pool,
        strategy=strategy,
        retry=POLICIES["retry"],
        limits=limits,
        schema="source",
        rngs=rngs,
    )


@asynccontextmanager
async def clients(system, *places):
    """Clients, each given as a uid and the node it is to be on; closed at the end."""
    found = []
    try:
        for uid, node in places:
            found.append(await system.log_in(uid, system.nodes[node].address, deadline=PATIENCE))
        yield found
    finally:
        for client in found:
            await client.close()


async def comes_to(world, sql, count):
    async with asyncio.timeout(PATIENCE):
        while (await world.admin.execute(sql)).scalar() != count:
            pass


async def ended(client):
    """Why the client has ended, when it has."""
    async with asyncio.timeout(PATIENCE):
        await client._reading
    return client.ended


def fail():
    raise ZeroDivisionError


async def chats(world):
    return (await world.admin.execute("SELECT thread_id, user1_id, user2_id FROM private_chat")).rows


# --- one thread for a pair


@pytest.mark.parametrize("strategy", ["one_round_trip", "for_update"])
async def test_both_of_a_pair_create_at_once_on_different_nodes_and_get_one_thread(strategy, world):
    async with running(world, strategy=STRATEGIES[strategy]) as system, clients(system, (1, 0), (2, 1)) as (ann, bob):
        await world.admin.begin()
        await world.admin.execute(LOCK, (1, 2))
        asking = [asyncio.create_task(ann.create_private_chat(2)), asyncio.create_task(bob.create_private_chat(1))]
        await comes_to(world, WAITING, 2)
        await world.admin.rollback()
        thread, same = await asyncio.gather(*asking)
        assert thread == same
        assert await chats(world) == ((thread, 1, 2),)
        for client in (ann, bob):
            assert [(each.thread_id, each.type, each.user1_id, each.user2_id) for each in await client.threads()] == [
                (thread, "private", 1, 2)
            ]
        assert [node.stats.requests[1027] for node in system.nodes] == [1, 1]
        assert system.stats.requests[1027] == 2
        assert system.stats.crash is None


@pytest.mark.parametrize("strategy", ["one_round_trip", "for_update"])
async def test_a_crowd_of_devices_of_both_gets_one_thread(strategy, world):
    places = [(1 + number % 2, number // 2 % 2) for number in range(12)]
    async with running(world, strategy=STRATEGIES[strategy]) as system, clients(system, *places) as crowd:
        threads = await asyncio.gather(*(each.create_private_chat(3 - each.uid) for each in crowd))
        assert len(set(threads)) == 1
        assert await chats(world) == ((threads[0], 1, 2),)
        assert await crowd[0].create_private_chat(2) == threads[0], "it is there from now on"


async def test_more_creations_than_connections_wait_for_one(world):
    async with running(world, pool=1) as system, clients(system, *((uid, 0) for uid in range(1, 11))) as crowd:
        threads = await asyncio.gather(*(each.create_private_chat(12) for each in crowd))
        assert len(set(threads)) == 10


# --- logins


async def test_logins_through_the_status_server_spread(world):
    async with running(world, nodes=3) as system:
        crowd = [await system.log_in(uid, deadline=PATIENCE) for uid in range(1, 13)]
        assert [node.sessions for node in system.nodes] == [4, 4, 4]
        where = Counter([(await system.presence.find(uid))[0].node for uid in range(1, 13)])
        assert where == {"node1": 4, "node2": 4, "node3": 4}
        assert await system.status.live() == {"node1": 0, "node2": 0, "node3": 0}, "as they said when they began"
        for client in crowd:
            await client.close()


async def test_a_login_that_is_refused_leaves_no_session(world):
    async with running(world) as system:
        with pytest.raises(RefusedError, match="UID_INVALID"):
            await system.log_in(4711, deadline=PATIENCE)
        assert [node.sessions for node in system.nodes] == [0, 0]
        assert await system.presence.find(4711) == []


async def test_a_login_where_nobody_listens_is_disconnected(world):
    async with running(world) as system:
        with pytest.raises(DisconnectedError, match="no connection to"):
            await system.log_in(1, Address("127.0.0.1", 1), deadline=PATIENCE)


async def test_where_a_user_has_one_session_a_login_on_another_node_ends_the_first(world):
    async with (
        running(world, limits=Limits(devices=False, report=3600.0)) as system,
        clients(system, (1, 0), (1, 1)) as (older, newer),
    ):
        assert await ended(older) == "ended by the server: logged in elsewhere"
        assert await newer.threads() == []
        assert [device.node for device in await system.presence.find(1)] == ["node2"]


# --- ends


async def test_after_a_node_was_killed_a_login_elsewhere_works_once_that_was_noticed(world):
    async with running(world) as system, clients(system, (1, 0), (2, 1)) as (lost, kept):
        await system.nodes[0].kill()
        assert await ended(lost) == "closed by the server"
        with pytest.raises(DisconnectedError, match="no connection to"):  # it still counts as live, and as the emptiest
            await system.log_in(1, deadline=PATIENCE)
        again = [await system.log_in(uid, deadline=PATIENCE) for uid in (1, 3)]
        assert system.nodes[1].sessions == 3
        assert await again[0].create_private_chat(2) == await kept.create_private_chat(1)
        for client in again:
            await client.close()


async def test_when_every_node_was_killed_a_login_says_that_none_is_live(world):
    async with running(world) as system:
        for node in system.nodes:
            await node.kill()
        for _ in system.nodes:
            with pytest.raises(DisconnectedError, match="no connection to"):
                await system.log_in(1, deadline=PATIENCE)
        with pytest.raises(DisconnectedError, match="no chat server is live"):
            await system.log_in(1, deadline=PATIENCE)


@pytest.mark.parametrize("end", ["well", "by an error", "with a killed node", "with a request under way"])
async def test_nothing_listens_and_nobody_is_connected_after_the_block(end, world):
    entered = asyncio.Event()

    @creation_strategy()
    async def never(tx, low, high):
        """Waits in its transaction for as long as it is let."""
        await tx.begin()
        await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")
        entered.set()
        await asyncio.Event().wait()

    asking, crowd = [], []
    with suppress(ZeroDivisionError):
        async with running(world, strategy=never, limits=Limits(report=3600.0, grace=0.01, strangers=True)) as system:
            crowd = [await system.log_in(uid, deadline=PATIENCE) for uid in (1, 2, 3)]
            assert (await world.admin.execute(CONNECTED)).scalar() == 4
            match end:
                case "by an error":
                    fail()
                case "with a killed node":
                    await system.nodes[0].kill()
                case "with a request under way":
                    asking.append(asyncio.create_task(crowd[0].create_private_chat(2)))
                    await entered.wait()
    for each in asking:
        with pytest.raises(DisconnectedError):
            await each
    for node in system.nodes:
        with pytest.raises(ConnectionRefusedError):
            await system.platform.network_at("client").connect(node.address)
    await comes_to(world, CONNECTED, 0)
    assert (await world.admin.execute("SELECT COUNT(*) FROM chat_thread")).scalar() == 0
    for client in crowd:
        await ended(client)


async def test_sessions_are_told_that_the_node_closes_at_the_end_of_the_block(world):
    async with running(world) as system:
        client = await system.log_in(1, deadline=PATIENCE)
    assert await ended(client) == "ended by the server: the node closes"


async def test_connections_that_can_not_be_had_leave_neither_node_nor_connection(world):
    limit = (await world.admin.execute("SELECT @@max_connections")).scalar()
    with pytest.raises(WorldError, match="connections can't be had"):
        async with running(world, pool=limit + 1):
            pass
    await comes_to(world, CONNECTED, 0)


# --- what goes wrong


async def test_a_broken_strategy_is_in_the_stats_of_the_cluster_and_costs_one_request(world, caplog):
    caplog.set_level(logging.INFO)

    @creation_strategy()
    async def forgets(tx, low, high):
        await tx.begin()
        return (await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id

    async with running(world, strategy=forgets) as system, clients(system, (1, 1), (2, 1)) as (victim, bystander):
        with pytest.raises(RefusedError, match="CREATE_CHAT_FAILED"):
            await victim.create_private_chat(2)
        assert await victim.threads() == []
        assert isinstance(system.stats.crash, StrategyError)
        assert "'forgets' returned with its transaction open" in str(system.stats.crash)
        assert system.nodes[0].stats.crash is None
        assert await bystander.threads() == []
    assert "'forgets' returned with its transaction open" in caplog.text
    assert (await world.admin.execute("SELECT COUNT(*) FROM chat_thread")).scalar() == 0


async def test_a_request_that_waits_for_the_database_longer_than_its_deadline_is_late_and_may_still_be_done(world):
    async with running(world) as system:
        async with clients(system, (1, 0)) as (client,):
            client._deadline = 0.01
            await world.admin.begin()
            await world.admin.execute(LOCK, (1, 2))
            with pytest.raises(LateError):
                await client.create_private_chat(2)
            await comes_to(world, WAITING, 1)
            await world.admin.rollback()
            client._deadline = PATIENCE
            thread = await client.create_private_chat(2)
        assert await chats(world) == ((thread, 1, 2),)
