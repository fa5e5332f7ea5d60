"""How the commands show a deadlock: drawn and explained, or as data. All do it alike."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from chatsim.db.deadlock import Deadlock

__all__ = ["deadlock_data", "print_deadlock"]

_WIDTH = 100
"""The width of a drawing that is piped, in characters."""


def print_deadlock(deadlock: Deadlock) -> None:
    """Print the cycle as a drawing, and the sentences that explain it."""
    from chatsim.cli.tables import console

    click.echo(deadlock.ring(console().width if sys.stdout.isatty() else _WIDTH))
    click.echo()
    click.echo(deadlock.explain())


def deadlock_data(deadlock: Deadlock) -> dict[str, Any]:
    """The deadlock for JSON, with its explanation."""
    return {**asdict(deadlock), "explanation": deadlock.explain()}
