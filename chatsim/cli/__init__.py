"""The command line. It uses the same functions as a notebook."""

from __future__ import annotations

import click

from chatsim.cli.lazy import LazyGroup

__all__ = ["main"]

_COMMANDS = {
    "anomalies": ("chatsim.cli.anomalies", "Try out what each isolation level prevents."),
    "bench-compare": ("chatsim.cli.bench_compare", "Compare the times of two commits' benchmarks."),
    "calibrate": ("chatsim.cli.calibrate", "Measure what things cost here, for the model."),
    "catchup": ("chatsim.cli.catchup", "Compare how a client catches up after an absence."),
    "chat": ("chatsim.cli.chat", "Chat in this terminal."),
    "compare": ("chatsim.cli.compare", "Compare two saved results."),
    "costs": ("chatsim.cli.costs", "Print what things cost in the model."),
    "deadlock": ("chatsim.cli.deadlock", "Explain the deadlocks of a pasted report or a log."),
    "delivery": ("chatsim.cli.delivery", "Measure how fast texts are acknowledged, pushed and read."),
    "explore": ("chatsim.cli.explore", "Run callers in every order: a proof, or a counterexample."),
    "fidelity": ("chatsim.cli.fidelity", "Compare the calibrated model with a MySQL of this machine."),
    "mix": ("chatsim.cli.mix", "Run a mixed load: create chats, write, page, catch up."),
    "mysql": ("chatsim.cli.mysql", "Show which MySQL is used; start, stop or clean one."),
    "node": ("chatsim.cli.node", "Run one chat server, as a process of its own."),
    "pages": ("chatsim.cli.pages", "Compare how long lists are read page by page."),
    "protocol": ("chatsim.cli.protocol", "Print the messages between clients and servers."),
    "race": ("chatsim.cli.race", "Compare strategies that create private chats."),
    "schedule": ("chatsim.cli.schedule", "Run scripts of several sessions, and show the locks."),
    "sensitivity": ("chatsim.cli.sensitivity", "Say which cost of the model matters for which figure."),
    "serve": ("chatsim.cli.serve", "Run chat servers for clients of your own."),
    "strategies": ("chatsim.cli.strategies", "List the strategies that create private chats."),
    "sweep": ("chatsim.cli.sweep", "Run an experiment in the model with many settings."),
    "talk": ("chatsim.cli.talk", "Look for lost texts while servers are killed."),
}
"""From the name of a command to its module and short help, so that the list of commands imports no module."""


@click.group(
    cls=LazyGroup,
    homes=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="chatsim")
def main() -> None:
    """A laboratory for chat back ends on MySQL.

    It runs a complete chat system, on a real MySQL or in a model of many machines in virtual time, and compares how
    private chats are created, how lists are paged, and how clients catch up. Start with `chatsim race`.
    """
