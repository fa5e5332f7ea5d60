"""The `Network` port in the model: the simulated network, with the chat system's addresses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chatsim.chat.ports import Address
from chatsim.simulation import network
from chatsim.simulation.links import Topology
from chatsim.worlds.common.accepting import serve

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ModelNetwork"]


class ModelNetwork(network.SimulatedNetwork[Address]):
    """Hosts by name, and the links between them; `host` gives the `Network` port of one.

    Args:
        topology: which link is between which hosts.
        window: how many bytes one direction of a connection holds, written and not yet read, before a writer waits.
        rng: draws the latencies.
    """

    def __init__(
        self, topology: Topology | None = None, *, window: int = 65536, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(Address, topology, window=window, rng=rng)

    def listen(
        self,
        address: Address,
        accept: network.Accept[Address],
        welcomes: network.Welcomes[Address] | None = None,
    ) -> network.SimulatedListener[Address]:
        """Bind ``address``. An error in ``accept`` ends that connection only."""
        return super().listen(address, partial(serve, accept), welcomes)
