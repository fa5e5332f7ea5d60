"""``chatsim delivery``."""

from chatsim.cli.experiment import command
from chatsim.experiments.delivery.experiment import Delivery

__all__ = ["delivery"]

delivery = command(Delivery)
