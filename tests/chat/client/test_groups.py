"""Groups on clients with local databases, on nodes in both worlds: what is shown, what is kept, what is not learnt."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest
from harness import ANN, BOB, CAT, in_both_worlds

from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache, State
from chatsim.chat.client.connection import RefusedError
from chatsim.chat.client.messenger import Messenger, Status, Timing
from chatsim.chat.client.view import View
from chatsim.chat.protocol import ErrorCode
from chatsim.worlds.loading import add_users


class Phone:
    """A messenger of a user, with a view of it.

    Attributes:
        messenger: the messenger.
        view: shows what it has.
    """

    def __init__(self, harness, uid, store, *, node=0):
        self.uid = uid
        self._changed = asyncio.Event()
        address = harness.cluster.nodes[node].address
        self.messenger = Messenger(
            uid,
            harness.cluster.login_for(uid, address, machine=f"phone of {uid}"),
            store,
            rng=np.random.default_rng([uid, id(self) % 2**32]),
            timing=Timing(shortest=0.05, longest=0.5, resync=3_600.0),
            changed=self._note,
        )
        self.view = View(self.messenger.cache)

    def _note(self, event):
        self.view.note(event)
        self._changed.set()

    async def until(self, holds):
        """Wait until a change makes it so; ``holds`` is a coroutine function."""
        while not await holds():
            self._changed.clear()
            if await holds():
                return
            await self._changed.wait()

    async def ready(self):
        async def is_ready():
            return self.messenger.status is Status.READY

        await self.until(is_ready)

    async def texts(self, thread):
        """What is stored on the server, as far as it is here."""
        return [each.content for each in await self.messenger.cache.newest(thread, 1_000) if each.seq is not None]

    async def has(self, thread, *contents):
        async def here():
            return await self.texts(thread) == list(contents)

        await self.until(here)

    async def rows(self):
        """The titles and numbers of unread messages of the thread list."""
        await self.view.update()
        return [(row.title, row.unread) for row in self.view.threads]

    async def shows(self, *rows):
        async def here():
            return await self.rows() == list(rows)

        await self.until(here)


@asynccontextmanager
async def phone(harness, uid, store=None, **more):
    made = Phone(harness, uid, store or harness.world.local_store(":memory:"), **more)
    await made.messenger.open()
    try:
        await made.ready()
        yield made
    finally:
        await made.messenger.close()


async def friends(harness, *uids):
    for at, one in enumerate(uids):
        for other in uids[at + 1 :]:
            await harness.befriend(one, other)


@in_both_worlds(nodes=2)
async def test_a_group_is_made_talked_in_renamed_and_left(harness):
    await friends(harness, ANN, BOB, CAT)
    async with phone(harness, ANN) as ann, phone(harness, BOB, node=1) as bob, phone(harness, CAT) as cat:
        group = await ann.messenger.create_group("us", [BOB, CAT])
        for each in (ann, bob, cat):
            await each.shows(("us", 0))
        await bob.messenger.send(group, "hello")
        await ann.has(group, "hello")
        await cat.has(group, "hello")
        await cat.shows(("us", 1))
        await bob.shows(("us", 0))
        await cat.messenger.read(group)
        await cat.shows(("us", 0))
        await ann.shows(("us", 1))
        await ann.messenger.rename(group, "them")
        await bob.shows(("them", 0))
        await cat.messenger.leave(group)
        assert await cat.rows() == []
        assert await cat.texts(group) == ["hello"], "it stays in the local database"
        await ann.messenger.send(group, "behind her back")
        await bob.has(group, "hello", "behind her back")
        await harness.settled()
        assert await cat.texts(group) == ["hello"]
        with pytest.raises(KeyError):
            await cat.messenger.send(group, "wait")
        assert (await cat.messenger.cache.threads(), cat.messenger.status) == ([], Status.READY)


@in_both_worlds()
async def test_who_is_removed_while_away_finds_the_group_gone_and_keeps_what_they_had(harness, tmp_path):
    await friends(harness, ANN, BOB, CAT)
    store = str(tmp_path / "bob.db")
    async with phone(harness, ANN) as ann:
        async with phone(harness, BOB, harness.world.local_store(store)) as bob:
            group = await ann.messenger.create_group("us", [BOB, CAT])
            await bob.shows(("us", 0))
            await ann.messenger.send(group, "one")
            await bob.has(group, "one")
        await ann.messenger.send(group, "missed")
        await ann.has(group, "one", "missed")
        await ann.messenger.remove(group, BOB)
        await ann.messenger.send(group, "never learnt")
        await ann.has(group, "one", "missed", "never learnt")
        async with phone(harness, BOB, harness.world.local_store(store)) as bob:
            assert (await bob.rows(), await bob.texts(group)) == ([], ["one"])
            assert bob.messenger.trouble is None
            stored = await bob.messenger.cache.thread(group)
            assert (stored.role, stored.last_seq) == (-1, 1)


@in_both_worlds()
async def test_who_is_added_again_reads_on_from_there_and_nothing_is_stuck(harness, tmp_path):
    await friends(harness, ANN, BOB)
    store = str(tmp_path / "bob.db")
    async with phone(harness, ANN) as ann, phone(harness, BOB, harness.world.local_store(store)) as bob:
        group = await ann.messenger.create_group("us", [BOB])
        await ann.messenger.send(group, "one")
        await bob.has(group, "one")
        await ann.messenger.remove(group, BOB)
        await bob.shows()
        for number in range(5):
            await ann.messenger.send(group, f"behind his back {number}")
        await ann.has(group, "one", *(f"behind his back {number}" for number in range(5)))
        await ann.messenger.add(group, [BOB])
        await bob.shows(("us", 0))
        await ann.messenger.send(group, "welcome back")
        await bob.has(group, "welcome back")
        assert not await bob.messenger.earlier(group)
        bob.messenger.synchronise()
        await bob.ready()
        assert (bob.messenger.trouble, await bob.texts(group)) == (None, ["welcome back"])
        kept = await bob.messenger.cache._store.execute("SELECT content FROM message ORDER BY seq")
        assert [content for (content,) in kept.rows] == ["one", "welcome back"]


@in_both_worlds()
async def test_a_new_device_loads_a_group_from_the_first_message_that_its_user_may_read(harness):
    await friends(harness, ANN, BOB)
    async with phone(harness, ANN) as ann:
        group = await ann.messenger.create_group("us", [])
        before = [f"before {number}" for number in range(120)]
        for content in before:
            await ann.messenger.send(group, content)
        await ann.has(group, *before)
        await ann.messenger.add(group, [BOB])
        after = [f"after {number}" for number in range(130)]
        for content in after:
            await ann.messenger.send(group, content)
        await ann.has(group, *before, *after)
        async with phone(harness, BOB) as bob:
            assert await bob.texts(group) == after[-100:]
            assert await bob.rows() == [("us", 130)]
            while await bob.messenger.earlier(group):
                pass
            assert await bob.texts(group) == after


@in_both_worlds()
async def test_a_text_of_who_was_removed_or_is_muted_has_failed(harness):
    await friends(harness, ANN, BOB, CAT)
    async with phone(harness, ANN) as ann, phone(harness, BOB) as bob:
        group = await ann.messenger.create_group("us", [BOB])
        await bob.shows(("us", 0))
        await ann.messenger.mute(group, BOB, 60)
        failed = (await bob.messenger.send(group, "may I?")).unique_id

        async def has_failed():
            there = await bob.messenger.cache.on_their_way(group)
            return [each.state for each in there if each.unique_id == failed] == [State.FAILED]

        await bob.until(has_failed)
        await ann.messenger.mute(group, BOB, 0)
        await bob.messenger.send_again(failed)
        await ann.has(group, "may I?")


@in_both_worlds()
async def test_members_are_loaded_once_and_again_when_they_have_changed(harness):
    many = range(100, 230)
    await add_users(harness.world.admin, many)
    group = await harness.group(ANN, *many)
    await friends(harness, ANN, BOB)
    requests = harness.cluster.nodes[0].stats.requests
    async with phone(harness, ANN) as ann:
        there = await ann.messenger.members(group)
        assert [each.uid for each in there] == [ANN, *many]
        assert await ann.messenger.members(group) == there
        assert requests[1129] == 2
        await ann.messenger.set_role(group, 100, 1)
        assert [each.role for each in await ann.messenger.members(group)][:3] == [2, 1, 0]
        assert requests[1129] == 4
        await ann.messenger.remove(group, 101)
        assert len(await ann.messenger.members(group)) == 130
        ann.view.open(group)
        await ann.view.update()
        assert (ann.view.name_of(100), ann.view.name_of(101), ann.view.name_of(7)) == ("user100", "user101", "user 7")


@in_both_worlds()
async def test_what_the_server_refuses_is_raised(harness):
    await friends(harness, ANN, BOB)
    async with phone(harness, ANN) as ann, phone(harness, BOB) as bob:
        group = await ann.messenger.create_group("us", [BOB])
        await bob.shows(("us", 0))
        for forbidden in (
            bob.messenger.rename(group, "mine"),
            bob.messenger.remove(group, ANN),
            bob.messenger.set_role(group, BOB, 2),
            bob.messenger.mute(group, ANN, 60),
            bob.messenger.add(group, [CAT]),
        ):
            with pytest.raises(RefusedError) as refused:
                await forbidden
            assert refused.value.code == ErrorCode.NOT_ALLOWED
        with pytest.raises(RefusedError) as refused:
            await ann.messenger.create_group("us", [CAT])
        assert refused.value.code == ErrorCode.NOT_FRIENDS


@in_both_worlds()
async def test_a_creation_may_be_repeated_with_its_unique_id(harness):
    await friends(harness, ANN, BOB)
    async with phone(harness, ANN) as ann:
        unique = ann.messenger.new_unique_id()
        group = await ann.messenger.create_group("us", [BOB], unique)
        assert await ann.messenger.create_group("us", [BOB], unique) == group
        assert await ann.messenger.create_group("us", [BOB]) != group
        assert await ann.rows() == [("us", 0), ("us", 0)]


@in_both_worlds()
async def test_leaving_a_group_from_which_one_was_removed_is_no_error(harness):
    await friends(harness, ANN, BOB)
    async with phone(harness, ANN) as ann, phone(harness, BOB) as bob:
        group = await ann.messenger.create_group("us", [BOB])
        await bob.shows(("us", 0))
        await harness.world.admin.execute("DELETE FROM group_chat_member WHERE user_id = ?", (BOB,))
        await bob.messenger.leave(group)


@pytest.mark.parametrize("load", ["catch_up", "fetch"])
@in_both_worlds()
async def test_who_is_removed_while_they_catch_up_has_the_other_threads_and_no_error(harness, load):
    await friends(harness, ANN, BOB)
    async with phone(harness, ANN) as ann:
        groups = [await ann.messenger.create_group(name, [BOB]) for name in ("one", "two")]
        for group in groups:
            await ann.messenger.send(group, "hello")
            await ann.has(group, "hello")
        connection, _ = await harness.cluster.login_for(BOB, machine="phone of 2")(lambda _: None)
        cache = Cache(harness.world.local_store(":memory:"), BOB)
        await cache.open()
        await sync.refresh(connection, cache)
        await ann.messenger.remove(groups[0], BOB)
        if load == "catch_up":
            await sync.catch_up(connection, cache)
        else:
            for group in groups:
                await sync.fetch(connection, cache, group)
        assert [each.thread_id for each in await cache.threads()] == groups[1:]
        assert [len(await cache.newest(group, 10)) for group in groups] == [0, 1]
        await connection.close()
        await cache.close()
