"""The fixtures. What they need is imported when the first test uses one."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chatsim.pytest.own_cluster import OwnCluster
    from chatsim.pytest.own_schema import OwnSchema

__all__ = ["cluster", "model", "mysql", "mysql_url", "world"]


T = TypeVar("T")


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    """A MySQL for the whole session: the one that is named, or else the first that can be had.

    That is the one in the background (``chatsim mysql start``), a container, a ``mysqld`` on the PATH, or one that is
    unpacked from Debian's packages. One that is started for the session ends with it. It does not wait for the disk.
    """
    from chatsim.worlds.mysql.settings import Servers

    with ExitStack() as stack:
        yield stack.enter_context(_available(lambda: Servers(profile="quick").mysql())).url


@pytest.fixture
def mysql(mysql_url: str) -> Iterator[OwnSchema]:
    """A schema of the test's own on a real MySQL, which is dropped afterwards (`OwnSchema`)."""
    from chatsim.pytest.own_schema import on_mysql

    with ExitStack() as stack:
        yield _available(lambda: stack.enter_context(on_mysql(mysql_url)))


@pytest.fixture
def model() -> Iterator[OwnSchema]:
    """An empty schema of the test's own in the model of InnoDB (`OwnSchema`)."""
    from chatsim.pytest.own_schema import in_model

    with in_model() as schema:
        yield schema


@pytest.fixture
def world(request: pytest.FixtureRequest) -> OwnSchema:
    """A schema of the test's own in each world that the test is marked for with ``@pytest.mark.worlds``.

    Without it, it is on the MySQL that is named (``--chatsim-mysql-url``, CHATSIM_MYSQL_URL), or else in the model.
    """
    default = "mysql" if os.environ.get("CHATSIM_MYSQL_URL") else "model"
    schema: OwnSchema = request.getfixturevalue(getattr(request, "param", default))
    return schema


@pytest.fixture
def cluster(request: pytest.FixtureRequest, world: OwnSchema) -> Iterator[OwnCluster]:
    """A running chat system on a schema of the test's own (`OwnCluster`).

    ``@pytest.mark.cluster(nodes=2, users=4, strategy="upsert", tables="source")`` says what it is like.
    """
    from chatsim.pytest.own_cluster import running

    marker = request.node.get_closest_marker("cluster")
    options: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    if marker is not None and marker.args:
        pytest.fail(f"the mark cluster takes keywords only; {marker.args[0]!r} is none", pytrace=False)
    with running(world, **options) as there:
        yield there


def _available(get: Callable[[], T]) -> T:
    """What a function gets. If it can't be had, the message is all that a log shows."""
    from chatsim.worlds.world import WorldError

    try:
        return get()
    except WorldError as error:
        why = str(error)
    pytest.fail(why, pytrace=False)
