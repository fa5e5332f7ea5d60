"""A run is warned of what makes a server slower than it is by itself, and only of that."""

import asyncio
import re
import secrets

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.worlds.mysql import health

pytestmark = pytest.mark.slow


@pytest.fixture
def any_age(monkeypatch):
    """Count every open transaction as old."""
    monkeypatch.setattr(health, "OLD_TRANSACTION", -1)


async def until(world, count):
    """The warnings, as soon as there are so many. The server renews its table of transactions only when nobody asks."""
    while len(found := await world.warnings()) != count:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return found


async def test_a_server_by_itself_gives_no_warning(world):
    assert [*await world.warnings()] == []


async def test_somebody_elses_old_transaction_is_told_with_its_age(world, admin, any_age):
    await admin.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    (warning,) = await until(world, 1)
    assert re.fullmatch(r"1 other transactions hold purge and locks, the oldest for \d+ s", warning)
    await admin.execute("ROLLBACK")
    await until(world, 0)


async def test_a_young_transaction_is_no_reason_for_a_warning(world, admin):
    await admin.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    assert [*await world.warnings()] == []


async def test_ones_own_transactions_are_not_told(world, any_age):
    async with world.database(1) as pool, pool.session(None) as session:
        await session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        assert [*await world.warnings()] == []
        await session.execute("ROLLBACK")


async def test_statements_of_others_are_counted(world, admin):
    name = secrets.token_hex(4)
    await world.admin.execute("DO GET_LOCK(?, 0)", (name,))
    waiting = asyncio.create_task(admin.execute("DO GET_LOCK(?, 1000)", (name,)))
    while not await world.warnings():  # noqa: ASYNC110 - until the server has begun
        await asyncio.sleep(0)
    assert [*await world.warnings()] == ["other connections are running 1 statements"]
    await world.admin.execute("DO RELEASE_LOCK(?)", (name,))
    await waiting


async def test_a_long_history_is_told(world, monkeypatch):
    monkeypatch.setattr(health, "LONG_HISTORY", -1)
    (warning,) = await world.warnings()
    assert re.fullmatch(
        r"purge lags: old versions of \d+ transactions are still there \(history list length\)", warning
    )


async def test_who_may_not_see_it_gets_no_warning():
    class Refusing:
        async def execute(self, sql, args=()):
            raise DatabaseError(1227, "Access denied")

    assert await health.warnings(Refusing()) == []
