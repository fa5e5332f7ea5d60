"""A heat of a race: one strategy under one pattern. The callers call, and what came of it is checked and measured."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Never

from chatsim.chat.creation import CreationStrategy
from chatsim.chat.server.stats import Stats
from chatsim.experiments.checks import Anomaly
from chatsim.experiments.creation.callers import Caller
from chatsim.experiments.creation.checks import TWO_THREADS, PrivateChats, check_creation, pair_of
from chatsim.experiments.creation.side_effects import check_contents, check_states
from chatsim.experiments.creation.workload import Pair, Workload
from chatsim.experiments.history import Operation
from chatsim.experiments.measures import measures
from chatsim.experiments.together import side_by_side
from chatsim.experiments.variant import Variant
from chatsim.worlds.cluster import Cluster
from chatsim.worlds.world import Costs, TableContents, World

if TYPE_CHECKING:
    from tqdm.auto import tqdm

__all__ = ["Heat"]


@dataclass
class Heat:
    """One strategy under one pattern.

    Attributes:
        world: the world.
        strategy: the strategy.
        pattern: the name of the pattern.
        calls: the requests of the callers.
        callers: the callers.
        nodes: the nodes, if callers use them.
        before: what was in the tables before it.
        states: the states of the connections before it; None if the server does not tell.
        history: the operations so far.
        overdue: whether an operation has passed its deadline.
    """

    world: World
    strategy: CreationStrategy
    pattern: str
    calls: Workload
    callers: Sequence[Caller]
    nodes: Cluster | None
    before: Mapping[str, TableContents]
    states: Mapping[str, int] | None
    history: list[Operation] = field(default_factory=list)
    overdue: bool = False

    async def drive(self, bar: tqdm[Never]) -> float:
        """Let the callers make all their calls. Returns the time that this took, in seconds.

        An operation that takes longer than its deadline ends the heat: nobody makes another call then.
        """
        # otherwise the garbage collector would examine thousands of idle sessions again and again
        gc.collect()
        gc.freeze()
        try:
            return await self._drive(bar)
        finally:
            gc.unfreeze()

    async def _drive(self, bar: tqdm[Never]) -> float:
        clock = asyncio.get_running_loop().time
        begun = clock()

        async def one(caller: Caller, turn: int, call: Pair, intended: float | None = None) -> None:
            self.history.append(await caller.create(*call, turn=turn, begun=begun, intended=intended))
            self.overdue = self.overdue or caller.overdue
            bar.update()

        async def alone(caller: Caller, own: Sequence[Pair], due: Sequence[float] | None) -> None:
            for turn, call in enumerate(own):
                if self.overdue:
                    return
                intended = None if due is None else begun + due[turn]
                if intended is not None:
                    await asyncio.sleep(intended - clock())
                await one(caller, turn, call, intended)

        calls, due = self.calls.calls, self.calls.due
        if self.calls.together and due is None:
            for turn, asked in enumerate(zip(*calls, strict=True)):
                if self.overdue:
                    break
                now = clock()
                await side_by_side(
                    one(caller, turn, call, now) for caller, call in zip(self.callers, asked, strict=True)
                )
        else:
            times = due or itertools.repeat(None, len(calls))
            await side_by_side(alone(*each) for each in zip(self.callers, calls, times, strict=True))
        return clock() - begun

    async def kept(self) -> Sequence[Anomaly]:
        """What the connections have kept of the operations. To be asked before they are closed, outside the window."""
        return [*check_states(self.states, await self.world.session_states(), self.strategy.isolation)]

    async def judge(self, window_s: float, costs: Costs, kept: Sequence[Anomaly]) -> Variant:
        """Check the history, the tables and what the connections have kept. To be called when they are closed."""
        stats = Stats() if self.nodes is None else self.nodes.stats
        after = await self.world.contents()
        asked = {pair_of(each) for each in self.history}
        tries = sum(each.attempts for each in self.history) + stats.refusals.total()
        final = PrivateChats.of(after)
        verdict = check_creation(
            self.history,
            final,
            asked=sum(map(len, self.calls.calls)),
            others=[*kept, *check_contents(self.before, after, asked=asked, tries=tries)],
            limits="" if self.states is not None else "; the server does not tell what its connections have kept",
        )
        counts = {"duplicate_pairs": verdict.count(TWO_THREADS), "orphan_threads": final.orphans if final else None}
        return Variant(
            key={"strategy": self.strategy.name, "pattern": self.pattern},
            measures=measures(self.history, window_s, stats, costs) | counts,
            verdict=verdict,
            operations=self.history,
            window_s=window_s,
            deadlock=await self.world.deadlock(),
        )
