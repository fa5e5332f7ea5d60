"""``chatsim node``: one chat server, as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from chatsim.chat.ports import Address
from chatsim.cli.common import one_sentence
from chatsim.cli.node_options import LAST_PORT, config, log_to_stderr, node_options, run_until_signal, sharing
from chatsim.garbage_collection import short_pauses
from chatsim.worlds.mysql.servers.mysqld import MySQL
from chatsim.worlds.world import Sharing, WorldError

if TYPE_CHECKING:
    from chatsim.worlds.mysql.nodes import NodeSettings

__all__ = ["node"]


@click.command()
@click.option("--name", default="node1", show_default=True, help="The server's name, unique among those of one system.")
@click.option("--schema", required=True, help="The schema that has the tables, on the MySQL server.")
@click.option(
    "--port",
    type=click.IntRange(0, LAST_PORT),
    default=0,
    show_default=True,
    help="The port to listen at; 0 takes a free one.",
)
@click.option(
    "--reports", is_flag=True, help="Print a report each second, and end when standard input ends; for `chatsim serve`."
)
@node_options
def node(name: str, schema: str, port: int, *, reports: bool, **options: Any) -> None:
    """Run one chat server, until Ctrl-C; `chatsim serve --processes` starts several.

    Three environment variables say what it needs: CHATSIM_MYSQL_URL names the MySQL server; CHATSIM_TOKEN_KEY is the
    key that login tokens are signed with, in hexadecimal (not used with --redis, which keeps the tokens);
    CHATSIM_REDIS_URL names the Redis, for --redis and for the strategy redis_lock.

    When it listens, it prints a line of JSON: its name, host, port and number of sessions.
    """
    log_to_stderr()
    with one_sentence():
        shared = sharing(options)
        if shared == Sharing("process", "grpc"):
            raise WorldError("--grpc needs --redis, where servers find out which users the others have")
        from chatsim.worlds.mysql.nodes import REDIS_URL, TOKEN_KEY, NodeSettings

        settings = NodeSettings(
            name=name,
            address=Address(options["host"], port),
            mysql_url=_variable(MySQL.variable),
            schema=schema,
            pool=options["pool"],
            token_key=None if shared.registry == "redis" else _key(TOKEN_KEY),
            token_lifetime=options["token_lifetime"],
            config=config(options),
            redis_url=os.environ.get(REDIS_URL),
            sharing=shared,
            attachments=options["attachments"] and options["attachments"] / schema,
        )
        run_until_signal(_node(settings, reports=reports))


async def _node(settings: NodeSettings, *, reports: bool) -> None:
    from chatsim.worlds.mysql.nodes import LineDirectory, run_node

    orphaned = asyncio.Event()
    if reports:
        try:
            asyncio.get_running_loop().add_reader(sys.stdin, _at_the_end_of_stdin, orphaned)
        except PermissionError:
            raise WorldError("--reports needs a pipe as standard input: it is for a parent process") from None
    async with short_pauses(), run_node(settings, LineDirectory(sys.stdout, each=reports)):
        await orphaned.wait()
        signal.raise_signal(signal.SIGTERM)  # the end of the node is limited in time, as after a signal
        await asyncio.Future()


def _at_the_end_of_stdin(orphaned: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        orphaned.set()


def _variable(name: str) -> str:
    if value := os.environ.get(name):
        return value
    raise WorldError(f"{name} is not set")


def _key(name: str) -> bytes:
    try:
        return bytes.fromhex(_variable(name))
    except ValueError:
        raise WorldError(f"{name} is not hexadecimal") from None
