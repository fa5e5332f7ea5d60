"""What the plugin tells pytest: an option, the markers, and in which worlds a test runs."""

from __future__ import annotations

import os

import pytest

__all__ = ["pytest_addoption", "pytest_configure", "pytest_generate_tests", "pytest_unconfigure"]

_OPTION = "--chatsim-mysql-url"
_VARIABLE = "CHATSIM_MYSQL_URL"
_WORLDS = ("model", "mysql")
_BEFORE = pytest.StashKey[str | None]()

_MARKERS = (
    "worlds(*names): run the test, which takes the fixture `world` or `cluster`, in each of these, of model and mysql",
    "cluster(nodes=1, users=2, strategy='look_first', tables='hardened'): what the fixture `cluster` is like",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names a server."""
    parser.getgroup("chatsim").addoption(
        _OPTION,
        metavar="URL",
        help=f"the MySQL for chatsim's fixtures and assertions: mysql://user:password@host:port (also: {_VARIABLE})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers. Everything in chatsim finds the server that is named in the environment."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if url := config.getoption(_OPTION):
        config.stash[_BEFORE] = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = url


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the environment as it was."""
    before = config.stash.get(_BEFORE, os.environ.get(_VARIABLE))
    if before is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = before


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test in each of the worlds that its marker names."""
    marker = metafunc.definition.get_closest_marker("worlds")
    if marker is None:
        return
    test = metafunc.definition.nodeid
    if unknown := [each for each in marker.args if each not in _WORLDS]:
        raise _unusable(f"{test} is marked for the world {unknown[0]!r}; there are: {', '.join(_WORLDS)}")
    if "world" in metafunc.fixturenames:
        metafunc.parametrize("world", list(dict.fromkeys(marker.args)) or _WORLDS, indirect=True)
    elif marker in metafunc.definition.own_markers:
        raise _unusable(f"{test} is marked for worlds, and takes neither the fixture 'world' nor 'cluster'")


def _unusable(why: str) -> Exception:
    return pytest.Collector.CollectError(why)
