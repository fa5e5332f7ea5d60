"""``chatsim serve``: chat servers for any client that speaks the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import click

from chatsim.chat.creation import STRATEGIES
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.status import StatusServer
from chatsim.cli.common import one_sentence, server_options
from chatsim.cli.node_options import LAST_PORT, limits, log_to_stderr, node_options, run_until_signal, sharing
from chatsim.garbage_collection import short_pauses
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import Sharing, WorldError

if TYPE_CHECKING:
    from chatsim.worlds.mysql.world import MySQLWorld

__all__ = ["serve"]

_FIRST_UID = 1001


@click.command()
@click.option("--nodes", default=1, type=click.IntRange(1), show_default=True, help="How many chat servers.")
@click.option("--users", default=2, type=click.IntRange(1), show_default=True, help="How many users to create.")
@click.option(
    "--port",
    type=click.IntRange(1, LAST_PORT),
    help="The first server's port; the others take the next ones. Without it, any.",
)
@click.option("--processes", is_flag=True, help="Run each server in a process of its own.")
@node_options
@server_options
def serve(nodes: int, users: int, port: int | None, *, processes: bool, **options: Any) -> None:
    """Run chat servers until Ctrl-C, on a new schema, which is dropped at the end.

    For each user it prints a line of JSON: host and port of a server, uid, token and name. With these, any client that
    speaks the protocol can log in: `chatsim chat` is one, `chatsim protocol` describes the messages. Standard error has
    the log, and with --grpc the address of the status server.

    With --processes, servers know each other's users only if --redis and --grpc are given. The Redis is the one that
    --redis-url or CHATSIM_REDIS_URL names, or a new one.
    """
    servers = Servers(**{name: options.pop(name) for name in Servers.__dataclass_fields__ if name in options})
    log_to_stderr()
    with one_sentence():
        shared = sharing(options)
        if processes and (shared.registry == "redis") != (shared.peers == "grpc"):
            raise WorldError("with --processes, give both --redis and --grpc, or neither")
        if processes and nodes > 1 and options["sessions"] == "one" and shared == Sharing():
            raise WorldError(
                "--sessions one needs servers that know each other's users: with --processes, add --redis --grpc"
            )
        if not ip_address(options["host"]).is_loopback:
            click.echo(
                f"Warning: other machines can reach {options['host']}, and connections are not encrypted.", err=True
            )
        if port and port + nodes - 1 > LAST_PORT:
            raise WorldError(f"{nodes} servers from port {port} would need ports above {LAST_PORT}")
        from chatsim.worlds.mysql.world import MySQLWorld

        if announcement := servers.announcement():
            click.echo(announcement, err=True)
        world = MySQLWorld(servers, token_lifetime=options["token_lifetime"], attachments=options["attachments"])
        tables = options["tables"]
        start = _in_processes if processes else _in_this_process
        run_until_signal(_serve(world, tables, users, shared, start(world, nodes, port or 0, shared, options)))


async def _serve(
    world: MySQLWorld, tables: str, users: int, sharing: Sharing, start: AbstractAsyncContextManager[StatusServer]
) -> None:
    from chatsim.worlds.loading import add_users
    from chatsim.worlds.mysql.sharing import grpc_status

    uids = range(_FIRST_UID, _FIRST_UID + users)
    async with world:
        await world.install(tables)
        await add_users(world.admin, uids)
        async with short_pauses(), start as status:
            for uid in uids:
                ticket = await status.send(uid)
                where = {"host": ticket.address.host, "port": ticket.address.port}
                click.echo(json.dumps(where | {"uid": uid, "token": ticket.token, "name": f"user{uid}"}))
            engine = f"{world.environment['engine']} {world.environment['server_version']}"
            async with AsyncExitStack() as stack:
                if sharing.peers == "grpc":
                    database = await stack.enter_async_context(world.database(1, "status"))
                    address = await stack.enter_async_context(grpc_status(status, database))
                    click.echo(f"The status server is at {address}.", err=True)
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
        limits=limits(options),
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

    options = options | {"attachments": world.attachments}
    needs_redis = sharing.registry == "redis" or STRATEGIES[options["strategy"]].uses_locks
    given = {name: value for name, value in options.items() if value is not None}
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
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
