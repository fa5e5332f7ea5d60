"""What servers know together: one body for the ports `Presence`, `Directory` and `Tokens`, wherever they are kept.

Played on memory and on the modelled Redis in virtual time, and on a real Redis, whose entries are made older instead of
waited for.
"""

import asyncio
import os
import secrets
import signal
import time

import pytest

from chatsim.chat.ports import Address, Device, NodeStatus, NoTokenError, RegistryError, TokenError
from chatsim.simulation.loop import run
from chatsim.worlds.common.presence import MemoryDirectory, MemoryPresence
from chatsim.worlds.common.tokens import SignedTokens
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.platform import ModelPlatform
from chatsim.worlds.mysql.redis_presence import RedisDirectory, RedisPresence, RedisRegistry, RedisTokens
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import Sharing

EXPIRY = 1_000
PHONE, LAPTOP, TABLET = (Device(1, session, node) for session, node in (("s1", "n1"), ("s2", "n2"), ("s3", "n1")))
SOMEBODY_ELSES = Device(2, "s9", "n 1")


class Kept:
    """Where the three are kept, and how to let time pass there."""

    def __init__(self, presence, directory, tokens, *, elsewhere=None, age=asyncio.sleep):
        self.presence, self.directory, self.tokens, self.age = presence, directory, tokens, age
        self.elsewhere = elsewhere or presence  # presence as another machine sees it

    async def present(self, *devices):
        for device in devices:
            assert await self.presence.enter(device, alone=False) == []


async def in_memory(body):
    now = asyncio.get_running_loop().time
    await body(Kept(MemoryPresence(EXPIRY), MemoryDirectory(EXPIRY), SignedTokens(b"key", now, EXPIRY)))


async def in_model(body):
    platform = ModelPlatform(ModelCosts.read(), seed=1, database=None)
    async with platform.shared(Sharing("redis", "grpc"), expiry=EXPIRY, dead=EXPIRY) as shared:
        here, there = shared.presence("node1"), shared.presence("node2")
        tokens = SignedTokens(b"key", asyncio.get_running_loop().time, EXPIRY)
        await body(Kept(here, shared.directory, tokens, elsewhere=there))


async def in_redis(body, url):
    prefix = secrets.token_hex(4)
    registry, other = RedisRegistry(url, prefix), RedisRegistry(url, prefix)

    async def age(seconds):
        """Have all that is there lapse so much sooner."""
        for key in await registry.client.keys(f"{prefix}*"):
            if "ulapses" in key:
                for member in await registry.client.zrange(key, 0, -1):
                    await registry.client.zincrby(key, -seconds * 1_000, member)
            await registry.client.pexpire(key, await registry.client.pttl(key) - round(seconds * 1_000))

    try:
        elsewhere = RedisPresence(other, EXPIRY)
        there = RedisPresence(registry, EXPIRY), RedisDirectory(registry, EXPIRY), RedisTokens(registry, EXPIRY)
        await body(Kept(*there, elsewhere=elsewhere, age=age))
        for key in await registry.client.keys(f"{prefix}*"):
            assert 0 < await registry.client.pttl(key) <= EXPIRY * 1_000, f"{key} would stay for ever"
    finally:
        await registry.close()
        await other.close()


def everywhere(body):
    @pytest.mark.parametrize("where", ["memory", "model", "redis"])
    def test(where, request):
        if where == "redis":
            asyncio.run(in_redis(body, request.getfixturevalue("redis_url")))
        else:
            run({"memory": in_memory, "model": in_model}[where](body))

    test.__name__ = body.__name__
    return test


# --- presence


@everywhere
async def test_nobody_is_there_at_first(kept):
    assert await kept.presence.find(1) == []


@everywhere
async def test_a_user_may_have_several_devices_and_they_are_found_oldest_first_from_everywhere(kept):
    await kept.present(LAPTOP, PHONE, SOMEBODY_ELSES, TABLET)
    for presence in (kept.presence, kept.elsewhere):
        assert await presence.find(1) == [LAPTOP, PHONE, TABLET]
        assert await presence.find(2) == [SOMEBODY_ELSES]


@everywhere
async def test_a_refresh_does_not_make_a_device_younger_nor_does_entering_again(kept):
    await kept.present(PHONE, LAPTOP)
    assert await kept.presence.refresh([PHONE]) == []
    await kept.present(PHONE)
    assert await kept.presence.find(1) == [PHONE, LAPTOP]


@everywhere
async def test_whoever_enters_alone_is_told_who_gives_way_and_is_the_only_one(kept):
    await kept.present(PHONE, LAPTOP, SOMEBODY_ELSES)
    assert await kept.elsewhere.enter(TABLET, alone=True) == [PHONE, LAPTOP]
    assert await kept.presence.find(1) == [TABLET]
    assert await kept.presence.find(2) == [SOMEBODY_ELSES]
    assert await kept.presence.enter(Device(3, "s", "n"), alone=True) == []


@everywhere
async def test_of_a_crowd_that_enters_alone_one_stays_and_each_other_one_gives_way_once(kept):
    crowd = [Device(1, f"s{number}", "n1") for number in range(50)]
    asked = (kept.presence, kept.elsewhere)
    gave_way = await asyncio.gather(*(asked[n % 2].enter(device, alone=True) for n, device in enumerate(crowd)))
    (winner,) = await kept.presence.find(1)
    losers = [device for devices in gave_way for device in devices]
    assert len(losers) == len(set(losers)) == 49
    assert {winner, *losers} == set(crowd)


@everywhere
async def test_an_entry_lapses_when_it_is_not_refreshed_and_takes_no_other_with_it(kept):
    await kept.present(PHONE, LAPTOP)
    await kept.age(EXPIRY - 100)
    assert await kept.presence.refresh([PHONE, SOMEBODY_ELSES]) == [SOMEBODY_ELSES]
    assert await kept.presence.find(1) == [PHONE, LAPTOP]
    await kept.age(100)
    assert await kept.presence.find(1) == [PHONE]
    assert await kept.presence.refresh([LAPTOP, PHONE]) == [LAPTOP]
    await kept.age(EXPIRY)
    assert await kept.presence.find(1) == []
    assert await kept.presence.refresh([PHONE]) == [PHONE], "a refresh brings nobody back"
    assert await kept.presence.find(1) == []
    assert await kept.presence.enter(LAPTOP, alone=True) == [], "nor does one who has lapsed give way"


@everywhere
async def test_a_device_that_has_given_way_can_not_refresh(kept):
    await kept.present(PHONE)
    await kept.presence.enter(LAPTOP, alone=True)
    assert await kept.presence.refresh([PHONE, LAPTOP]) == [PHONE]
    assert await kept.presence.find(1) == [LAPTOP]


@everywhere
async def test_a_device_that_leaves_is_gone_and_the_others_stay(kept):
    await kept.present(PHONE, LAPTOP)
    await kept.elsewhere.leave(PHONE)
    assert await kept.presence.find(1) == [LAPTOP]
    assert await kept.presence.refresh([PHONE]) == [PHONE]


@everywhere
async def test_a_leave_of_whoever_is_not_there_harms_nobody(kept):
    await kept.present(PHONE)
    await kept.presence.enter(LAPTOP, alone=True)
    for late in (PHONE, SOMEBODY_ELSES, Device(1, "s2", "n1"), Device(1, "s1", "n2"), Device(3, "s2", "n2")):
        await kept.presence.leave(late)
        await kept.presence.leave(late)
    assert await kept.presence.find(1) == [LAPTOP]


@everywhere
async def test_more_devices_than_one_script_takes_are_refreshed(kept):
    crowd = [Device(uid, "s", "n") for uid in range(450)]
    await kept.present(*crowd[::2])
    assert await kept.presence.refresh(crowd) == crowd[1::2]


# --- directory


def status(name, *, sessions=0, report=1, peers=None):
    return NodeStatus(name, Address("127.0.0.1", 9000), sessions, report, peers)


@everywhere
async def test_nodes_are_listed_by_name_as_they_last_said(kept):
    assert list(await kept.directory.nodes()) == []
    latest = status("a", sessions=7, report=2, peers=Address("127.0.0.1", 50055))
    for node in (status("b"), status("a"), status("c"), latest):
        await kept.directory.announce(node)
    assert list(await kept.directory.nodes()) == [latest, status("b"), status("c")]


@everywhere
async def test_a_node_that_does_not_report_lapses_until_it_does(kept):
    await kept.directory.announce(status("a"))
    await kept.age(500)
    await kept.directory.announce(status("b"))
    await kept.age(500)
    assert list(await kept.directory.nodes()) == [status("b")]
    await kept.directory.announce(status("a", report=2))
    assert list(await kept.directory.nodes()) == [status("a", report=2), status("b")]


@everywhere
async def test_a_node_that_is_withdrawn_is_gone_at_once_and_may_be_withdrawn_twice(kept):
    for name in "ab":
        await kept.directory.announce(status(name))
    for _ in range(2):
        await kept.directory.withdraw("a")
        assert list(await kept.directory.nodes()) == [status("b")]


# --- tokens


@everywhere
async def test_a_token_is_good_for_its_user_and_nobody_else_until_it_expires(kept):
    token, other = await kept.tokens.issue(1), await kept.tokens.issue(2)
    await kept.tokens.check(1, token)
    for uid, wrong in ((1, other), (2, token), (3, token), (1, ""), (1, token[:-1]), (1, "\0é\n"), (1, "\ud800")):
        with pytest.raises(TokenError):
            await kept.tokens.check(uid, wrong)
    await kept.tokens.check(1, token)
    await kept.age(EXPIRY + 1)
    with pytest.raises(TokenError):
        await kept.tokens.check(1, token)


@everywhere
async def test_a_token_stays_good_when_another_device_asks_for_one(kept):
    first, second = await asyncio.gather(kept.tokens.issue(1), kept.tokens.issue(1))
    await kept.tokens.check(1, first)
    await kept.tokens.check(1, second)


# --- the real Redis


def on_redis(body):
    """Played with a registry that has the Redis, database 9, for itself: the keys are the source's."""

    def test(redis_url):
        async def play():
            registry = RedisRegistry(redis_url.rpartition("/")[0] + "/9")
            await registry.client.flushdb()
            try:
                await body(registry)
            finally:
                await registry.client.flushdb()
                await registry.close()

        asyncio.run(play())

    test.__name__ = body.__name__
    return test


@on_redis
async def test_the_keys_are_the_sources_and_tell_of_the_latest_login(registry):
    presence, get = RedisPresence(registry, EXPIRY), registry.client.get
    for device in (PHONE, LAPTOP):
        await presence.enter(device, alone=False)
        assert (await get("uip_1"), await get("usession_1")) == (device.node, device.session)
    await presence.leave(PHONE)
    assert (await get("uip_1"), await get("usession_1")) == ("n2", "s2")
    await presence.enter(PHONE, alone=False)
    await presence.leave(PHONE)
    assert (await get("uip_1"), await get("usession_1")) == ("n2", "s2"), "the latest of those who are left"
    await presence.leave(LAPTOP)
    assert await registry.client.keys("*") == []


@on_redis
async def test_the_logins_are_counted_by_node_where_the_source_counts_them(registry):
    directory = RedisDirectory(registry, EXPIRY)
    await directory.announce(status("chatserver1", sessions=3))
    await directory.announce(status("chatserver2"))
    assert await registry.client.hgetall("logincount") == {"chatserver1": "3", "chatserver2": "0"}
    await registry.client.delete("node_chatserver1")
    assert list(await directory.nodes()) == [status("chatserver2")]
    assert await registry.client.hgetall("logincount") == {"chatserver2": "0"}, "who has lapsed is not counted"


@on_redis
async def test_a_token_is_random_and_says_whether_it_is_missing_or_different(registry):
    tokens = RedisTokens(registry, EXPIRY)
    given = {await tokens.issue(uid) for uid in range(100)}
    assert len(given) == 100
    assert min(map(len, given)) >= 32
    assert await registry.client.get("utoken_7") in given
    with pytest.raises(TokenError, match="the token is different from the one that was issued") as different:
        await tokens.check(7, "another")
    assert not isinstance(different.value, NoTokenError)
    with pytest.raises(NoTokenError, match="the token is missing: none was issued, or it has expired"):
        await tokens.check(1_000, "another")


def test_a_redis_that_hangs_holds_nobody_up_and_one_that_was_killed_is_used_again_when_it_is_back(monkeypatch):
    monkeypatch.delenv("CHATSIM_REDIS_URL", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")  # a container's process can't be signalled

    async def body(url, pid):
        registry = RedisRegistry(url)
        presence = RedisPresence(registry, EXPIRY)
        try:
            await presence.enter(PHONE, alone=False)
            os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            asked = await asyncio.gather(*(presence.find(1) for _ in range(100)), return_exceptions=True)
            assert [str(error) for error in asked] == ["Redis can't be used: no answer"] * 100
            assert time.monotonic() - began < 60, "they do not wait for each other's end"
            os.kill(pid, signal.SIGCONT)
            assert await presence.find(1) == [PHONE]
        finally:
            await registry.close()

    with Servers().redis() as server:

        async def process_id():
            registry = RedisRegistry(server.url)
            info = await registry.client.info("server")
            await registry.close()
            return info["process_id"]

        asyncio.run(body(server.url, asyncio.run(process_id())))

    async def without():
        registry = RedisRegistry(server.url)
        with pytest.raises(RegistryError, match=r"^Redis can't be used: "):
            await registry.open()
        await registry.close()

    asyncio.run(without())
