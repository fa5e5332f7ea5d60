"""Many users log in and stay: how soon are they in, and does everybody stay?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.chat.client.connection import ClientError
from chatsim.experiments.history import Outcome
from chatsim.experiments.statistics import percentile
from chatsim.worlds.cluster import Cluster

if TYPE_CHECKING:
    pass

__all__ = ["Crowd", "Visit", "summary"]

_FIRST_UID = 1


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of one user's visit; times in seconds since the run began.

    Attributes:
        client: which one.
        uid: the user.
        intended: when it was due.
        start: when it began to connect.
        end: when it was logged in, or was not.
        outcome: ``ok`` when it was logged in and stayed.
        reason: why not, otherwise.
    """

    client: int
    uid: int
    intended: float
    start: float
    end: float
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Crowd:
    """The parameters of a run.

    Attributes:
        clients: how many users, with ids from 1; each has a client on a machine of its own.
        seconds: how long the run takes; everybody stays to its end.
        arrival: the seconds at its beginning within which all arrive, at random times.
        deadline: the seconds that a request may take.
        seed: of the times.
    """

    clients: int
    seconds: float = 60.0
    arrival: float = 10.0
    deadline: float = 10.0
    seed: int = 1

    async def run(self, cluster: Cluster) -> list[Visit]:
        """Let all come; returns the visits, by client."""
        import numpy as np

        clock = asyncio.get_running_loop().time
        due = np.random.default_rng(self.seed).uniform(0, self.arrival, size=self.clients).tolist()
        begun = clock()

        async def visit(number: int, intended: float) -> Visit:
            await asyncio.sleep(begun + intended - clock())
            start, outcome, reason = clock(), Outcome.OK, ""
            uid, machine = _FIRST_UID + number, f"client{number}"
            try:
                client = await cluster.log_in(uid, deadline=self.deadline, machine=machine)
            except ClientError as error:
                return Visit(number, uid, intended, start - begun, clock() - begun, Outcome.FAIL, str(error))
            end = clock()
            await asyncio.sleep(begun + self.seconds - end)
            if client.ended is not None:
                outcome, reason = Outcome.FAIL, client.ended
            await client.close()
            return Visit(number, uid, intended, start - begun, end - begun, outcome, reason)

        async with asyncio.TaskGroup() as group:
            visits = [group.create_task(visit(number, intended)) for number, intended in enumerate(due)]
        return [each.result() for each in visits]


def summary(visits: Sequence[Visit]) -> dict[str, object]:
    """The visits in a row: how many, how many stayed, latency of the logins in ms, reasons of those that didn't."""
    import numpy as np

    times = np.array([(each.end - each.intended) * 1e3 for each in visits if each.outcome is Outcome.OK])
    return {
        "clients": len(visits),
        "stayed": len(times),
        **{f"p{q}_ms": percentile(times, q) for q in (50, 95, 99)},
        "reasons": dict(Counter(each.reason for each in visits if each.outcome is not Outcome.OK)),
    }
