"""Sessions of an engine with one table, and the outcomes of their statements."""

import asyncio

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT UNIQUE)"
FILLED = "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)"


async def outcome(session, sql, *args):
    """The rows of a statement, how many it changed, or its error as text."""
    try:
        *_, answer = await session.run(sql, args)
    except DatabaseError as error:
        return f"{error.errno}: {error.message}"
    except NotImplementedError as error:
        return str(error)
    return answer.affected if answer.rows is None else answer.rows


def play(body, *, sessions=2):
    """Run ``body`` with an engine that has the table, and some sessions."""

    async def main():
        engine = Engine(lambda: NOW + asyncio.get_running_loop().time(), purges=False)
        await EngineSession(engine).run(f"{TABLE}; {FILLED}")
        return await body(engine, *(EngineSession(engine) for _ in range(sessions)))

    return run(main())


def alone(*statements):
    """The outcomes of the statements of one session."""

    async def body(_, session):
        return [await outcome(session, each) for each in statements]

    return play(body, sessions=1)


def interleaved(*steps):
    """The outcomes of the statements of two sessions; each step is ``A`` or ``B`` and a statement."""

    async def body(_, a, b):
        return [await outcome(a if who == "A" else b, sql) for who, sql in (step.split(": ", 1) for step in steps)]

    return play(body)
