"""Clients that remember, on real nodes in the model, over a network that fails: everybody has everything once."""

import asyncio
from contextlib import suppress

import numpy as np
import pytest

from chatsim.chat.client.cache import State
from chatsim.chat.client.connection import ClientError
from chatsim.chat.client.messenger import Messenger, Status, Timing
from chatsim.chat.creation import named
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.simulation.loop import run
from chatsim.worlds.cluster import cluster
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.world import ModelWorld

DEVICES = {"phone of 1": 1, "tablet of 1": 1, "phone of 2": 2}
NODES = 2
MINUTES = 2


def running(world):
    (strategy,) = named("one_round_trip")
    return cluster(
        world,
        nodes=NODES,
        pool=4,
        strategy=strategy,
        retry=POLICIES["retry"],
        limits=Limits(strangers=True, recall_seconds=1e6, edit_seconds=1e6),
        schema="hardened",
        rngs=[np.random.default_rng(seed) for seed in range(NODES)],
    )


def messengers(world, harness):
    """One for each device, with a memory of its own."""
    return {
        device: Messenger(
            uid,
            harness.login_for(uid, machine=device),
            world.local_store(":memory:"),
            rng=np.random.default_rng(number),
            timing=Timing(longest=5.0, give_up=1e6, resync=1e6),
        )
        for number, (device, uid) in enumerate(DEVICES.items())
    }


async def fail(world, device, rng):
    """A fault between a device and a node: the connection is lost, or nothing comes through for a while."""
    node = f"node{rng.integers(NODES) + 1}"
    if rng.random() < 0.5:
        world.network.cut(device, node)
        return
    world.network.partition(device, node)
    await asyncio.sleep(rng.uniform(0, 40))
    world.network.heal(device, node)


async def stored(world):
    rows = await world.admin.execute("SELECT seq, sender_id, unique_id, content, status FROM chat_message ORDER BY seq")
    return [tuple(row) for row in rows.rows]


async def remembered(made, thread):
    return [
        (each.seq, each.sender, each.unique_id, each.content, 2 if each.state is State.RECALLED else 0)
        for each in await made.cache.newest(thread, 10_000)
    ]


async def change(made, thread, rng, number):
    """Recall or edit a text of one's own, or read the thread. If the network fails, it is left at that."""
    own = [each for each in await made.cache.newest(thread, 10_000) if each.sender == made.cache.uid and each.seq]
    with suppress(ClientError):
        if rng.random() < 0.3:
            await made.read(thread)
        elif own:
            text = own[rng.integers(len(own))]
            if rng.random() < 0.2:
                await made.recall(thread, text.seq)
            else:
                await made.edit(thread, text.seq, f"edit {number}")


async def talk(world, harness, seed):
    """Everybody writes while the network fails; gives what was sent, what is stored, and what each one remembers."""
    rng = np.random.default_rng(seed)
    made = messengers(world, harness)
    for each in made.values():
        await each.open()
    await asyncio.sleep(1)
    thread = await made["phone of 1"].chat_with(2)
    await asyncio.sleep(1)
    sent = {device: [] for device in made}
    async with asyncio.TaskGroup() as tasks:
        for number in range(60 * MINUTES):
            device = str(rng.choice(list(made)))
            for part in range(rng.integers(3)):
                text = f"{device}: {number}.{part}"
                sent[device].append((await made[device].send(thread, text)).unique_id)
            if rng.random() < 0.5:
                tasks.create_task(change(made[str(rng.choice(list(made)))], thread, rng, number))
            if rng.random() < 0.2:
                tasks.create_task(fail(world, str(rng.choice(list(made))), rng))
            await asyncio.sleep(rng.exponential(1.0))
    await asyncio.sleep(60)
    assert {(each.status, each.trouble) for each in made.values()} == {(Status.READY, None)}
    memories = [await remembered(each, thread) for each in made.values()]
    unread = {device: [head.unread for head in await each.cache.heads()] for device, each in made.items()}
    assert unread["phone of 1"] == unread["tablet of 1"]
    for each in made.values():
        await each.close()
    return sent, await stored(world), memories


@pytest.mark.parametrize("seed", range(4))
def test_over_a_network_that_fails_everybody_has_everything_once_and_in_the_same_order(seed):
    async def main():
        world = ModelWorld(ModelCosts.read(), seed=seed)
        await world.install("hardened")
        for uid in sorted(set(DEVICES.values())):
            await world.admin.execute("INSERT INTO user (uid, name, email) VALUES (?, 'n', ?)", (uid, f"{uid}@x"))
        async with running(world) as harness:
            return await talk(world, harness, seed)

    sent, there, memories = run(main())
    assert len(there) > 100
    assert [seq for seq, *_ in there] == list(range(1, len(there) + 1))
    assert memories == [there] * len(DEVICES)
    assert {status for *_, status in there} == {0, 2}
    assert any(content.startswith("edit") for *_, content, _ in there)
    for names in sent.values():
        assert [name for _, _, name, _, _ in there if name in names] == names
