"""``chatsim strategies``: how private chats can be created."""

from __future__ import annotations

import sys

import click

from chatsim.chat.creation import NOOP, STRATEGIES

__all__ = ["strategies"]


@click.command()
def strategies() -> None:
    """List the strategies that create private chats, and what each relies on."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table("name", "isolation", "what it bets on; whether it leaves orphans")
    for strategy in (*STRATEGIES.values(), NOOP):
        table.add_row(strategy.name, strategy.isolation.value, strategy.bet)
    console.print(table)
