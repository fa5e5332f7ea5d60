"""The command line: a thin shell over the same calls."""

from __future__ import annotations

import click

from chatsim.cli.lazy import LazyGroup

__all__ = ["main"]

_COMMANDS = {
    "anomalies": (
        "chatsim.cli.anomalies",
        "Try out what each isolation level prevents: Hermitage's anomalies, at MySQL's four levels.",
    ),
    "catchup": (
        "chatsim.cli.catchup",
        "Let a client that was away catch up, with each cursor and protocol: how soon, at what price, is all there?",
    ),
    "chat": ("chatsim.cli.chat", "Chat in this terminal."),
    "delivery": (
        "chatsim.cli.delivery",
        "Time what becomes of texts: acknowledged, pushed, read; on one server and across two.",
    ),
    "mysql": ("chatsim.cli.mysql", "Show which MySQL answers, and why the others don't."),
    "node": ("chatsim.cli.serve", "Run one chat server, until Ctrl-C."),
    "pages": (
        "chatsim.cli.pages",
        "Read long lists page by page, with each strategy: what a page costs, and whether anything is missed.",
    ),
    "protocol": (
        "chatsim.cli.protocol",
        "Print what clients and servers say to each other: message ids, keys and types.",
    ),
    "race": (
        "chatsim.cli.race",
        "Let many callers create private chats at once, with each strategy under each pattern.",
    ),
    "schedule": (
        "chatsim.cli.schedule",
        "Run schedules: several sessions' statements in an order, the locks after each step.",
    ),
    "serve": ("chatsim.cli.serve", "Run chat servers on a schema of their own, until Ctrl-C; it is dropped then."),
    "strategies": ("chatsim.cli.strategies", "List the creation strategies, each with its bet."),
}
"""By name: the module that has the command, and the first sentence of its help, so that a list needs no module."""


@click.group(
    cls=LazyGroup,
    homes=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="chatsim")
def main() -> None:
    """A laboratory for chat back ends on MySQL.

    `chatsim race` lets many callers create private chats at once and says which locking strategy is safe, and at
    what price. `chatsim pages` reads long lists page by page and says what a page costs, and what is missed.
    `chatsim catchup` asks how a client that was away gets everything, and whether it does.
    `chatsim delivery` times what becomes of texts, on one server and across two.
    `chatsim schedule` plays scripts of several sessions, on a server or in the model, and shows the locks.
    `chatsim serve` runs chat servers for clients of your own, `chatsim chat` is one in a terminal.
    `chatsim protocol` says how the two talk. `chatsim mysql` shows which MySQL it would use.
    """
