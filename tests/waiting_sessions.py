"""An engine with two tables, in virtual time, and sessions of it that wait."""

import asyncio

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import current_loop, run


def now():
    return asyncio.get_running_loop().time()


async def settled(coroutine):
    """Start something and let it come to where it waits."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0.001)
    return task


def served(body):
    """Run a test with an engine that has two tables, in virtual time."""

    async def main():
        engine = Engine(current_loop().time, purges=False)
        admin = EngineSession(engine)
        for name in ("t", "u"):
            await admin.run(f"CREATE TABLE {name} (id INT PRIMARY KEY)")
        await body(engine, admin, EngineSession(engine))

    run(main())


async def value(session, sql):
    (answer,) = await session.run(sql)
    return answer.rows[0][0]
