"""A crowd: many users log in and stay. How soon are they logged in, and do all of them stay connected?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chatsim.chat.client.connection import Client, ClientError
from chatsim.experiments.history import Operation, Outcome, Recorder
from chatsim.experiments.statistics import latencies_ms, percentile
from chatsim.worlds.cluster import Cluster

__all__ = ["LOG_IN", "Crowd", "summary"]

LOG_IN = "log in"
"""The kind of operation."""

_FIRST_UID = 1


@dataclass(frozen=True)
class Crowd:
    """The parameters of a run.

    Attributes:
        clients: the number of users, with ids from 1; each has a client on a machine of its own.
        seconds: the length of the run; all users stay until its end.
        arrival: the seconds at its beginning within which all users arrive, at random times.
        deadline: the largest time for a request, in seconds.
        seed: the seed of the arrival times.
    """

    clients: int
    seconds: float = 60.0
    arrival: float = 10.0
    deadline: float = 10.0
    seed: int = 1

    async def run(self, cluster: Cluster) -> list[Operation]:
        """Let all users log in and stay. Returns their logins. A user who did not stay has a failed login."""
        clock = asyncio.get_running_loop().time
        due = np.random.default_rng(self.seed).uniform(0, self.arrival, size=self.clients).tolist()
        begun = clock()

        async def visit(number: int, intended: float) -> Operation:
            await asyncio.sleep(begun + intended - clock())
            uid = _FIRST_UID + number
            client: Client | None = None

            async def log_in(_: object) -> dict[str, int]:
                nonlocal client
                client = await cluster.log_in(uid, deadline=self.deadline, machine=f"client{number}")
                return {}

            login = await Recorder(number, begun).record(
                LOG_IN, {"uid": uid}, log_in, turn=0, refusable=(ClientError,), intended=begun + intended
            )
            if client is None:
                return login
            await asyncio.sleep(begun + self.seconds - clock())
            if client.ended is not None:
                login = replace(login, outcome=Outcome.FAIL, reason=client.ended)
            await client.close()
            return login

        async with asyncio.TaskGroup() as group:
            visits = [group.create_task(visit(number, intended)) for number, intended in enumerate(due)]
        return [each.result() for each in visits]


def summary(logins: Sequence[Operation]) -> dict[str, object]:
    """A crowd as a row: arrived and remaining users, latency of logins in ms, reasons of those who did not stay."""
    times = latencies_ms(logins)
    return {
        "clients": len(logins),
        "stayed": len(times),
        **{f"p{q}_ms": percentile(times, q) for q in (50, 95, 99)},
        "reasons": dict(Counter(each.reason for each in logins if each.outcome is not Outcome.OK)),
    }
