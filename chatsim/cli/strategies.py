"""``chatsim strategies``: how private chats can be created."""

from __future__ import annotations

import click

from chatsim.chat.creation import NOOP, STRATEGIES

__all__ = ["strategies"]


@click.command()
def strategies() -> None:
    """List the strategies that create private chats, and what each relies on."""
    from chatsim.cli.tables import Column, print_fitting

    known = [*STRATEGIES.values(), NOOP]
    bets = Column("what it bets on; whether it leaves orphans", [each.bet for each in known], wraps=True)
    levels = Column("isolation", [each.isolation.value for each in known])
    print_fitting([Column("name", [each.name for each in known]), levels, bets])
