"""The source's story of two people on two servers (docs/source.md, 1.5), for whatever lets people in."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np

from chatsim.chat.client.messenger import Messenger, Status, Timing

PATIENCE = 120.0
ANN, BOB = 1019, 1002


class Person:
    """A messenger of a user, and a way to wait for what becomes of it."""

    def __init__(self, uid, log_in, store, *, seed=0, resync=3_600.0):
        self._changes = asyncio.Event()
        self.uid = uid
        self.messenger = Messenger(
            uid,
            log_in,
            store,
            rng=np.random.default_rng([uid, seed]),
            timing=Timing(resync=resync),
            changed=lambda _: self._changes.set(),
        )

    async def until(self, condition, what):
        """Wait until ``condition``, a coroutine function, says so."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await condition():
                    self._changes.clear()
                    if not await condition():
                        await self._changes.wait()
        except TimeoutError:
            raise AssertionError(f"{self.uid} ({self.messenger.status}, {self.messenger.trouble}): {what}") from None

    async def is_now(self, status):
        async def reached():
            return self.messenger.status is status

        await self.until(reached, f"is not {status}")

    async def has(self, thread, contents):
        """Wait until the thread's texts are these, all of them stored by the server."""

        async def all_there():
            texts = await self.messenger.cache.newest(thread, 1_000)
            return [text.content for text in texts if text.seq] == contents

        await self.until(all_there, f"does not have {contents}")


class People:
    """Opens messengers, and closes them at the end.

    Args:
        login_for: makes what a messenger of a user enters by, at a node, by its number, or at whichever has room.
        store: makes a local store.
    """

    def __init__(self, stack, login_for, store):
        self._stack, self._login_for, self._store = stack, login_for, store

    async def open(self, uid, node=None, **options):
        person = Person(uid, self._login_for(uid, node), self._store(), **options)
        await person.messenger.open()
        self._stack.push_async_callback(person.messenger.close)
        await person.is_now(Status.READY)
        return person


@asynccontextmanager
async def people(login_for, store):
    async with AsyncExitStack() as stack:
        yield People(stack, login_for, store)


async def befriend(ann, bob):
    """Ann applies, Bob accepts; returns the thread. Each hears of what the other does while they are online."""
    await ann.messenger.apply(bob.uid, "Hi!", "bobby")

    async def asked():
        return ann.uid in bob.messenger.applications

    await bob.until(asked, "is not asked")
    assert bob.messenger.applications[ann.uid].desc == "Hi!"
    thread = await bob.messenger.accept(ann.uid, "annie")

    async def befriended():
        return bob.uid in await ann.messenger.cache.friends()

    await ann.until(befriended, "does not know that they are friends")
    assert (await ann.messenger.cache.friends())[bob.uid] == "bobby"
    for person in (ann, bob):
        await person.has(thread, ["Hi!", "We are friends now!"])
    return thread


async def two_servers(there, where):
    """The story: befriended across nodes, texts across nodes, kicked across nodes.

    Args:
        there: `People`.
        where: a coroutine function: the node that a user's latest session is on.
    """
    bob, ann = await there.open(BOB, 0), await there.open(ANN, 1)
    assert (await where(BOB), await where(ANN)) == ("node1", "node2")
    thread = await befriend(ann, bob)
    said = ["Hi!", "We are friends now!"]
    for number in range(3):
        for author, reader in ((ann, bob), (bob, ann)):
            said.append(f"{author.uid} says {number}")
            await author.messenger.send(thread, said[-1])
            for person in (author, reader):  # the acknowledgement and the notice go their own ways
                await person.has(thread, said)
    texts = [await person.messenger.cache.newest(thread, 100) for person in (ann, bob)]
    assert [(text.seq, text.unique_id, text.content, text.chat_time) for text in texts[0]] == [
        (text.seq, text.unique_id, text.content, text.chat_time) for text in texts[1]
    ]

    await bob.messenger.read(thread)
    for person in (ann, bob):  # the state of a text is the same on both servers (the source's is not: G3)

        async def read(person=person):
            newest = await person.messenger.cache.newest(thread, 100)
            return {text.state for text in newest if text.sender == ANN} == {"read"}

        await person.until(read, "does not see that they are read")

    again = await there.open(ANN, 0, seed=1)
    await ann.is_now(Status.CLOSED)
    assert ann.messenger.trouble == "ended by the server: logged in elsewhere"
    await again.has(thread, said)
    await bob.messenger.send(thread, "still there?")
    await again.has(thread, [*said, "still there?"])
    return thread
