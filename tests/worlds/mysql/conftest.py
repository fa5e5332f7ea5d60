"""A world on a real server, and sessions on it."""

import secrets

import pytest

from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.driver import MySQLDatabase
from chatsim.worlds.mysql.world import MySQLWorld


@pytest.fixture
async def world(mysql_url):
    """A world with the source's tables, empty."""
    async with MySQLWorld() as world:
        await world.install("source")
        yield world


@pytest.fixture
async def admin(mysql_url):
    """A session beside the world's."""
    session = await driver.connect(mysql_url)
    yield session
    await session.close()


@pytest.fixture
async def schema(mysql_url):
    """A schema with one table, ``t``, of two rows."""
    name = f"driver_{secrets.token_hex(6)}"
    admin = await driver.connect(mysql_url)
    await admin.script(
        f"CREATE DATABASE {name}; USE {name};"
        "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT NOT NULL DEFAULT 0);"
        "INSERT INTO t (v) VALUES (0), (0)"
    )
    yield name
    await admin.execute(f"DROP DATABASE {name}")
    await admin.close()


@pytest.fixture
async def sessions(mysql_url, schema):
    """A function that opens so many sessions outside any pool."""
    opened = []

    async def connect(count):
        new = [await driver.connect(mysql_url, schema) for _ in range(count)]
        opened.extend(new)
        return new

    yield connect
    for session in opened:
        await session.close()


@pytest.fixture
async def session(sessions):
    return (await sessions(1))[0]


@pytest.fixture
def pool(mysql_url, schema):
    """A function that gives a pool of so many connections, to be entered."""
    return lambda size, work=None: MySQLDatabase(mysql_url, schema, size, work)
