"""What chatsim changes of a server that somebody named is put back: after the end, an error, an interruption."""

import asyncio

import pytest
import pytest_asyncio

from chatsim.conformance.mysql_player import play
from chatsim.conformance.schedule import Schedule
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.purge_counter import COUNTER, counting_purges
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError

SHORT = Schedule.of("a: SELECT 1\nb: SELECT 2")
ENDLESS = Schedule.of("a: SELECT GET_LOCK('x', 1)\nb: SELECT GET_LOCK('x', 1000)\nb: @await")
IMPOSSIBLE = Schedule.of("a: SELECT GET_LOCK('x', 1)\nb: SELECT GET_LOCK('x', 1000)\nb: SELECT 1")
RESET = (
    f"SET GLOBAL innodb_monitor_disable = '{COUNTER}'",
    "SET GLOBAL innodb_monitor_enable = DEFAULT",
    "SET GLOBAL innodb_monitor_disable = DEFAULT",
)


@pytest_asyncio.fixture
async def observer(mysql_url):
    """A session of somebody else's, on a server that is set as it was started."""
    session = await driver.connect(mysql_url)
    await session.script("; ".join(RESET))
    yield session
    await session.script(f"SET GLOBAL innodb_monitor_disable = 'module_lock'; {'; '.join(RESET)}")
    await session.close()


async def settings(session):
    """All global variables, and the counters that are on."""
    variables, counters = await session.script(
        "SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.global_variables"
        " WHERE VARIABLE_NAME NOT LIKE 'gtid%';"
        " SELECT NAME FROM information_schema.INNODB_METRICS WHERE STATUS = 'enabled' ORDER BY NAME"
    )
    return dict(variables.rows), counters.rows


async def counts(session):
    (counters,) = await session.script(
        f"SELECT STATUS = 'enabled' FROM information_schema.INNODB_METRICS WHERE NAME = '{COUNTER}'"
    )
    return bool(counters.scalar())


async def test_after_a_schedule_all_settings_are_as_they_were(observer):
    before = await settings(observer)
    async with MySQLWorld() as world:
        await play(world, SHORT)
        assert await settings(observer) == before


async def test_after_an_error_in_the_middle_too(observer):
    before = await settings(observer)
    async with MySQLWorld() as world:
        with pytest.raises(WorldError, match="step 3 goes to b, which waits"):
            await play(world, IMPOSSIBLE)
    assert await settings(observer) == before


async def test_after_a_cancellation_in_the_middle_too(observer):
    before = await settings(observer)
    async with MySQLWorld() as world:
        playing = asyncio.create_task(play(world, ENDLESS))
        while not await counts(observer):
            pass
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        assert await settings(observer) == before


@pytest.mark.parametrize("number", range(1, 6))
async def test_a_cancellation_that_costs_the_session_its_connection_too(observer, mysql_url, monkeypatch, number):
    """The task is cancelled in the session's first, second, … request."""
    before = await settings(observer)
    session, requests, whole = await driver.connect(mysql_url), [], driver.MySQLSession.script

    async def script(self, sql, args=()):
        if self is session:
            requests.append(sql)
            if len(requests) == number:
                asyncio.current_task().cancel()
        return await whole(self, sql, args)

    async def body():
        async with counting_purges(session, mysql_url):
            assert await counts(observer)
            await session.execute("SELECT 1")
            await session.execute("SELECT 2")
        pytest.fail("it was not cancelled")

    monkeypatch.setattr(driver.MySQLSession, "script", script)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(body())
    assert await settings(observer) == before
    await session.close()


@pytest.mark.parametrize(
    "earlier",
    [
        ["SET GLOBAL innodb_monitor_enable = 'module_lock'"],
        ["SET GLOBAL innodb_monitor_disable = 'lock_deadlocks'", "SET GLOBAL innodb_monitor_enable = 'lock_deadlocks'"],
        ["SET GLOBAL innodb_monitor_enable = 'purge_invoked'"],
    ],
)
async def test_what_somebody_had_set_there_is_set_again(observer, earlier):
    for statement in earlier:
        await observer.execute(statement)
    before = await settings(observer)
    async with MySQLWorld() as world:
        await play(world, SHORT)
    assert await settings(observer) == before


async def test_counters_are_more_than_the_text_of_the_last_commands(observer):
    """To put back the text of two commands repeats them; what a third had switched is switched again."""
    for statement in (
        "SET GLOBAL innodb_monitor_enable = 'module_lock'",
        "SET GLOBAL innodb_monitor_disable = 'lock_rec_lock_waits'",
        "SET GLOBAL innodb_monitor_disable = 'lock_table_lock_waits'",
    ):
        await observer.execute(statement)
    _, before = await settings(observer)
    async with MySQLWorld() as world:
        await play(world, SHORT)
    _, after = await settings(observer)
    assert after == before


async def test_one_waits_for_the_other(observer, mysql_url):
    one, other = [await driver.connect(mysql_url) for _ in range(2)]
    async with counting_purges(one, mysql_url):
        second = asyncio.create_task(_count(other, mysql_url))
        waits = (
            "SELECT 1 FROM performance_schema.metadata_locks"
            " WHERE OBJECT_NAME = 'chatsim_purge' AND LOCK_STATUS = 'PENDING'"
        )
        while not (await observer.execute(waits)).rows:
            pass
        assert not second.done()
    await one.close()
    assert await second
    assert not await counts(observer)
    await other.close()


async def _count(session, url):
    async with counting_purges(session, url):
        return await counts(session)
