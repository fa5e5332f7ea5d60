"""Where a crowd's time goes in the model: ``PYTHONPATH=tests python benchmarks/profile_crowd.py``.

5,000 clients on 100 nodes for 60 virtual seconds, cProfile's own times by room; the profiler slows Python code most.
"""

from __future__ import annotations

import cProfile

from rich.console import Console
from rich.table import Table
from rooms import by_room
from test_model_runs import crowd

ROOMS = {
    "worlds/model/loop": "the model's loop",
    "worlds/model/handles": "the model's loop",
    "simpy": "SimPy",
    "worlds/model/": "the model's network and machines",
    "asyncio": "asyncio: tasks, futures, locks",
    "_contextvars": "asyncio: tasks, futures, locks",
    "chat/protocol": "wire: frames and JSON",
    "msgspec": "wire: frames and JSON",
    "chat/server": "nodes",
    "chat/client": "clients",
    "worlds/common": "tokens and presence",
    "itsdangerous": "tokens and presence",
}


def main() -> None:
    profiler = cProfile.Profile()
    profiler.runcall(crowd, 5_000)
    spent = by_room(profiler, ROOMS)
    table = Table("room", "share of the time")
    for title, seconds in spent.most_common():
        table.add_row(title, f"{seconds / spent.total():.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
