"""One run of a mixed load: all users make their requests, and what came of them is recorded and measured."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Never

from chatsim.chat.server.stats import Stats
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.load_shape import LoadShape
from chatsim.experiments.measures import measures
from chatsim.experiments.mix.checks import ALL
from chatsim.experiments.mix.user import CATCHUP, CREATION, PAGE, TEXT, User
from chatsim.experiments.together import side_by_side
from chatsim.worlds.cluster import Cluster
from chatsim.worlds.world import Costs, World

if TYPE_CHECKING:
    import numpy as np
    from tqdm.auto import tqdm

__all__ = ["Load"]


@dataclass
class Load:
    """One run of the mix.

    Attributes:
        shape: when users make requests.
        weights: the weight of each kind of operation.
        world: the world.
        nodes: the nodes.
        users: the users, each with its place in the list as its id minus 1.
        rngs: a generator for each of them, which draws when it makes a request, and of what kind.
        operations: what was done, by kind.
        asked: how many operations of each kind were begun.
    """

    shape: LoadShape
    weights: Mapping[str, float]
    world: World
    nodes: Cluster
    users: Sequence[User]
    rngs: Sequence[np.random.Generator]
    operations: dict[str, list[Operation]] = field(init=False)
    asked: Counter[str] = field(default_factory=Counter)
    _stats: Stats = field(default_factory=Stats)
    _costs: Costs = field(default=Costs(0, 0, None, None))

    def __post_init__(self) -> None:
        self.operations = {kind: [] for kind in self.weights}

    async def drive(self, bar: tqdm[Never]) -> None:
        """Let all users make their requests, from the beginning to the end of the window."""
        begun = asyncio.get_running_loop().time()
        callers = (self._requests(number, begun) for number in range(len(self.users)))
        await side_by_side([self._watch(begun, bar), *callers])
        self._stats, self._costs = self.nodes.stats - self._stats, await self.world.costs() - self._costs

    async def _watch(self, begun: float, bar: tqdm[Never]) -> None:
        """Note what nodes and database have done when the window begins, and move the bar second by second."""
        await self._until(begun, self.shape.warm_up, bar)
        self._stats, self._costs = self.nodes.stats, await self.world.costs()
        await self._until(begun, self.shape.end, bar)

    @staticmethod
    async def _until(begun: float, when: float, bar: tqdm[Never]) -> None:
        clock = asyncio.get_running_loop().time
        while (left := begun + when - clock()) > 0:
            await asyncio.sleep(min(1.0, left))
            bar.update()

    async def _requests(self, number: int, begun: float) -> None:
        """All requests of one user."""
        rng, kinds = self.rngs[number], [*self.weights]
        total = sum(self.weights.values())
        shares = [each / total for each in self.weights.values()]
        async with aclosing(self.shape.turns(number, len(self.users), begun, rng)) as turns:
            async for due in turns:
                await self._do(self.users[number], kinds[int(rng.choice(len(kinds), p=shares))], begun, due)

    async def _do(self, user: User, kind: str, begun: float, due: float) -> None:
        if kind == CREATION:
            other = user.stranger()
            both = ((user, other), (self.users[other - 1], user.uid))
            self.asked[kind] += len(both)
            await side_by_side(self._create(one, two, begun, due) for one, two in both)
            return
        self.asked[kind] += 1
        act = {TEXT: user.text, PAGE: user.page, CATCHUP: user.catch_up}[kind]
        self.operations[kind].append(await act(begun, due))

    async def _create(self, user: User, other: int, begun: float, due: float) -> None:
        self.operations[CREATION].append(await user.create(other, begun, due))

    def measures(self, kind: str) -> dict[str, object]:
        """The measures of a kind of operation, or of all: those that were due in the window, and in it answered."""
        own = [*self.operations.values()] if kind == ALL else [self.operations[kind]]
        history = [each for operations in own for each in operations]
        # the nodes count the refusals of creations; what the database did was for all
        stats = self._stats if kind in (ALL, CREATION) else Stats()
        found = measures(self.shape.measured(history), self.shape.duration, stats, self._costs if kind == ALL else None)
        good = sum(each.outcome is Outcome.OK for each in self.shape.answered(history))
        return found | {"goodput_per_s": good / self.shape.duration}
