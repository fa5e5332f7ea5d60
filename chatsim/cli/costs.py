"""``chatsim costs``: prints the file with the model's default costs."""

from __future__ import annotations

import click

from chatsim.worlds.model.costs import defaults

__all__ = ["costs"]


@click.command()
def costs() -> None:
    """Print what things cost in the model, with all keys and their sources: a template for a file of your own.

    `chatsim costs > my.toml`, change what is different for you, and give it to a command by `--costs my.toml`. What a
    file leaves out has the default.
    """
    click.echo(defaults(), nl=False)
