"""``chatsim serve`` and ``chatsim node``: chat servers for clients of anybody's making."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import click

from chatsim.chat import schema as schemas
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.ports import Address
from chatsim.chat.protocol import LARGEST_BODY
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.status import StatusServer
from chatsim.chat.server.store.texts import TEXTS
from chatsim.cli.common import one_sentence, server_options
from chatsim.worlds.common.tokens import LIFETIME
from chatsim.worlds.mysql.servers.mysqld import MySQL
from chatsim.worlds.mysql.settings import LOOPBACK, Servers
from chatsim.worlds.world import Sharing, WorldError

if TYPE_CHECKING:
    from chatsim.worlds.mysql.nodes import NodeSettings
    from chatsim.worlds.mysql.world import MySQLWorld

__all__ = ["node", "serve"]

_FIRST_UID = 1001
_LAST_PORT = 65_535
_ENDING = (signal.SIGINT, signal.SIGTERM)
_POOL = 5  # the source's: docs/source.md, 3.10

_NODE_OPTIONS = (
    click.option(
        "--strategy",
        type=click.Choice([*STRATEGIES]),
        default="look_first",
        show_default=True,
        help="How private chats are created.",
    ),
    click.option(
        "--retry",
        type=click.Choice([*POLICIES]),
        default="retry",
        show_default=True,
        help="What is done when the database refuses.",
    ),
    click.option(
        "--sessions",
        type=click.Choice(["many", "one"]),
        default="many",
        show_default=True,
        help="Several devices for a user; or a login ends the one before.",
    ),
    click.option(
        "--tables",
        type=click.Choice(schemas.names()),
        default="hardened",
        show_default=True,
        help="The source's tables, or those with what correctness needs beyond them.",
    ),
    click.option(
        "--chats",
        type=click.Choice(["friends", "anybody"]),
        default="friends",
        show_default=True,
        help="With whom a user may open a chat.",
    ),
    click.option(
        "--pool",
        type=click.IntRange(1),
        default=_POOL,
        show_default=True,
        help="Connections to the database, for each server.",
    ),
    click.option(
        "--host",
        default=LOOPBACK,
        show_default=True,
        callback=lambda *given: _listenable(given[-1]),
        help="The IP address to listen at; only this machine reaches loopback.",
    ),
    click.option(
        "--request-bytes",
        type=click.IntRange(64, LARGEST_BODY),
        default=Limits.request_bytes,
        show_default=True,
        help="The largest body of a request.",
    ),
    click.option(
        "--token-lifetime",
        type=click.IntRange(1),
        default=LIFETIME,
        show_default=True,
        help="The seconds for which tokens are good.",
    ),
)


_SHARING_OPTIONS = (
    click.option("--redis", is_flag=True, help="Tokens, who is where and which servers there are: in a Redis."),
    click.option("--grpc", is_flag=True, help="Servers reach each other by gRPC, and so is the status server."),
)


def _sharing(options: dict[str, Any]) -> Sharing:
    """Take how servers share out of the options."""
    redis, grpc = options.pop("redis"), options.pop("grpc")
    return Sharing("redis" if redis else "process", "grpc" if grpc else "process")


def _node_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed((*_NODE_OPTIONS, *_SHARING_OPTIONS)):
        command = option(command)
    return command


@click.command()
@click.option("--nodes", default=1, type=click.IntRange(1), show_default=True, help="How many chat servers.")
@click.option("--users", default=2, type=click.IntRange(1), show_default=True, help="How many users to make.")
@click.option(
    "--port", type=click.IntRange(1, _LAST_PORT), help="The first server's port, the others' follow; else any."
)
@click.option("--processes", is_flag=True, help="Each server in a process of its own.")
@_node_options
@server_options
def serve(nodes: int, users: int, port: int | None, *, processes: bool, **options: Any) -> None:
    """Run chat servers on a schema of their own, until Ctrl-C; it is dropped then.

    Prints a line of JSON for each user: host and port of the server to log in at, uid, token, name. Any client that
    speaks the protocol can. What happens is said on standard error, with --grpc also where the status server is.

    Servers in processes of their own know each other's users only with --redis and --grpc. The Redis is that of
    --redis-url, all of one system's, or a new one.
    """
    servers = Servers(**{name: options.pop(name) for name in Servers.__dataclass_fields__ if name in options})
    _log_to_stderr()
    with one_sentence():
        sharing = _sharing(options)
        if processes and (sharing.registry == "redis") != (sharing.peers == "grpc"):
            raise WorldError("with --processes, --redis and --grpc go together: who is where, and how to reach them")
        if processes and nodes > 1 and options["sessions"] == "one" and sharing == Sharing():
            raise WorldError(
                "--sessions one needs servers that know each other's users; with --processes they need --redis --grpc"
            )
        if not ip_address(options["host"]).is_loopback:
            click.echo(f"{options['host']} is not loopback: whoever reaches it can listen, and try tokens.", err=True)
        if port and port + nodes - 1 > _LAST_PORT:
            raise WorldError(f"{nodes} servers from port {port} would need ports above {_LAST_PORT}")
        from chatsim.worlds.mysql.world import MySQLWorld

        world = MySQLWorld(servers, token_lifetime=options["token_lifetime"])
        tables = options["tables"]
        start = _in_processes if processes else _in_this_process
        _run_until_told(_serve(world, tables, users, sharing, start(world, nodes, port or 0, sharing, options)))


async def _serve(
    world: MySQLWorld, tables: str, users: int, sharing: Sharing, start: AbstractAsyncContextManager[StatusServer]
) -> None:
    from chatsim.worlds.loading import add_users
    from chatsim.worlds.mysql.sharing import grpc_status

    uids = range(_FIRST_UID, _FIRST_UID + users)
    async with world:
        await world.install(tables)
        await add_users(world.admin, uids)
        async with start as status:
            for uid in uids:
                ticket = await status.send(uid)
                where = {"host": ticket.address.host, "port": ticket.address.port}
                click.echo(json.dumps(where | {"uid": uid, "token": ticket.token, "name": f"user{uid}"}))
            engine = f"{world.environment['engine']} {world.environment['server_version']}"
            async with AsyncExitStack() as stack:
                if sharing.peers == "grpc":
                    click.echo(
                        f"The status server is at {await stack.enter_async_context(grpc_status(status))}.", err=True
                    )
                click.echo(f"{', '.join(await status.live())} on {engine}; Ctrl-C ends them.", err=True)
                await asyncio.Future()


@asynccontextmanager
async def _in_this_process(
    world: MySQLWorld, nodes: int, port: int, sharing: Sharing, options: dict[str, Any]
) -> AsyncIterator[StatusServer]:
    import numpy as np

    from chatsim.worlds.cluster import cluster

    async with cluster(
        world,
        nodes=nodes,
        pool=options["pool"],
        strategy=STRATEGIES[options["strategy"]],
        retry=POLICIES[options["retry"]],
        limits=_limits(options),
        schema=options["tables"],
        rngs=[np.random.default_rng() for _ in range(nodes)],
        host=options["host"],
        port=port,
        sharing=sharing,
    ) as running:
        yield running.status


@asynccontextmanager
async def _in_processes(
    world: MySQLWorld, nodes: int, port: int, sharing: Sharing, options: dict[str, Any]
) -> AsyncIterator[StatusServer]:
    from chatsim.worlds.mysql.nodes import node_processes

    needs_redis = sharing.registry == "redis" or STRATEGIES[options["strategy"]].uses_locks
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    async with node_processes(
        world,
        nodes=nodes,
        port=port,
        words=words,
        redis_url=await world.redis_url() if needs_redis else None,
        sharing=sharing,
        token_lifetime=options["token_lifetime"],
    ) as running:
        yield running.status


@click.command()
@click.option("--name", default="node1", show_default=True, help="Its name, unlike any other's.")
@click.option("--schema", required=True, help="The schema that has the tables.")
@click.option("--port", type=click.IntRange(0, _LAST_PORT), default=0, help="Where to listen; else any free one.")
@click.option(
    "--reports", is_flag=True, help="Print a report each second, and end when standard input does: for a parent."
)
@_node_options
def node(name: str, schema: str, port: int, *, reports: bool, **options: Any) -> None:
    """Run one chat server, until Ctrl-C.

    The MySQL server is named by CHATSIM_MYSQL_URL, the key that tokens are signed with by CHATSIM_TOKEN_KEY, in hex;
    a Redis, if one is needed, by CHATSIM_REDIS_URL; with --redis, tokens are there, and no key is needed. Prints a line
    of JSON: name, host and port, sessions.
    """
    _log_to_stderr()
    with one_sentence():
        sharing = _sharing(options)
        if sharing == Sharing("process", "grpc"):
            raise WorldError("--grpc needs --redis: a server that knows nobody elsewhere has nobody to reach")
        from chatsim.worlds.mysql.nodes import REDIS_URL, TOKEN_KEY, NodeSettings

        settings = NodeSettings(
            name=name,
            address=Address(options["host"], port),
            mysql_url=_variable(MySQL.variable),
            schema=schema,
            pool=options["pool"],
            token_key=None if sharing.registry == "redis" else _key(TOKEN_KEY),
            token_lifetime=options["token_lifetime"],
            config=_config(options),
            redis_url=os.environ.get(REDIS_URL),
            sharing=sharing,
        )
        _run_until_told(_node(settings, reports=reports))


async def _node(settings: NodeSettings, *, reports: bool) -> None:
    from chatsim.worlds.mysql.nodes import LineDirectory, run_node

    orphaned = asyncio.Event()
    if reports:
        try:
            asyncio.get_running_loop().add_reader(sys.stdin, _at_the_end_of_stdin, orphaned)
        except PermissionError:
            raise WorldError("--reports is for a parent, which holds the other end of standard input") from None
    async with run_node(settings, LineDirectory(sys.stdout, each=reports)):
        await orphaned.wait()


def _at_the_end_of_stdin(orphaned: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        orphaned.set()


def _run_until_told(main: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` until it ends, or Ctrl-C or SIGTERM comes; once: more of them don't break off the end."""

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def end() -> None:
            for number in _ENDING:
                loop.add_signal_handler(number, lambda: None)
            task.cancel()

        for number in _ENDING:
            loop.add_signal_handler(number, end)
        await main

    with suppress(asyncio.CancelledError):
        asyncio.run(run())


def _config(options: dict[str, Any]) -> NodeConfig:
    import numpy as np

    strategy = STRATEGIES[options["strategy"]]
    return NodeConfig(
        strategy=strategy,
        retry=POLICIES[options["retry"]],
        isolation=strategy.isolation,
        texts=TEXTS[options["tables"]],
        limits=_limits(options),
        rng=np.random.default_rng(),
    )


def _limits(options: dict[str, Any]) -> Limits:
    return Limits(
        devices=options["sessions"] == "many",
        request_bytes=options["request_bytes"],
        strangers=options["chats"] == "anybody",
    )


def _listenable(host: str) -> str:
    """An IP address."""
    try:
        return str(ip_address(LOOPBACK if host == "localhost" else host))
    except ValueError:
        raise click.BadParameter(f"{host!r} is no IP address.") from None


def _variable(name: str) -> str:
    if value := os.environ.get(name):
        return value
    raise WorldError(f"{name} is not set")


def _key(name: str) -> bytes:
    try:
        return bytes.fromhex(_variable(name))
    except ValueError:
        raise WorldError(f"{name} is not hexadecimal") from None


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("chatsim").setLevel(logging.INFO)
