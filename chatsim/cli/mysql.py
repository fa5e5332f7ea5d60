"""``chatsim mysql``: shows which server would be used, and manages one in the background."""

from __future__ import annotations

import asyncio

import click

from chatsim.cli.common import mysql_url_option, one_sentence, profile_option
from chatsim.db.errors import DatabaseError
from chatsim.worlds.mysql import migrate as migrations
from chatsim.worlds.mysql.servers import background, debian
from chatsim.worlds.mysql.servers.mysqld import MySQL, Profile
from chatsim.worlds.mysql.servers.urls import without_password
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import WorldError

__all__ = ["mysql"]


@click.group(invoke_without_command=True)
@mysql_url_option
@click.pass_context
def mysql(context: click.Context, mysql_url: str | None) -> None:
    """Show which MySQL chatsim would use, and why not the others; or start, stop and clean one.

    The commands below manage a MySQL in the background, and the schemas on a server that you name.
    """
    if context.invoked_subcommand is not None:
        return
    for line in Servers(mysql_url=mysql_url).survey():
        click.echo(line)


@mysql.command()
@click.option("--port", type=click.IntRange(1, 65_535), help="The port; without it, any free one.")
@profile_option
def start(port: int | None, profile: str) -> None:
    """Start a MySQL in the background, and print its URL.

    It keeps running until `chatsim mysql stop`, and is used by what needs a MySQL, unless another one is named. What
    kills the server, and schedules, have one of their own. If one is running already, its URL is printed.
    """
    with one_sentence():
        there = background.running()
        if there is None or port is not None:
            there = background.start(MySQL(Profile(profile)), port)
        else:
            click.echo("A MySQL is running in the background already; its settings are as they are.", err=True)
    click.echo(there.url)
    click.echo("It is used from now on, unless another one is named. To stop it: chatsim mysql stop", err=True)


@mysql.command()
def stop() -> None:
    """Stop the MySQL in the background."""
    there = background.stop()
    click.echo(f"stopped {there.url}" if there else "no MySQL was running in the background")


@mysql.command()
def fetch() -> None:
    """Unpack MySQL from Debian's packages, and print where.

    It is kept in your cache; nothing is done if it is there already.
    """
    with one_sentence():
        if reason := debian.obstacle():
            raise debian.FetchError(reason)
        click.echo(debian.unpack(MySQL().packages).root)


@mysql.command()
@mysql_url_option
def clean(mysql_url: str | None) -> None:
    """Drop chatsim's schemas that are not in use, on a server that you name or else on the one in the background.

    Runs that are killed leave schemas there. `chatsim pages` also keeps its lists there, for the next run.
    """
    from chatsim.worlds.mysql.stale_schemas import drop_stale_schemas

    with one_sentence():
        url = Servers(mysql_url=mysql_url).lasting_url()
        try:
            names = asyncio.run(drop_stale_schemas(url))
        except DatabaseError as error:
            raise WorldError(f"MySQL at {without_password(url)} can't be used: {error}") from error
    click.echo(f"dropped {', '.join(names)}" if names else "nothing to drop")


@mysql.command()
@click.argument("schema")
@mysql_url_option
def migrate(schema: str, mysql_url: str | None) -> None:
    """Change the source's tables into the hardened ones.

    SCHEMA is on a server that you name, and keeps its rows. Make a backup first. After an interruption, run the same
    command again: it goes on where it stopped.
    """
    with one_sentence():
        count = asyncio.run(_migrate(Servers(mysql_url=mysql_url).named_url(), schema))
    click.echo(f"{count} statements applied" if count else "nothing to do: all migrations have been applied")


async def _migrate(url: str, schema: str) -> int:
    from chatsim.worlds.mysql import driver

    try:
        session = await driver.connect(url, schema)
    except DatabaseError as error:
        raise WorldError(f"the schema {schema} can't be used: {error}") from error
    try:
        return await migrations.migrate(session, click.echo)
    except migrations.MigrationError as error:
        raise WorldError(f"{schema}: {error}") from error
    finally:
        await session.close()
