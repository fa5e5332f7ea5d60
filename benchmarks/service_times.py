"""The processor's time of each kind of message, both ends together: ``python benchmarks/service_times.py``.

One client, one node, one process; a MySQL beside it whose own time is not counted. The model's defaults
(``chatsim/worlds/model/costs.toml``) say which of these numbers they are.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from chatsim.chat.client.connection import Client
from chatsim.chat.creation import named
from chatsim.chat.protocol import HeartbeatReply, HeartbeatRequest
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.worlds.cluster import cluster
from chatsim.worlds.loading import add_users
from chatsim.worlds.mysql.world import MySQLWorld

TIMES = 2_000
ME = 1001


async def cost(what: Callable[[], Awaitable[object]]) -> float:
    """Microseconds of this process for one call, the median of five runs."""
    runs = []
    for _ in range(5):
        begun = time.process_time()
        for _ in range(TIMES // 5):
            await what()
        runs.append((time.process_time() - begun) / (TIMES // 5) * 1e6)
    return float(np.median(runs))


async def main() -> dict[str, float]:
    """The costs by name."""
    (strategy,) = named("one_round_trip")
    parts = {
        "retry": POLICIES["none"],
        "limits": Limits(rate=1e9, user_leases=math.inf, strangers=True),
        "schema": "source",
        "rngs": [np.random.default_rng(1)],
    }
    async with MySQLWorld() as world:
        await world.install("source")
        await add_users(world.admin, [ME])
        async with cluster(world, nodes=1, pool=1, strategy=strategy, **parts) as running:  # type: ignore[arg-type]
            client = await running.log_in(ME, deadline=10)
            others = iter(range(10_000, 100_000))

            async def visit() -> None:
                visitor: Client = await running.log_in(ME, deadline=10)
                await visitor.close()

            costs = {
                "connect, log in, close": await cost(visit),
                "heartbeat": await cost(lambda: client.request(HeartbeatRequest(ME), HeartbeatReply)),
                "thread list, empty": await cost(client.threads),
                "private chat (one_round_trip)": await cost(lambda: client.create_private_chat(next(others))),
            }
            await client.close()
    return costs


if __name__ == "__main__":
    table = Table("message", "µs of the processor, client and node together")
    for name, micros in asyncio.run(main()).items():
        table.add_row(name, f"{micros:.0f}")
    Console().print(table)
