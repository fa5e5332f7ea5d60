"""How much each resource of the model has worked, by its name. Machines of one kind, such as all nodes, are one.

A link is busy while it sends bytes; its latency does not count. Row locks are no resource with a capacity: what counts
is the share of the connections that wait for one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from chatsim.worlds.world import CALLERS, Busy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chatsim.worlds.model.world import ModelWorld

__all__ = ["busy"]


def busy(world: ModelWorld) -> Mapping[str, Busy]:
    """The resources of a world: processors, the database server's log, pools of connections, links, row locks."""
    server = world.server
    connections = sum(pool.size for pool in server.pools)
    pools = (
        (f"pool of {_kind(pool.host)}", pool.leased_seconds, pool.size)
        for pool in server.pools
        if pool.host != CALLERS  # who keep their connections
    )
    links = (
        (f"link from {_kind(here)} to {_kind(there)}", seconds, 1)
        for (here, there), seconds in world.network.busy_seconds().items()
    )
    return _together(
        [
            *_processors(world),
            ("log of database", server.engine.log.busy_seconds, 1),
            ("row locks", server.engine.locks.waits.seconds, max(1, connections)),
            *pools,
            *links,
        ]
    )


def _processors(world: ModelWorld) -> Iterable[tuple[str, float, int]]:
    """Of one machine that everything shares, its cores and the interpreter; else the cores of each machine."""
    if world.cores is not None and world.interpreter is not None:
        yield "CPU of the machine", world.cores.busy_seconds, world.cores.cores
        yield "interpreter", world.interpreter.busy_seconds, 1
    yield "CPU of database", world.server.cpu.busy_seconds, world.server.cpu.cores
    yield "CPU of redis", world.redis.cpu.busy_seconds, world.redis.cpu.cores
    yield from ((f"CPU of {_kind(host)}", cpu.busy_seconds, cpu.cores) for host, cpu in world.cpus.items())


def _kind(host: str) -> str:
    """The kind of a host: its name without its number."""
    return re.sub(r"[\d.:]+$", "", host) or host


def _together(parts: Iterable[tuple[str, float, int]]) -> dict[str, Busy]:
    seconds: dict[str, float] = defaultdict(float)
    units: dict[str, int] = defaultdict(int)
    for name, worked, count in parts:
        seconds[name] += worked
        units[name] += count
    return {name: Busy(seconds[name], units[name]) for name in sorted(seconds)}
