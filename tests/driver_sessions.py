"""What the tests of the driver wait for, and how they see whether a row is locked."""

import asyncio
import time

from chatsim.db.errors import LockNotAvailableError

SLEEP = "SELECT SLEEP(60)"


async def eventually(ask, seconds=10):
    """Wait, within bounds, until ``ask`` gives something true; returns that."""
    deadline = time.monotonic() + seconds
    while not (answer := await ask()):
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)
    return answer


async def runs(observer, connection_id, statement=SLEEP):
    """Wait until the server runs ``statement`` for that connection."""
    sql = "SELECT INFO = ? FROM performance_schema.processlist WHERE ID = ?"
    await eventually(lambda: asked(observer.execute(sql, (statement, connection_id))))


async def asked(rows):
    return (await rows).scalar()


async def nowait(session, row):
    """Try to lock a row; returns whether that went at once. Leaves no transaction."""
    await session.begin()
    try:
        await session.execute("SELECT * FROM t WHERE id = ? FOR UPDATE NOWAIT", (row,))
    except LockNotAvailableError:
        return False
    finally:
        await session.rollback()
    return True
