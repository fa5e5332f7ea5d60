"""A closed queueing network: customers go round between machines. Its throughput is that of mean value analysis.

Exact for exponential work and first come, first served: Reiser and Lavenberg, "Mean-Value Analysis of Closed Multichain
Queuing Networks", Journal of the ACM 27 (1980).
"""

import asyncio

import numpy as np
import pytest

from chatsim.simulation.cpu import CPU
from chatsim.simulation.loop import run

pytestmark = pytest.mark.slow

ROUNDS = 40_000


def mean_value_analysis(customers, think, work):
    """The throughput, and the mean number of customers at each machine of one core."""
    queues = [0.0] * len(work)
    throughput = 0.0
    for present in range(1, customers + 1):
        waits = [seconds * (1 + queue) for seconds, queue in zip(work, queues, strict=True)]
        throughput = present / (think + sum(waits))
        queues = [throughput * wait for wait in waits]
    return throughput, queues


def simulated(customers, think, work, seed=1):
    """The throughput, and the share of the time that each machine works."""
    chance = np.random.default_rng(seed)

    async def main():
        machines = [CPU(1) for _ in work]
        left = [ROUNDS]

        async def customer():
            while left[0] > 0:
                left[0] -= 1
                await asyncio.sleep(chance.exponential(think) if think else 0)
                for machine, seconds in zip(machines, work, strict=True):
                    await machine.work(chance.exponential(seconds))

        await asyncio.gather(*(customer() for _ in range(customers)))
        now = asyncio.get_running_loop().time()
        return ROUNDS / now, [machine.busy_seconds / now for machine in machines]

    return run(main())


@pytest.mark.parametrize(
    ("customers", "think", "work"),
    [
        (1, 1.0, (0.5, 0.25)),
        (4, 0.0, (0.5, 0.5, 0.5)),
        (8, 2.0, (0.25, 0.5)),
        (40, 5.0, (0.1, 0.3, 0.05)),
        (100, 10.0, (0.05, 0.08)),
    ],
)
def test_throughput_and_utilisation_are_within_two_per_cent_of_mean_value_analysis(customers, think, work):
    expected, _ = mean_value_analysis(customers, think, work)
    throughput, shares = simulated(customers, think, work)
    assert throughput == pytest.approx(expected, rel=0.02)
    assert shares == pytest.approx([expected * seconds for seconds in work], rel=0.02)
