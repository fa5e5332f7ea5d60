"""What the tests share: a real MySQL for the session, and the rule for what can't be had on a machine."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import docker.errors
import matplotlib as mpl
import pytest
from hypothesis import HealthCheck, settings

from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.servers import debian
from chatsim.worlds.mysql.settings import Servers

pytest_plugins = ["pytester"]

mpl.use("Agg")

# no test depends on how fast the machine is; CI tries the same examples each time, a developer always new ones
settings.register_profile(
    "ours", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("ours")

# a shell without job control has its background jobs ignore Ctrl-C, and so would the programs that tests start
signal.signal(signal.SIGINT, signal.default_int_handler)


@functools.cache
def _docker() -> str | None:
    try:
        engine = docker.from_env()
        engine.ping()
        engine.images.get(Servers().mysql_image)
        engine.close()
    except docker.errors.DockerException as error:
        return f"no Docker engine with {Servers().mysql_image}: {error}"
    return None


_OBSTACLES: dict[str, Callable[[], str | None]] = {
    "apt": debian.obstacle,
    "docker": _docker,
    "root": lambda: None if os.geteuid() == 0 else "not root",
    "runuser": lambda: None if shutil.which("runuser") else "no runuser",
}


def _cache_of_our_own() -> Path:
    """A cache without a MySQL in the background: no test uses one that somebody keeps. The programs are shared."""
    shared, folder = debian.cache(), Path(tempfile.mkdtemp(prefix="chatsim-cache-"))
    folder.chmod(0o755)  # some tests run programs as another user
    for name in ("mysql", "redis", "mariadb", "templates"):
        (shared / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to((shared / name).resolve())
    os.environ["CHATSIM_CACHE"] = str(folder)
    return folder


def _required() -> set[str]:
    """What must be there, by name; ``all`` for everything."""
    return {*os.environ.get("CHATSIM_TEST_REQUIRE", "").split()}


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # workers have the environment of the process that starts them
        folder = _cache_of_our_own()
        config.add_cleanup(functools.partial(shutil.rmtree, folder))
    if unknown := _required() - {*_OBSTACLES, "all"}:
        known = ", ".join(sorted({*_OBSTACLES, "all"}))
        raise pytest.UsageError(f"CHATSIM_TEST_REQUIRE names {', '.join(sorted(unknown))}; there are: {known}")


_LONG = 1200.0  # seconds: a test of minutes takes three times as long on a machine with other work


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_LONG))


def pytest_collection_finish() -> None:
    """Fifteen thousand tests are examined in no garbage collection: each full one would take most of a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    """Garbage collection as a program of its own has it."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for what in mark.args:
            if reason := _OBSTACLES[what]():
                if _required() & {what, "all"}:
                    pytest.fail(f"{what} is required here: {reason}")
                pytest.skip(f"{what}: {reason}")


_MEMORY = Path("/dev/shm")
_ROOM = 2 * 2**30  # bytes: as much as the servers of two workers may come to need


@contextmanager
def _folders_in_memory() -> Iterator[None]:
    """Where there is room: a server whose files are there makes and drops tables several times as fast."""
    before = tempfile.tempdir
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM:
        tempfile.tempdir = str(_MEMORY)
    try:
        yield
    finally:
        tempfile.tempdir = before


# each test has a schema of its own, and the server counts the rows examined for each schema and text of a statement
_SETTINGS = (("innodb_flush_method", "nosync"), ("performance_schema_digests_size", "50000"))


@pytest.fixture(scope="session")
def mysql_url():
    """A real MySQL for the whole session, one for each worker: the one that is named, else one of our own.

    Ours has its files in memory and never waits for a disk, so it is a private instance wherever one can be had, and
    no container.
    """
    servers = Servers(profile="quick", settings=_SETTINGS)
    if not os.environ.get("CHATSIM_MYSQL_URL") and debian.obstacle() is None:
        servers = dataclasses.replace(servers, mysql_via="unpacked")
    with _folders_in_memory():
        server = servers.mysql()
    with server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url():
    """A real Redis for the whole session."""
    with Servers().redis() as server:
        yield server.url


@pytest.fixture(autouse=True)
def _same_servers_everywhere(request, monkeypatch):
    """Whatever a test opens by the ladder is the session's server, if the test asks for that."""
    for fixture, variable in (("mysql_url", "CHATSIM_MYSQL_URL"), ("redis_url", "CHATSIM_REDIS_URL")):
        if fixture in request.fixturenames:
            monkeypatch.setenv(variable, request.getfixturevalue(fixture))


@pytest.fixture(autouse=True)
def _as_wide_everywhere(monkeypatch):
    """What a command prints is as wide wherever the tests run."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def schemas(mysql_url):
    """A function that lists the schemas of chatsim's that are on the session's server."""

    def names() -> set[str]:
        async def ask():
            session = await driver.connect(mysql_url)
            rows = await session.execute("SHOW DATABASES LIKE 'chatsim\\_%'")
            await session.close()
            return {str(name) for (name,) in rows.rows}

        return asyncio.run(ask())

    return names
