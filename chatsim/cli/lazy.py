"""A group of commands that imports a command's module only when the command is used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from chatsim.cli.interruption import INTERRUPTED, exiting_at_once, interruptible

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group whose help page needs none of its commands.

    Args:
        homes: from the name of a command to its module and its short help.
        settings: those of a `click.Group`.
    """

    def __init__(self, *, homes: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(**settings)
        self.homes = homes

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it as a program, which ends by Ctrl-C and SIGTERM."""
        with interruptible():
            return super().__call__(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named. Ctrl-C is exit status 130; click's own is 1."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """All names, in alphabetical order."""
        return sorted(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's interface
        """Import a command. Returns None if there is no command with this name."""
        if cmd_name not in self.homes:
            return None
        module, sentence = self.homes[cmd_name]
        with exiting_at_once():
            command = getattr(import_module(module), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        command.short_help = sentence
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, as `click.Group` does, from the sentences in the table."""
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        rows = [(name, click.Command(name, help=self.homes[name][1]).get_short_help_str(room)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
