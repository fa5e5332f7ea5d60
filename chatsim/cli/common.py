"""What the commands share: the options for servers, and the form of an error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from chatsim.cli.interruption import INTERRUPTED
from chatsim.worlds.mysql.servers import ladder
from chatsim.worlds.mysql.servers.mysqld import IMAGE, MySQL, Profile

__all__ = [
    "FAILED",
    "UNSAFE",
    "mysql_url_option",
    "one_sentence",
    "our_errors",
    "profile_option",
    "server_options",
]

UNSAFE = 1
FAILED = 2


def our_errors() -> tuple[type[Exception], ...]:
    """The errors whose message is enough for a user. They are imported only after an error."""
    from chatsim.chat.client.cache import WrongOwnerError
    from chatsim.chat.ports import LocalStoreError
    from chatsim.chat.server.limits import BadLimitError
    from chatsim.chat.strategies import StrategyError, UnknownStrategyError
    from chatsim.conformance.schedule import BadScheduleError
    from chatsim.conformance.transactions import BadTransactionsError
    from chatsim.db.deadlock_report.reader import NoDeadlockError
    from chatsim.db.errors import DatabaseError
    from chatsim.simulation.determinism import DivergenceError
    from chatsim.worlds.mysql.servers import background, debian, private
    from chatsim.worlds.mysql.servers.urls import BadUrlError
    from chatsim.worlds.world import BadParameterError, WorldError

    return (
        BadLimitError,
        BadParameterError,
        BadScheduleError,
        BadTransactionsError,
        BadUrlError,
        DatabaseError,
        DivergenceError,
        LocalStoreError,
        NoDeadlockError,
        StrategyError,
        UnknownStrategyError,
        WorldError,
        WrongOwnerError,
        background.AlreadyRunningError,
        debian.FetchError,
        ladder.ServerError,
        private.StartError,
    )


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error that chatsim raises into one sentence and exit status 2, and Ctrl-C into exit status 130."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except our_errors() as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FAILED)


mysql_url_option = click.option(
    "--mysql-url", help=f"The MySQL server to use, mysql://user:password@host:port; {MySQL.variable} does the same."
)
profile_option = click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.DURABLE.value,
    show_default=True,
    help="How chatsim sets up a MySQL that it starts: with the server's defaults, or without a binary log.",
)
_SERVER_OPTIONS = (
    click.option(
        "--redis-url",
        help="The Redis to use, redis://host:port; CHATSIM_REDIS_URL does the same.",
    ),
    profile_option,
    click.option("--mysql-image", default=IMAGE, show_default=True, help="The image, if MySQL runs in a container."),
    click.option(
        "--mysql-via",
        type=click.Choice([rung.name for rung in ladder.rungs(MySQL())]),
        help="The only way to get a MySQL. Without it, all are tried, in this order.",
    ),
    mysql_url_option,
)


quiet_option = click.option(
    "--quiet",
    is_flag=True,
    help="Print nothing but the result, and errors: no progress bar, even on a terminal.",
)


def shows_progress(*, quiet: bool) -> bool:
    """Whether a command shows progress bars: on a terminal, unless it is to be quiet."""
    return not quiet and sys.stderr.isatty()


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options for servers. Their values are the fields of `Servers`."""
    for option in _SERVER_OPTIONS:
        command = option(command)
    return command
