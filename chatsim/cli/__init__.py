"""The command line: a thin shell over the same calls."""

from __future__ import annotations

import click

from chatsim.cli.anomalies import anomalies
from chatsim.cli.catchup import catchup
from chatsim.cli.chat import chat
from chatsim.cli.delivery import delivery
from chatsim.cli.mysql import mysql
from chatsim.cli.pages import pages
from chatsim.cli.protocol import protocol
from chatsim.cli.race import race, strategies
from chatsim.cli.schedule import schedule
from chatsim.cli.serve import node, serve

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
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


for command in (race, strategies, pages, catchup, delivery, schedule, anomalies, serve, chat, node, protocol, mysql):
    main.add_command(command)
