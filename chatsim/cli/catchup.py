"""``chatsim catchup``."""

from chatsim.cli.experiment import command
from chatsim.experiments.catchup.experiment import CatchUp

__all__ = ["catchup"]

catchup = command(CatchUp)
