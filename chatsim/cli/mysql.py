"""``chatsim mysql``: which server there is, and one to keep."""

from __future__ import annotations

import asyncio

import click

from chatsim.cli.common import mysql_url_option, one_sentence, profile_option
from chatsim.db.errors import DatabaseError
from chatsim.worlds.mysql import migrate as migrations
from chatsim.worlds.mysql.servers import background, debian
from chatsim.worlds.mysql.servers.mysqld import MySQL, Profile
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import WorldError

__all__ = ["mysql"]


@click.group(invoke_without_command=True)
@mysql_url_option
@click.pass_context
def mysql(context: click.Context, mysql_url: str | None) -> None:
    """Show which MySQL answers, and why the others don't."""
    if context.invoked_subcommand is not None:
        return
    for line in Servers(mysql_url=mysql_url).survey():
        click.echo(line)
    if there := background.running():
        click.echo(f"In the background: {there.url}")


@mysql.command()
@click.option("--port", type=click.IntRange(1, 65_535), help="The port; any free one if not given.")
@profile_option
def start(port: int | None, profile: str) -> None:
    """Start one that keeps running in the background, and print its URL."""
    with one_sentence():
        there = background.start(MySQL(Profile(profile)), port)
    click.echo(there.url)
    click.echo(f"Use it by: export {MySQL().variable}={there.url}\nEnd it by: chatsim mysql stop", err=True)


@mysql.command()
def stop() -> None:
    """End the one in the background."""
    there = background.stop()
    click.echo(f"ended {there.url}" if there else "none was running")


@mysql.command()
def fetch() -> None:
    """Unpack one from Debian's packages into the cache, unless it is there, and print where."""
    with one_sentence():
        if reason := debian.obstacle():
            raise debian.FetchError(reason)
        click.echo(debian.unpack(MySQL().packages).root)


@mysql.command()
@mysql_url_option
def clean(mysql_url: str | None) -> None:
    """Drop the schemas that runs have left on a named server, killed, or for the next; those in use are left alone."""
    from chatsim.worlds.mysql.world import drop_stale_schemas

    with one_sentence():
        names = asyncio.run(drop_stale_schemas(Servers(mysql_url=mysql_url).named_url()))
    click.echo(f"dropped {', '.join(names)}" if names else "nothing to drop")


@mysql.command()
@click.argument("schema")
@mysql_url_option
def migrate(schema: str, mysql_url: str | None) -> None:
    """Lead SCHEMA, which has the source's tables on a named server, to the hardened ones, rows in place.

    Make a backup first. A run that was broken off goes on where it stopped.
    """
    with one_sentence():
        count = asyncio.run(_migrate(Servers(mysql_url=mysql_url).named_url(), schema))
    click.echo(f"{count} statements applied" if count else "nothing was left to do")


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
