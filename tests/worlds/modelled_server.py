"""A modelled database server with one table, and sessions on it."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import numpy as np

from chatsim.simulation.links import Constant, Link, Topology
from chatsim.simulation.loop import current_loop, run
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.database import AdminSession
from chatsim.worlds.model.network import ModelNetwork
from chatsim.worlds.model.server import ModelServer

FREE = {
    "cores": 2,
    "connections": 10,
    "statement": 0.0,
    "record": 0.0,
    "write": 0.0,
    "transaction": 0.0,
    "flush": 0.0,
    "commit": 0.0,
    "misses": 0.0,
    "read": 0.0,
}


TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v INT)"


ROWS = "INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0)"


def now():
    return asyncio.get_running_loop().time()


def there(body, *, latency=0.0, seed=1, durability=None, **costs):
    """Run a test with a server that has the table and costs nothing but what is said; gives what the test gives."""

    async def main():
        network = ModelNetwork(Topology(link=Link(Constant(latency))), rng=np.random.default_rng(seed))
        own = msgspec.structs.replace(ModelCosts.read().database, **FREE | costs)
        server = ModelServer(network, own, current_loop().time, np.random.default_rng(seed), durability=durability)
        admin = AdminSession(server.engine)
        await admin.script(f"{TABLE}; {ROWS}")
        return await body(server, admin)

    return run(main())


@asynccontextmanager
async def sessions(server, count, isolation=None):
    """So many sessions from one pool."""
    async with server.pool(count, "node1") as database:
        leases = [database.session(isolation) for _ in range(count)]
        yield [await lease.__aenter__() for lease in leases]
        for lease in leases:
            await lease.__aexit__(None, None, None)


async def together(*coroutines):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in coroutines]
    return [task.result() for task in tasks]


async def timed(coroutine):
    await coroutine
    return now()


async def values(admin):
    return [v for (v,) in (await admin.execute("SELECT v FROM t ORDER BY id")).rows]


def change(session, number):
    return session.execute("UPDATE t SET v = v + 1 WHERE id = ?", (number,))
