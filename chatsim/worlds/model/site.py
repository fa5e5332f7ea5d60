"""The site `model`: machines on hosts of their own, the network between them, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chatsim.worlds.inprocess.tokens import SignedTokens
from chatsim.worlds.model.loop import current_loop
from chatsim.worlds.model.machines import Machine, WorkedNetwork
from chatsim.worlds.model.network import ModelNetwork
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from chatsim.chat.ports import Database, Locks, Network
    from chatsim.worlds.model.costs import ModelCosts

__all__ = ["ModelSite"]

_EPOCH = 1_700_000_000.0
"""The wall time at the beginning of every run, so that tokens are the same in each."""


class ModelSite:
    """The `Site` of a model; each machine is a host of the same name.

    Args:
        costs: what things cost.
        seed: of the latencies, and of the tokens' key.
        database: makes a pool of so many connections.

    Attributes:
        network: what lies between the machines.
        machines: those that listen, by name.
        tokens: the proofs of a login.
    """

    name = "model"

    def __init__(
        self, costs: ModelCosts, *, seed: int, database: Callable[[int], AbstractAsyncContextManager[Database]]
    ) -> None:
        latencies, key = (np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(2))
        clock = current_loop().time
        self.network = ModelNetwork(costs.network, rng=latencies)
        self.machines: dict[str, Machine] = {}
        self.tokens = SignedTokens(key.bytes(32), lambda: _EPOCH + clock())
        self._costs = costs.node
        self._service = costs.node.by_id
        self._database = database

    def at(self, machine: str) -> Network:
        """The network as seen from ``machine``, which does the work of what its listeners are asked."""

        def working() -> Machine:
            return self.machines.setdefault(machine, Machine(self._costs.cores))

        return WorkedNetwork(self.network.host(machine), working, self._service)

    def host(self, machine: str) -> str:
        """Its name."""
        return machine

    def database(self, connections: int) -> AbstractAsyncContextManager[Database]:
        """A pool of so many connections."""
        return self._database(connections)

    async def locks(self, connections: int) -> Locks:  # noqa: ARG002
        """None yet. Raises `WorldError`."""
        raise WorldError("the model has no Redis yet: a strategy that needs one can't run there")
