"""Where the processor's time goes when 16 clients create through the stack: ``python benchmarks/profile_stack.py``.

cProfile's own times, summed by room. It about doubles what is Python and hardly touches what is C, so the shares of
Python code are too large; the driver's has asyncmy in it, which the profiler can't see.
"""

from __future__ import annotations

import asyncio
import cProfile
from collections import Counter

from rich.console import Console
from rich.table import Table
from rooms import by_room
from tqdm.auto import tqdm

from chatsim.chat.creation import named
from chatsim.experiments.creation.experiment import Race
from chatsim.worlds.mysql.world import MySQLWorld

ROOMS = {
    "chatsim/chat/protocol": "wire: frames and JSON",
    "chatsim/chat/client": "client",
    "chatsim/chat/server": "node",
    "chatsim/chat/": "strategy and retry",
    "chatsim/worlds/mysql/driver": "driver",
    "chatsim/worlds/": "TCP",
    "chatsim/lab": "harness",
    "asyncio/streams": "TCP",
    "asyncio/": "event loop",
    "selectors.py": "event loop",
    "_asyncio": "event loop",
    "_contextvars": "event loop",
    "msgspec": "wire: frames and JSON",
    "_struct": "wire: frames and JSON",
    "_socket.socket": "kernel: send and receive",
    "select.epoll": "waiting",
}


async def profile(strategy: str) -> tuple[Counter[str], int]:
    race = Race(strategies=strategy, pattern="strangers", layer="stack", nodes=4, clients=16, rounds=250)
    (chosen,) = named(strategy)
    profiler = cProfile.Profile()
    async with MySQLWorld() as world, race.heat(world, chosen, "strangers") as heat:
        profiler.enable()
        await heat.drive(tqdm(disable=True))
        profiler.disable()
    return by_room(profiler, ROOMS), len(heat.history)


def main() -> None:
    table = Table("µs per request", "noop", "one_round_trip", title="16 clients, 4 nodes, one process")
    columns = [asyncio.run(profile(strategy)) for strategy in ("noop", "one_round_trip")]
    for title in dict.fromkeys(ROOMS.values()):
        table.add_row(title, *(f"{spent[title] / count * 1e6:.0f}" for spent, count in columns))
    table.add_row("other", *(f"{spent['other'] / count * 1e6:.0f}" for spent, count in columns))
    Console().print(table)


if __name__ == "__main__":
    main()
