"""What a client's local store costs of this process: transactions of known content, in memory as in the experiments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.chat.ports import Many, Statement
from chatsim.experiments.calibration.micro import INTERPRETER

if TYPE_CHECKING:
    from chatsim.worlds.world import World

__all__ = ["SCRIPTS", "StoreScript", "Stored", "measure_store"]

_ROWS = 100
_TEXT = "a text as long as what people write to each other in the evening"


@dataclass(frozen=True)
class StoreScript:
    """A transaction that is repeated.

    Attributes:
        name: what it does, in words.
        statements: its statements.
        calls: how often SQLite is called for it, BEGIN and COMMIT included; a statement's rows are fetched by a call.
        rows: for how many rows a statement is run.
    """

    name: str
    statements: Sequence[Statement]
    calls: int
    rows: int = 0


SCRIPTS = (
    StoreScript("a local transaction of nothing", [], 2),
    StoreScript("eight local statements", [("SELECT 1", ())] * 8, 2 + 2 * 8),
    StoreScript(
        "a hundred rows are stored locally",
        [Many("INSERT OR REPLACE INTO note VALUES (?, ?)", [(number, _TEXT) for number in range(_ROWS)])],
        2 + 1,
        _ROWS,
    ),
)
"""All of them."""


@dataclass(frozen=True)
class Stored:
    """Transactions of one kind that were run for some time.

    Attributes:
        script: the kind.
        cpu: seconds of a core of this process, for one of them.
    """

    script: StoreScript
    cpu: float


async def measure_store(world: World, script: StoreScript, seconds: float) -> Stored:
    """Repeat a transaction on a store in memory for some time, after a fifth of that as a warm-up."""
    clock, store = asyncio.get_running_loop().time, world.local_store(":memory:")

    async def repeat(length: float) -> int:
        until, count = clock() + length, 0
        while clock() < until or not count:
            await store.transaction(script.statements)
            count += 1
        return count

    try:
        await store.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, content TEXT NOT NULL)")
        await repeat(seconds / 5)
        before = await world.costs()
        count = await repeat(seconds)
        spent = await world.costs() - before
    finally:
        await store.close()
    return Stored(script, spent.busy[INTERPRETER].seconds / count)
