"""What the commands share: which servers, and what an error looks like."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from chatsim.chat.client.cache import WrongOwnerError
from chatsim.chat.creation import StrategyError, UnknownStrategyError
from chatsim.chat.ports import LocalStoreError
from chatsim.chat.server.limits import BadLimitError
from chatsim.conformance.schedule import BadScheduleError
from chatsim.db.errors import DatabaseError
from chatsim.experiments.catchup.cursors import UnknownCursorError
from chatsim.experiments.creation.experiment import BadParameterError
from chatsim.simulation.determinism import DivergenceError
from chatsim.worlds.mysql.driver import BadUrlError
from chatsim.worlds.mysql.servers import background, debian, ladder, private
from chatsim.worlds.mysql.servers.mysqld import IMAGE, MySQL, Profile
from chatsim.worlds.world import WorldError

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "OUR_ERRORS",
    "UNSAFE",
    "mysql_url_option",
    "one_sentence",
    "profile_option",
    "server_options",
]

OUR_ERRORS = (
    BadLimitError,
    BadParameterError,
    BadScheduleError,
    BadUrlError,
    DatabaseError,
    DivergenceError,
    LocalStoreError,
    StrategyError,
    UnknownCursorError,
    UnknownStrategyError,
    WorldError,
    WrongOwnerError,
    background.AlreadyRunningError,
    debian.FetchError,
    ladder.ServerError,
    private.StartError,
)
UNSAFE = 1
FAILED = 2
INTERRUPTED = 130


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error that chatsim raises into one sentence and exit status 2."""
    try:
        yield
    except OUR_ERRORS as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FAILED)


mysql_url_option = click.option(
    "--mysql-url", help=f"Use this server: mysql://user:password@host:port (or set {MySQL().variable})."
)
profile_option = click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.DURABLE.value,
    show_default=True,
    help="How an own MySQL is set up: the server's defaults, or binary log off and relaxed flush.",
)
_SERVER_OPTIONS = (
    click.option("--redis-url", help="The Redis for redis_lock, redis://host:port; else it is looked for."),
    profile_option,
    click.option("--mysql-image", default=IMAGE, show_default=True, help="The image for a container."),
    click.option(
        "--mysql-via",
        type=click.Choice([rung.name for rung in ladder.rungs(MySQL())]),
        help="The one way to have a MySQL; else each is tried in this order.",
    ),
    mysql_url_option,
)


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which servers to run on; their values are the fields of `Servers`."""
    for option in _SERVER_OPTIONS:
        command = option(command)
    return command
