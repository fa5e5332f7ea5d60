"""Cases of texts: stored by one caller, and delivered from author to reader."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from tqdm.auto import tqdm

from chatsim.chat.protocol import OutgoingText
from chatsim.chat.server.store import texts as stores
from chatsim.chat.server.store.texts import Batch
from chatsim.experiments.delivery.experiment import PATHS, Delivery, converse
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import Sharing, World
from counting.cases import Case, Counts, counted, plain

__all__ = ["cases"]

_BATCHES = (1, 10)
_SILENT = tqdm(disable=True)


def cases() -> Iterator[Case]:
    """A text and ten texts, stored in each schema; texts that four pairs send each other, on one server and on two."""
    for schema in stores.TEXTS:
        yield Case(f"texts are stored in the {schema} tables", partial(store, schema), one_caller=True)
    for path in PATHS:
        yield Case(f"four pairs send ten texts each, path {path}", partial(deliver, path))


async def store(schema: str, world: World) -> Counts:
    """A batch of texts in a thread that has some."""
    await world.install(schema)
    await add_users(world.admin, [1, 2])
    await insert(world.admin, "chat_thread (id, type)", [(1, "private")])
    await insert(world.admin, "private_chat (thread_id, user1_id, user2_id)", [(1, 1, 2)])
    if schema == "hardened":
        for member in (1, 2):
            await insert(world.admin, "user_version (user_id, version)", [(member, 1)])
            await insert(world.admin, "user_thread (user_id, thread_id, version)", [(member, 1, 1)])
    found: dict[str, int | None] = {}
    async with world.database(1) as database, database.session() as tx:
        for count in (5, *_BATCHES):  # the first are there before
            batch = Batch(1, 1, 2, [OutgoingText("a text", f"{count}-{number}") for number in range(count)])
            _, costs = await counted(world, tx, partial(stores.TEXTS[schema].send, tx, batch, friends=False))
            if count in _BATCHES:
                found |= plain(costs, about=f"a batch of {count}, ")
    return found


async def deliver(path: str, world: World) -> Counts:
    """Each text is acknowledged, pushed and read before the next one; the costs of the database are those of all."""
    parameters = Delivery(nodes=2, pairs=4, texts=10, paths=path, presence="process", peers="process")
    async with parameters.nodes_running(world, Sharing(), 2 * parameters.pairs) as door:
        before = await world.costs()
        _, sent, wrong = await converse(parameters, path, door, np.random.default_rng(1), _SILENT)
        costs = await world.costs() - before
    return plain(costs) | {
        "lock waits": costs.lock_waits,
        "texts not pushed": sum("pushed" not in each.value for each in sent),
        "wrong pushes": len(wrong),
    }
