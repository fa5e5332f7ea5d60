"""The story of docs/source.md, 1.6 to 1.8, from end to end: ``chatsim serve`` on a real MySQL, met over TCP.

People find each other, become friends, talk, go away, come back and have everything once. It is played by a client
that shares no code with chatsim (`foreign.Person`), and by chatsim's own `Messenger`.
"""

import asyncio
import contextlib

import numpy as np
import pytest
from foreign import Person, Serving

from chatsim.chat.client.connection import Client
from chatsim.chat.client.messenger import Messenger, Status, Timing
from chatsim.chat.ports import Address
from chatsim.chat.protocol import IMAGE
from chatsim.worlds.mysql.local_store import SqliteStore
from chatsim.worlds.mysql.tcp import TcpNetwork

OTHERS = 103  # more than a page of threads
MISSED = [f"{number}: {'好' * 300}" for number in range(120)]  # more than a page of messages, by number and by bytes
WELCOME = "We are friends now!"
PATIENCE = 60.0


@pytest.fixture
def users(mysql_url):
    """Where each of the users logs in, on two nodes in turn."""
    count = 3 + OTHERS
    words = ("serve", "--users", count, "--nodes", 2, "--chats", "anybody")
    with Serving(*words, lines=count, CHATSIM_MYSQL_URL=mysql_url) as running:
        yield running.said
    assert "Traceback" not in running.stderr
    assert "is refused" not in running.stderr


def test_as_a_client_that_is_not_ours_plays_it(users):
    with Person(users[0]) as ann, Person(users[1]) as bob, Person(users[2]) as cat:
        for person in (ann, bob, cat):
            person.log_in()
        assert ann.threads() == ([], [0])
        assert ann.ask(1023, {"fromuid": ann.uid}) == {"error": 0}

        # they find each other and become friends
        found = ann.ask(1007, {"uid": "user1002"})
        assert found["uid"] == bob.uid
        ann.ask(1009, {"uid": ann.uid, "applyname": "It's Ann", "bakname": "Bobby", "touid": bob.uid})
        number, applied = bob.notice()
        assert (number, applied["applyuid"], applied["name"], applied["desc"]) == (
            1011,
            ann.uid,
            "user1001",
            "It's Ann",
        )
        accepted = bob.ask(1013, {"fromuid": bob.uid, "touid": ann.uid, "back": "Annie"})
        assert (accepted["uid"], accepted["name"]) == (ann.uid, "user1001")
        opening = accepted["chat_datas"]
        assert [(each["sender"], each["msg_content"]) for each in opening] == [
            (ann.uid, "It's Ann"),
            (bob.uid, WELCOME),
        ]
        number, notice = ann.notice()
        assert (number, notice["fromuid"], notice["name"]) == (1015, bob.uid, "user1002")
        assert notice["chat_datas"] == opening
        thread = opening[0]["thread_id"]

        # they talk
        ids, _ = ann.say(thread, bob.uid, "hello", "你好")
        number, notice = bob.notice()
        assert (number, notice["fromuid"], notice["touid"], notice["thread_id"]) == (1019, ann.uid, bob.uid, thread)
        assert [(each["message_id"], each["content"]) for each in notice["chat_datas"]] == [
            (ids[0], "hello"),
            (ids[1], "你好"),
        ]
        (seen,), _ = bob.say(thread, ann.uid, "hi")
        assert ann.notice()[1]["chat_datas"][0]["message_id"] == seen

        # one is away, and misses more than a page
        bob.log_out()
        batches = [ann.say(thread, bob.uid, said) for said in MISSED]
        missed = [number for ids, _ in batches for number in ids]

        # others are written to for the first time, one of whom has never heard of the chat
        opened = [ann.ask(1027, {"uid": ann.uid, "other_id": each["uid"]})["thread_id"] for each in users[2:]]
        assert ann.ask(1027, {"uid": ann.uid, "other_id": cat.uid})["thread_id"] == opened[0]
        assert cat.ask(1027, {"uid": cat.uid, "other_id": ann.uid})["thread_id"] == opened[0]
        ann.say(opened[0], cat.uid, "psst")
        number, notice = cat.notice()
        assert (number, notice["thread_id"]) == (1019, opened[0])
        cat.say(opened[0], ann.uid, "what?")
        assert [each["thread_id"] for each in cat.threads()[0]] == [opened[0]]
        assert [each["msg_content"] for each in cat.history(opened[0])[0]] == ["psst", "what?"]

        # the list of threads has pages
        listed, sizes = ann.threads()
        assert [each["thread_id"] for each in listed] == [thread, *opened]
        assert sizes == [100, 5]
        assert listed[0] == {"thread_id": thread, "type": "private", "user1_id": ann.uid, "user2_id": bob.uid}

        # the one who was away comes back, and goes on from the last message seen
        bob.log_in()
        (friend,) = bob.profile["friend_list"]
        assert (friend["uid"], friend["back"]) == (ann.uid, "Annie")
        assert [each["thread_id"] for each in bob.threads()[0]] == [thread]
        rest, sizes = bob.history(thread, seen)
        assert [each["msg_id"] for each in rest] == missed
        assert [each["msg_content"] for each in rest] == MISSED
        assert sizes[0] < 100, "cut by bytes"
        assert len(sizes) > 1

        # an acknowledgement was lost, and the batch is sent again, on a new connection
        ids, names = batches[-1]
        ann.log_out()
        ann.log_in()
        assert ann.say(thread, bob.uid, MISSED[-1], names=names) == (ids, names)
        (last,), _ = ann.say(thread, bob.uid, "the end")
        assert [each["message_id"] for each in bob.notice()[1]["chat_datas"]] == [last], "and nothing was told twice"

        # both have everything, once, in one order
        whole, _ = bob.history(thread)
        assert whole == ann.history(thread)[0]
        said = ["It's Ann", WELCOME, "hello", "你好", "hi", *MISSED, "the end"]
        assert [each["msg_content"] for each in whole] == said


class Phone:
    """A `Messenger` of a user, which can be put away and taken up again with what it remembers."""

    def __init__(self, where, home):
        self.uid = where["uid"]
        self._where = where
        self._path = str(home / f"{self.uid}.sqlite")
        self._rng = np.random.default_rng()  # no two devices name their texts alike
        self._changes = asyncio.Event()

    async def log_in(self):
        """Open it, and wait until it has caught up."""
        self.messenger = Messenger(
            self.uid,
            self._enter,
            SqliteStore(self._path),
            rng=self._rng,
            timing=Timing(resync=3_600.0),
            changed=lambda _: self._changes.set(),
        )
        await self.messenger.open()
        await self.until(lambda: self.messenger.status is Status.READY)

    async def log_out(self):
        """Close it."""
        await self.messenger.close()

    async def until(self, true):
        """Wait until a change makes it so; ``true`` may be a coroutine function."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self._changes.clear()
                found = true()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await self._changes.wait()

    async def texts(self, thread):
        """Who has said what in a thread, as far as it is here and numbered."""
        texts = await self.messenger.cache.newest(thread, 1_000)
        return [(each.seq, each.sender, each.content) for each in texts if each.seq is not None]

    async def has(self, thread, *contents):
        """Wait until a thread is here and is this, in this order."""

        async def here():
            return [content for _, _, content in await self.texts(thread)] == list(contents)

        await self.until(here)

    async def _enter(self, pushed):
        address = Address(self._where["host"], self._where["port"])
        client = await Client.connect(TcpNetwork(), address, pushed=pushed)
        return client, await client.log_in(self.uid, self._where["token"], feed=True)


async def test_as_our_own_client_plays_it(users, tmp_path):
    ann, bob, cat = (Phone(where, tmp_path) for where in users[:3])
    async with contextlib.AsyncExitStack() as stack:
        for phone in (ann, bob, cat):
            await phone.log_in()
            stack.push_async_callback(phone.log_out)

        # they find each other and become friends
        assert (await ann.messenger.search("user1002")).uid == bob.uid
        await ann.messenger.apply(bob.uid, "It's Ann", "Bobby")
        await bob.until(lambda: ann.uid in bob.messenger.applications)
        assert bob.messenger.applications[ann.uid].desc == "It's Ann"
        thread = await bob.messenger.accept(ann.uid, "Annie")
        for phone in (ann, bob):
            await phone.has(thread, "It's Ann", WELCOME)
        assert await ann.messenger.cache.friends() == {bob.uid: "Bobby"}
        assert await bob.messenger.cache.friends() == {ann.uid: "Annie"}
        assert bob.messenger.applications == {}

        # they talk
        said = ["It's Ann", WELCOME]
        for phone, content in ((ann, "hello"), (bob, "你好"), (ann, "hi")):
            await phone.messenger.send(thread, content)
            said.append(content)
            for each in (ann, bob):
                await each.has(thread, *said)

        # one is away, and misses more than a page, an edit and a recall; others are written to for the first time
        await bob.log_out()
        await ann.messenger.edit(thread, 3, "hello!")
        await ann.messenger.recall(thread, 5)
        said[2], said[4] = "hello!", ""
        await ann.has(thread, *said)
        for content in MISSED:
            await ann.messenger.send(thread, content)
        said += MISSED
        await ann.has(thread, *said)
        opened = [await ann.messenger.chat_with(each["uid"]) for each in users[2:]]
        assert await ann.messenger.chat_with(cat.uid) == opened[0]
        await ann.messenger.send(opened[0], "psst")
        await cat.has(opened[0], "psst")
        assert await cat.messenger.chat_with(ann.uid) == opened[0]
        await cat.messenger.send(opened[0], "what?")
        await ann.has(opened[0], "psst", "what?")
        assert [each.thread_id for each in await ann.messenger.cache.threads()] == [thread, *opened]

        # one sends a photo while the other is away
        photo = bytes(range(256)) * 400
        await ann.messenger.send_file(thread, "photo.jpg", photo, IMAGE)
        said.append("photo.jpg")
        await ann.has(thread, *said)

        # the one who was away comes back; the other comes back on a new device, and has it all from the server
        await bob.log_in()
        await bob.has(thread, *said)
        assert await bob.messenger.fetch_file(thread, len(said)) == photo
        await ann.log_out()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        again = Phone(users[0], elsewhere)
        await again.log_in()
        stack.push_async_callback(again.log_out)
        assert [each.thread_id for each in await again.messenger.cache.threads()] == [thread, *opened]
        while await again.messenger.earlier(thread):
            pass
        await again.messenger.send(thread, "the end")
        said.append("the end")
        for phone in (again, bob):
            await phone.has(thread, *said)
        assert await again.texts(thread) == await bob.texts(thread)
        assert [seq for seq, _, _ in await bob.texts(thread)] == list(range(1, len(said) + 1))

        # and the first device comes back to what it had not seen
        await ann.log_in()
        await ann.has(thread, *said)
