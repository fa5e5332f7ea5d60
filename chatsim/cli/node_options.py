"""What ``chatsim serve`` and ``chatsim node`` share: the options of a chat server, signals, and the log."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from chatsim.chat import schema as schemas
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.protocol import LARGEST_BODY, LARGEST_ID
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.admission import PER_ADDRESS
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.limits import MOST_GROUP_MEMBERS, Limits
from chatsim.chat.server.store.texts import TEXTS
from chatsim.cli.bounded_log import Bounded
from chatsim.cli.interruption import is_late
from chatsim.worlds.common.tokens import LIFETIME
from chatsim.worlds.mysql.settings import LOOPBACK
from chatsim.worlds.world import Sharing

__all__ = ["LAST_PORT", "config", "limits", "log_to_stderr", "node_options", "run_until_signal", "sharing"]

LAST_PORT = 65_535
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CONNECTIONS = 10_000
_POOL = 5  # the source's: docs/source.md, 3.10


def _ip_address(_: click.Context, __: click.Parameter, host: str) -> str:
    try:
        return str(ip_address(LOOPBACK if host == "localhost" else host))
    except ValueError:
        raise click.BadParameter(f"{host!r} is not an IP address.") from None


_OPTIONS = (
    click.option(
        "--strategy",
        type=click.Choice([*STRATEGIES]),
        metavar="NAME",
        default="look_first",
        show_default=True,
        help="How private chats are created; `chatsim strategies` lists the names.",
    ),
    click.option(
        "--retry",
        type=click.Choice([*POLICIES]),
        default="retry",
        show_default=True,
        help="When the database refuses: give up; try again, 20 times, after 1 to 20 ms; try again at once.",
    ),
    click.option(
        "--sessions",
        type=click.Choice(["many", "one"]),
        default="many",
        show_default=True,
        help="How many devices a user may have; with `one`, a login ends the session before it.",
    ),
    click.option(
        "--tables",
        type=click.Choice(schemas.names()),
        default="hardened",
        show_default=True,
        help="The tables of the source, or the same with all constraints that correctness needs.",
    ),
    click.option(
        "--chats",
        type=click.Choice(["friends", "anybody"]),
        default="friends",
        show_default=True,
        help="With whom a user may open a chat.",
    ),
    click.option(
        "--group-members",
        type=click.IntRange(1, MOST_GROUP_MEMBERS),
        default=Limits.group_members,
        show_default=True,
        help="How many members a group may have.",
    ),
    click.option(
        "--pool",
        type=click.IntRange(1),
        default=_POOL,
        show_default=True,
        help="How many connections to the database each server has.",
    ),
    click.option(
        "--host",
        default=LOOPBACK,
        show_default=True,
        callback=_ip_address,
        help="The IP address to listen at. Only this machine can reach the default.",
    ),
    click.option(
        "--request-bytes",
        type=click.IntRange(64, LARGEST_BODY),
        default=Limits.request_bytes,
        show_default=True,
        help="How large the body of a request may be.",
    ),
    click.option(
        "--login-seconds",
        type=click.FloatRange(0.001),
        default=Limits.login,
        show_default=True,
        help="How long a connection may take until it logs in.",
    ),
    click.option(
        "--recall-seconds",
        type=click.FloatRange(0),
        default=Limits.recall_seconds,
        show_default=True,
        help="For how long the author of a message may recall it.",
    ),
    click.option(
        "--edit-seconds",
        type=click.FloatRange(0),
        default=Limits.edit_seconds,
        show_default=True,
        help="For how long the author of a text may edit it.",
    ),
    click.option(
        "--connections",
        type=click.IntRange(1),
        default=_CONNECTIONS,
        show_default=True,
        help="How many connections each server may have; fewer if it may not open so many files.",
    ),
    click.option(
        "--connections-per-address",
        type=click.IntRange(1),
        help=f"How many of them may come from one address.  [default: {PER_ADDRESS}; for this machine, any number]",
    ),
    click.option(
        "--token-lifetime",
        type=click.IntRange(1),
        default=LIFETIME,
        show_default=True,
        help="For how many seconds a login token is valid.",
    ),
    click.option(
        "--attachments",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        help="Where images and files are kept, in a directory that is named by the schema.",
    ),
    click.option(
        "--file-bytes",
        type=click.IntRange(1, LARGEST_ID),
        default=Limits.file_bytes,
        show_default=True,
        help="How large an image or a file may be.",
    ),
    click.option(
        "--user-file-bytes",
        type=click.IntRange(1, LARGEST_ID),
        default=Limits.user_file_bytes,
        show_default=True,
        help="How large all images and files of a user together may be.",
    ),
    click.option(
        "--upload-seconds",
        type=click.IntRange(1, 31_536_000),
        default=Limits.upload_seconds,
        show_default=True,
        help="After how many seconds an upload that was not finished and sent is removed.",
    ),
    click.option("--redis", is_flag=True, help="Keep tokens, users' servers and the list of servers in a Redis."),
    click.option(
        "--grpc", is_flag=True, help="Connect servers by gRPC, and offer the status server by it (extra: grpc)."
    ),
)


def node_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a chat server, for `sharing`, `config` and `limits`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def sharing(options: dict[str, Any]) -> Sharing:
    """Take the options for presence and peers out of ``options``."""
    redis, grpc = options.pop("redis"), options.pop("grpc")
    return Sharing("redis" if redis else "process", "grpc" if grpc else "process")


def config(options: dict[str, Any]) -> NodeConfig:
    """The configuration of a node, from the options."""
    import numpy as np

    strategy = STRATEGIES[options["strategy"]]
    return NodeConfig(
        strategy=strategy,
        retry=POLICIES[options["retry"]],
        isolation=strategy.isolation,
        texts=TEXTS[options["tables"]],
        limits=limits(options),
        rng=np.random.default_rng(),
    )


def limits(options: dict[str, Any]) -> Limits:
    """The limits of sessions, from the options."""
    return Limits(
        devices=options["sessions"] == "many",
        request_bytes=options["request_bytes"],
        strangers=options["chats"] == "anybody",
        group_members=options["group_members"],
        recall_seconds=options["recall_seconds"],
        edit_seconds=options["edit_seconds"],
        login=options["login_seconds"],
        connections=options["connections"],
        per_address=options["connections_per_address"],
        file_bytes=options["file_bytes"],
        user_file_bytes=options["user_file_bytes"],
        upload_seconds=options["upload_seconds"],
    )


def run_until_signal(main: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` until it ends, or until Ctrl-C or SIGTERM. It then ends in order, unless that takes too long.

    Raises:
        KeyboardInterrupt: it has not ended in time.
    """

    async def run() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def end(*_: object) -> None:
            if is_late():
                raise KeyboardInterrupt
            if not task.cancelling():
                loop.call_soon_threadsafe(task.cancel)

        for number in _SIGNALS:
            signal.signal(number, end)
        await main

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with suppress(asyncio.CancelledError):
            asyncio.run(run())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log_to_stderr() -> None:
    """Print the log of servers on standard error. What clients can repeat does not fill it."""
    handler = logging.StreamHandler()
    handler.addFilter(Bounded())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler])
    logging.getLogger("chatsim").setLevel(logging.INFO)
