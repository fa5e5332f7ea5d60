"""Which world a user has named."""

from __future__ import annotations

from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError

__all__ = ["choose"]


def choose(world: object) -> Servers | Model:
    """The settings of the world that a user has named.

    Args:
        world: ``"mysql"``, ``"model"``, or one's settings.

    Raises:
        BadParameterError: there is no such world.
    """
    known: dict[str, Servers | Model] = {"mysql": Servers(), "model": Model()}
    if isinstance(world, Servers | Model):
        return world
    if isinstance(world, str) and world in known:
        return known[world]
    raise BadParameterError(f"unknown world {world!r}; there are: {', '.join(known)}")
