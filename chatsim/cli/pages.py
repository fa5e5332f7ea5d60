"""``chatsim pages``."""

from chatsim.cli.experiment import command
from chatsim.experiments.paging.experiment import Pages

__all__ = ["pages"]

pages = command(Pages)
