"""Makes attacks on a running system, and measures innocent users during each, and beside a burner."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from attacks import burner, innocent, plan
from attacks.children import Child, Ended
from attacks.innocent import Noticed
from attacks.kernel import dropped_packets
from attacks.system import System
from attacks.verdict import Findings

__all__ = ["make"]

_SETTLE_SECONDS = 30.0
_BURNT_SECONDS = 60.0
"""For so long at most the burner runs."""


async def make(system: System, attack: plan.Attack, size: plan.Size, findings: Findings, start_memory: int) -> None:
    """Make an attack once, and then let the burner burn as much. What is found is added to ``findings``."""
    before, dropped = system.sample(), dropped_packets()
    noticed, ended = await _beside(system, attack.processes, None if attack.counted else size.seconds)
    seconds = max(each.seconds for each in ended)
    share = sum(each.cpu for each in ended) / seconds
    acknowledged = [*noticed.acknowledged, *(name for each in ended for name in each.value.acknowledged)]
    after = await system.settled(before.descriptors, _SETTLE_SECONDS)
    findings.attacked.add(noticed.latencies, noticed.failed)
    for each in ended:
        _add(findings.counts, each.value.counts)
    findings.shares.append(share)
    findings.seconds += seconds
    findings.tracebacks += system.logged(before.log).count("Traceback")
    findings.log += after.log - before.log
    findings.lost += len(await system.missing(acknowledged))
    findings.memory = after.memory - start_memory
    findings.descriptors = max(findings.descriptors, after.descriptors - before.descriptors)
    findings.notices += noticed.notices.total()
    findings.dropped += dropped_packets() - dropped
    burning = [(burner.prepare, each.pace) for each in ended]
    quiet, burners = await _beside(system, burning, min(seconds, _BURNT_SECONDS), with_place=False)
    findings.burnt.add(quiet.latencies, quiet.failed)
    findings.burnt_shares.append(sum(each.cpu / each.seconds for each in burners))


def _add(counts: Counter[str], more: Counter[str]) -> None:
    """Add counts; of sizes keep the largest."""
    for what, count in more.items():
        counts[what] = max(counts[what], count) if what.startswith("bytes of") else counts[what] + count


async def _beside(
    system: System, processes: Sequence[tuple[Any, tuple[Any, ...]]], seconds: float | None, *, with_place: bool = True
) -> tuple[Noticed, list[Ended[Any]]]:
    """What innocent users notice beside these processes for ``seconds``, or until they end by themselves."""
    place = system.place
    innocents = (innocent.prepare, (place, plan.innocents(), secrets.token_hex(4)))
    rest = [(each, (place, *args) if with_place else args) for each, args in processes]
    async with _children([innocents, *rest]) as (users, *others):
        for child in (users, *others):
            child.go()
        if seconds is None:
            ended = await asyncio.gather(*(child.ended() for child in others))
            users.stop()
            return (await users.ended()).value, ended
        await asyncio.sleep(seconds)
        users.stop()  # what it still waits for is to come while the others go on
        noticed = (await users.ended()).value
        for child in others:
            child.stop()
        return noticed, await asyncio.gather(*(child.ended() for child in others))


@asynccontextmanager
async def _children(what: Sequence[tuple[Any, tuple[Any, ...]]]) -> AsyncIterator[list[Child[Any]]]:
    """Processes that are ready, and killed at the end of the block if they have not ended."""
    children = [Child(prepare, *args) for prepare, args in what]
    try:
        await asyncio.gather(*(child.ready() for child in children))
        yield children
    finally:
        for child in children:
            child.kill()
