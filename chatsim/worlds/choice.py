"""Which world a user has named."""

from __future__ import annotations

from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError

__all__ = ["WORLDS", "choose"]

WORLDS = ("mysql", "model")
"""The worlds by name: a real server in real time, and the model in virtual time."""


def choose(world: object) -> Servers | Model:
    """The settings of the world that a user has named.

    Args:
        world: ``"mysql"``, ``"model"``, or one's settings.

    Raises:
        BadParameterError: there is no such world.
    """
    if isinstance(world, Servers | Model):
        return world
    if world == "mysql":
        return Servers()
    if world == "model":
        return Model()
    raise BadParameterError(f"unknown world {world!r}; there are: {', '.join(WORLDS)}")
