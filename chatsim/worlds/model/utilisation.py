"""How much each resource of the model has worked, by its name. Machines of one kind, such as all nodes, are one.

A link is busy while it sends bytes; its latency does not count. Row locks are no resource with a capacity: what counts
is the share of the connections that wait for one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from chatsim.worlds.world import Busy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chatsim.worlds.model.world import ModelWorld

__all__ = ["busy"]

_CALLERS = "client"
"""The machine of callers straight on the database: they keep their connections."""


def busy(world: ModelWorld) -> Mapping[str, Busy]:
    """The resources of a world: processors, the database server's log, pools of connections, links, row locks."""
    server = world.server
    connections = sum(pool.size for pool in server.pools)
    cpus = ((f"CPU of {_kind(host)}", cpu.busy_seconds, cpu.cores) for host, cpu in world.cpus.items())
    pools = (
        (f"pool of {_kind(pool.host)}", pool.leased_seconds, pool.size)
        for pool in server.pools
        if pool.host != _CALLERS
    )
    links = (
        (f"link from {_kind(here)} to {_kind(there)}", seconds, 1)
        for (here, there), seconds in world.network.busy_seconds().items()
    )
    return _together(
        [
            ("CPU of database", server.cpu.busy_seconds, server.cpu.cores),
            ("log of database", server.engine.log.busy_seconds, 1),
            ("CPU of redis", world.redis.cpu.busy_seconds, world.redis.cpu.cores),
            ("row locks", server.engine.locks.waits.seconds, max(1, connections)),
            *cpus,
            *pools,
            *links,
        ]
    )


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
