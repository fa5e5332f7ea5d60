"""``chatsim talk``."""

from chatsim.cli.experiment import command
from chatsim.experiments.talk.experiment import Talk

__all__ = ["talk"]

talk = command(Talk)
