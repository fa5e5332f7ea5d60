"""A heat of a race: one strategy under one pattern. The callers call, and what came of it is checked and measured."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Never

from chatsim.chat.creation import CreationStrategy
from chatsim.chat.server.stats import Stats
from chatsim.experiments.checks import Anomaly
from chatsim.experiments.creation.callers import Caller
from chatsim.experiments.creation.checks import TWO_THREADS, PrivateChats, check_creation, pair_of
from chatsim.experiments.creation.side_effects import check_contents, check_states
from chatsim.experiments.creation.workload import Pair, Workload
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.load_shape import LoadShape
from chatsim.experiments.measures import measures
from chatsim.experiments.together import side_by_side
from chatsim.experiments.variant import Variant
from chatsim.worlds.cluster import Cluster
from chatsim.worlds.world import Costs, TableContents, World

if TYPE_CHECKING:
    import numpy as np
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
        shape: until when the callers make requests, and with which pauses; without an end, they make all of them.
        rngs: the generators of the pauses of each caller.
        warm_up_rounds: how many calls each caller makes, and all have made, before the measured window begins.
        history: the operations so far.
        overdue: whether an operation has passed its deadline.
        ran_out: when a caller had made all its requests before the end, in seconds; None if none had.
        noted: what nodes and database had done when the measured window began, if that was after the beginning.
    """

    world: World
    strategy: CreationStrategy
    pattern: str
    calls: Workload
    callers: Sequence[Caller]
    nodes: Cluster | None
    before: Mapping[str, TableContents]
    states: Mapping[str, int] | None
    shape: LoadShape
    rngs: Sequence[np.random.Generator]
    warm_up_rounds: int = 0
    history: list[Operation] = field(default_factory=list)
    overdue: bool = False
    ran_out: float | None = None
    noted: tuple[Stats, Costs] | None = None
    _begun: float = 0.0

    async def drive(self, bar: tqdm[Never]) -> float:
        """Let the callers make their calls. Returns the length of the measured window, in seconds.

        An operation that takes longer than its deadline ends the heat: nobody makes another call then.
        """
        self._begun = asyncio.get_running_loop().time()
        if self.warm_up_rounds:
            await self._drive(bar, 0, self.warm_up_rounds)
            await self._note()
            self.shape = replace(self.shape, warm_up=self._now())
        watching = asyncio.create_task(self._note_later()) if self.shape.warm_up and not self.noted else None
        try:
            took = await self._drive(bar, self.warm_up_rounds)
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.wait([watching])
        return max(0.0, min(self.shape.end, took if self.ran_out is None else self.ran_out) - self.shape.warm_up)

    @property
    def _stats(self) -> Stats:
        return Stats() if self.nodes is None else self.nodes.stats

    async def _note_later(self) -> None:
        await asyncio.sleep(self.shape.warm_up)
        await self._note()

    async def _note(self) -> None:
        self.noted = self._stats, await self.world.costs()

    async def _drive(self, bar: tqdm[Never], first: int, until: int | None = None) -> float:
        """Let the callers make their calls from the first of these numbers on."""
        calls, due = [own[first:until] for own in self.calls.calls], self.calls.due
        if self.calls.together and due is None:
            await self._round_by_round(calls, bar, first)
        elif due is None:
            await side_by_side(self._when_answered(number, own, bar, first) for number, own in enumerate(calls))
        else:
            each = enumerate(zip(calls, due, strict=True))
            await side_by_side(self._when_due(number, own, times, bar) for number, (own, times) in each)
        return self._now()

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._begun

    def _is_over(self) -> bool:
        return self.overdue or self._now() >= self.shape.end

    async def _round_by_round(self, calls: Sequence[Sequence[Pair]], bar: tqdm[Never], first: int) -> None:
        for turn, asked in enumerate(zip(*calls, strict=True), first):
            await self.shape.pause(self.rngs[0])
            if self._is_over():
                return
            now = asyncio.get_running_loop().time()
            await side_by_side(self._one(number, turn, call, bar, now) for number, call in enumerate(asked))
        self._note_end(self._now())

    async def _when_answered(self, number: int, own: Sequence[Pair], bar: tqdm[Never], first: int) -> None:
        for turn, call in enumerate(own, first):
            await self.shape.pause(self.rngs[number])
            if self._is_over():
                return
            await self._one(number, turn, call, bar)
        self._note_end(self._now())

    async def _when_due(self, number: int, own: Sequence[Pair], due: Sequence[float], bar: tqdm[Never]) -> None:
        for turn, (call, at) in enumerate(zip(own, due, strict=True)):
            if at >= self.shape.end:
                return
            await asyncio.sleep(self._begun + at - asyncio.get_running_loop().time())
            if self.overdue:
                return
            await self._one(number, turn, call, bar, self._begun + at)
        self._note_end(due[-1])

    async def _one(self, number: int, turn: int, call: Pair, bar: tqdm[Never], intended: float | None = None) -> None:
        caller = self.callers[number]
        await self.world.own_work()
        self.history.append(await caller.create(*call, turn=turn, begun=self._begun, intended=intended))
        self.overdue = self.overdue or caller.overdue
        bar.update()

    def _note_end(self, now: float) -> None:
        """Note that a caller has made all its requests, if it should have gone on."""
        if self.ran_out is None and now < self.shape.end < math.inf:
            self.ran_out = now

    async def kept(self) -> Sequence[Anomaly]:
        """What the connections have kept of the operations. To be asked before they are closed, outside the window."""
        return [*check_states(self.states, await self.world.session_states(), self.strategy.isolation)]

    async def judge(self, window_s: float, costs: Costs, kept: Sequence[Anomaly]) -> Variant:
        """Check the history, the tables and what the connections have kept. To be called when they are closed."""
        stats = self._stats
        after = await self.world.contents()
        asked = {pair_of(each) for each in self.history}
        tries = sum(each.attempts for each in self.history) + stats.refusals.total()
        final = PrivateChats.of(after)
        verdict = check_creation(
            self.history,
            final,
            asked=sum(map(len, self.calls.calls)) if self.shape.end == math.inf else 0,
            others=[*kept, *check_contents(self.before, after, asked=asked, tries=tries)],
            limits="" if self.states is not None else "; the server does not tell what its connections have kept",
        )
        if self.ran_out is not None and not verdict.remark:
            verdict = replace(verdict, remark=f"all drawn requests were made after {self.ran_out:.3g} s")
        if self.noted is not None:
            stats = stats - self.noted[0]
        found = measures(self.shape.measured(self.history), window_s, stats, costs)
        if self.shape.end < math.inf:
            good = sum(each.outcome is Outcome.OK for each in self.shape.answered(self.history))
            found["goodput_per_s"] = good / window_s if window_s else None
        counts = {"duplicate_pairs": verdict.count(TWO_THREADS), "orphan_threads": final.orphans if final else None}
        return Variant(
            key={"strategy": self.strategy.name, "pattern": self.pattern},
            measures=found | counts,
            verdict=verdict,
            operations=self.history,
            window_s=window_s,
            deadlock=await self.world.deadlock(),
        )
