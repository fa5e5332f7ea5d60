"""``chatsim mix``."""

from chatsim.cli.experiment import command
from chatsim.experiments.mix.experiment import Mix

__all__ = ["mix"]

mix = command(Mix)
