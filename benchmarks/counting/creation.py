"""Cases of creating private chats: one caller, and sixteen at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tqdm.auto import tqdm

from chatsim.chat import creation
from chatsim.chat.creation import named
from chatsim.db.errors import Kind
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.creation.workload import PATTERNS
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import World
from counting.cases import Case, Counts, counted, plain

__all__ = ["cases", "crowd"]

CLIENTS, ROUNDS = 16, 3
_EXISTING = 50
_SILENT = tqdm(disable=True)


def cases() -> Iterator[Case]:
    """Each strategy, alone and in a crowd; and a crowd through the stack, with `noop` beside it."""
    for name in creation.STRATEGIES:
        yield Case(f"one caller creates by {name}", partial(alone, name), tables=chats, one_caller=True)
        yield Case(f"{CLIENTS} callers create by {name}", partial(crowd, name))
    for name in ("look_first", "noop"):
        yield Case(f"{CLIENTS} clients of two servers create by {name}", partial(crowd, name, layer="stack", nodes=2))


async def chats(world: World) -> None:
    """Fifty chats, and two users who have none."""
    await world.install("source")
    first, last = 1_000, 1_000 + 2 * _EXISTING
    await add_users(world.admin, [1, 2, *range(first, last)])
    await insert(world.admin, "chat_thread (id, type)", [(each, "private") for each in range(1, _EXISTING + 1)])
    pairs = [(thread, first + 2 * thread - 2, first + 2 * thread - 1) for thread in range(1, _EXISTING + 1)]
    await insert(world.admin, "private_chat (thread_id, user1_id, user2_id)", pairs)
    await world.admin.execute("ANALYZE TABLE user, chat_thread, private_chat")


async def alone(name: str, world: World) -> Counts:
    """A chat that is new, and once more the same one; in a table that has others."""
    (strategy,) = named(name)
    locks = await world.locks(1) if strategy.uses_locks else None
    found: dict[str, int | None] = {}
    async with world.database(1) as database, database.session(strategy.isolation) as tx:
        for what in ("new chat, ", "existing chat, "):
            _, costs = await counted(world, tx, lambda: strategy(tx, 1, 2, locks))
            found |= plain(costs, about=what)
    for table, thread in (("private_chat", "thread_id"), ("chat_thread", "id")):
        await world.admin.execute(f"DELETE FROM {table} WHERE {thread} > ?", (_EXISTING,))
    return found


async def crowd(name: str, world: World, **parameters: object) -> Counts:
    """A race of one strategy under every pattern: 48 requests each."""
    found: dict[str, int | None] = {}
    for pattern in PATTERNS:
        race = Race(strategies=name, pattern=pattern, clients=CLIENTS, rounds=ROUNDS, **parameters)  # type: ignore[arg-type]
        (strategy,) = race.chosen
        async with race.heat(world, strategy, pattern) as heat:
            before = await world.costs()
            window = await heat.drive(_SILENT)
            costs = await world.costs() - before
            kept = await heat.kept()
        variant = await heat.judge(window, costs, kept)
        refusals = dict(variant.measures["refusals"])  # type: ignore[call-overload]
        deadlocks = refusals.pop(Kind.DEADLOCK.value, 0)
        about = f"{pattern}, "
        found |= plain(costs, about=about) | {
            f"{about}lock waits": costs.lock_waits,
            f"{about}deadlocks": deadlocks,
            f"{about}other refusals": sum(refusals.values()),
            f"{about}pairs with two threads": variant.measures["duplicate_pairs"],  # type: ignore[dict-item]
        }
    return found
