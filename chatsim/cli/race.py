"""``chatsim race``."""

from chatsim.cli.experiment import command
from chatsim.experiments.creation.experiment import Race

__all__ = ["race"]

race = command(Race)
