"""What the benchmarks share: their sizes, one durable MySQL for the whole run, and MySQL's programs in C beside it.

The garbage collector is off while something is measured. ``--short`` makes everything small, to see whether it works:
its figures mean nothing. What is needed for MySQL only is imported where it is used: other benchmarks start soon.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest


def pytest_addoption(parser):
    parser.addoption("--short", action="store_true", help="small benchmarks, whose figures mean nothing")


@pytest.hookimpl(tryfirst=True)  # before pytest-benchmark reads its options
def pytest_configure(config):
    config.option.benchmark_disable_gc = True
    if config.option.short:
        config.option.benchmark_min_rounds = 1
        config.option.benchmark_max_time = "0.02"
        config.option.benchmark_warmup = False


@pytest.fixture(scope="session")
def sized(request):
    """A function of two sizes: the second with ``--short``, else the first."""
    short = request.config.option.short
    return lambda full, small: small if short else full


@pytest.fixture(scope="session")
def rounds(sized):
    """A function of a number of rounds: the arguments of `benchmark.pedantic`, with one more to warm up."""
    return lambda count: {"rounds": sized(count, 1), "warmup_rounds": sized(1, 0)}


@pytest.fixture(scope="session")
def server(sized):
    """A MySQL with the server's defaults, binary log on. With ``--short`` it waits for no disk."""
    from counting.gate import SERVERS

    from chatsim.worlds.mysql.settings import Servers

    with sized(Servers(profile="durable", background=False), SERVERS).mysql() as server:
        yield server


@pytest.fixture(scope="session")
def runner():
    """One event loop for the whole run."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def world(runner, server):
    """A world on that server."""
    from chatsim.worlds.mysql.settings import Servers
    from chatsim.worlds.mysql.world import MySQLWorld

    world = MySQLWorld(Servers(mysql_url=server.url))
    runner.run(world.__aenter__())
    yield world
    runner.run(world.__aexit__())


def program(name):
    """One of MySQL's programs, from the PATH, else unpacked."""
    from chatsim.worlds.mysql.servers import debian
    from chatsim.worlds.mysql.servers.mysqld import MySQL
    from chatsim.worlds.mysql.servers.private import Program

    path = shutil.which(name)
    return Program((path,)) if path else debian.unpack(MySQL().packages).program(name)


class MySQLClient:
    """The server's own client, in C, that prints what a statement reads.

    Args:
        url: the server.
        schema: the schema.
    """

    def __init__(self, url, schema):
        self._program = program("mysql")
        at = urlsplit(url)
        self._options = (
            "--no-defaults",
            f"--host={at.hostname}",
            f"--port={at.port}",
            f"--user={at.username}",
            f"--password={at.password or ''}",
            "--get-server-public-key",
            "--quick",
            "--skip-column-names",
            f"--database={schema}",
        )

    def lines(self, sql):
        """A line for each row."""
        return self._program.run(*self._options, f"--execute={sql}").splitlines()


@pytest.fixture(scope="module")
def client(server, world):
    """The mysql client, in the world's schema."""
    return MySQLClient(server.url, world.schema)


class MySQLSlap:
    """MySQL's own load generator, in C: plain inserts into the same two tables, one creation after the other.

    Args:
        program: mysqlslap.
        url: the server.
        world: whose schema and admin session are used.
    """

    THREAD = "INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())"
    CHAT = (
        "INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at)"
        " VALUES (LAST_INSERT_ID(), FLOOR(1 + RAND() * 1e9), FLOOR(1e9 + RAND() * 1e9), NOW())"
    )
    WAYS = MappingProxyType({"autocommit": (THREAD, CHAT), "transaction": ("BEGIN", THREAD, CHAT, "COMMIT")})

    def __init__(self, program, url, world):
        self._program, self._url, self._world = program, urlsplit(url), world

    async def rate(self, way: str, *, clients: int, creations: int) -> float:
        """Creations per second. mysqlslap counts statements, so the rows are counted afterwards."""
        statements = self.WAYS[way]
        await self._world.install("source")
        printed = await asyncio.to_thread(
            self._program.run,
            "--no-defaults",
            f"--host={self._url.hostname}",
            f"--port={self._url.port}",
            f"--user={self._url.username}",
            f"--password={self._url.password or ''}",
            "--get-server-public-key",
            f"--create-schema={self._world.schema}",
            "--no-drop",
            f"--concurrency={clients}",
            f"--number-of-queries={creations * len(statements)}",
            "--delimiter=;",
            f"--query={';'.join(statements)}",
        )
        seconds = float(re.search(r"Average number of seconds to run all queries: ([\d.]+)", printed)[1])
        made = (await self._world.admin.execute("SELECT COUNT(*) FROM private_chat")).scalar()
        assert made == creations, f"mysqlslap made {made} of {creations}"
        return made / seconds


@pytest.fixture(scope="session")
def mysqlslap(server, world):
    """MySQL's load generator."""
    return MySQLSlap(program("mysqlslap"), server.url, world)
