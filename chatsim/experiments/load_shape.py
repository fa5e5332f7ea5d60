"""The shape of a load in time: how long it lasts, how it begins, and when each caller makes its requests.

The time of a run begins at 0, when the first caller starts. Within the ramp the load grows; until the end of the
warm-up nothing is measured; the measured window comes after the warm-up. A ramp may end within the window, if what
happens under a growing load is what one wants to see.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chatsim.experiments.history import Operation
from chatsim.experiments.parameters import BadParameterError, Number, When, parameter

if TYPE_CHECKING:
    import numpy as np

__all__ = ["DURATION", "LoadShape", "ramp_parameter", "rate_parameter", "think_time_parameter", "warm_up_parameter"]

_CLOSED = When("rate", lambda rate: rate is None, "without a rate")

_DAY = 86_400

DURATION = Number(0.001, "seconds", _DAY)
"""How long a measured window can be."""


def warm_up_parameter(when: When | None = None) -> Any:
    """The parameter of an experiment that says how long is run, and not measured, before the window."""
    return parameter(0.0, Number(0, "seconds", _DAY), "how long everything runs before it is measured", when)


def ramp_parameter() -> Any:
    """The parameter of an experiment that says how long the load grows."""
    return parameter(
        0.0,
        Number(0, "seconds", _DAY),
        "how long the load grows from the beginning, warm-up included: the callers start one after the other, or the"
        " rate rises evenly",
    )


def think_time_parameter() -> Any:
    """The parameter of an experiment that says how long a caller pauses."""
    return parameter(
        0.0,
        Number(0, "ms", 1_000 * _DAY),
        "the mean pause of a caller before each request; the pauses are drawn, and distributed exponentially",
        _CLOSED,
    )


def rate_parameter() -> Any:
    """The parameter of an experiment that makes the loop an open one."""
    return parameter(
        None,
        Number(0.001, "per second", 1_000_000),
        "requests of all callers, at random times; if not given, each caller's next request follows its last answer",
    )


@dataclass(frozen=True)
class LoadShape:
    """When callers make their requests. Times are in seconds.

    Attributes:
        duration: the length of the measured window.
        warm_up: the time before it, from the beginning on.
        ramp: the time from the beginning in which the load grows. In a closed loop, the callers start evenly spread
            over it; in an open loop, the rate rises from 0.
        think: the mean of the exponential pauses before each request of a closed loop.
        rate: the requests per second of all callers of an open loop, Poisson processes; None for a closed loop.

    Raises:
        BadParameterError: the ramp is longer than warm-up and window together.
    """

    duration: float
    warm_up: float = 0.0
    ramp: float = 0.0
    think: float = 0.0
    rate: float | None = None

    def __post_init__(self) -> None:
        if self.ramp > self.end:
            raise BadParameterError(
                f"ramp is {self.ramp:g}, longer than warm_up and duration together ({self.end:g} s)"
            )

    @property
    def end(self) -> float:
        """The end of the measured window. No request is due later."""
        return self.warm_up + self.duration

    def measured(self, history: Iterable[Operation]) -> list[Operation]:
        """The operations that were due in the measured window."""
        return [each for each in history if self.warm_up <= each.intended < self.end]

    def answered(self, history: Iterable[Operation]) -> list[Operation]:
        """The operations that ended in the measured window, whenever they were due: what goodput counts."""
        return [each for each in history if self.warm_up <= each.end < self.end]

    def expected(self, clients: int, per_s: int) -> int:
        """About how many requests are made.

        Args:
            clients: the number of callers.
            per_s: how many a closed loop without pauses makes in a second.
        """
        if self.rate is not None:
            return math.ceil(self.rate * (self.end - self.ramp / 2))
        most = min(per_s, clients / self.think) if self.think else per_s
        return math.ceil(most * self.end)

    async def pause(self, rng: np.random.Generator) -> None:
        """The pause of a caller of a closed loop before a request."""
        if self.think:
            await asyncio.sleep(float(rng.exponential(self.think)))

    async def turns(
        self, client: int, clients: int, begun: float, rng: np.random.Generator
    ) -> AsyncGenerator[float, None]:
        """The times at which a caller makes its requests, by the loop's clock, each when it has come.

        Args:
            client: the number of the caller, from 0.
            clients: the number of callers.
            begun: the beginning of the run, by the loop's clock.
            rng: the caller's own generator.
        """
        clock = asyncio.get_running_loop().time
        if self.rate is not None:
            for due in self._arrivals(self.rate / clients, rng):
                await asyncio.sleep(begun + due - clock())
                yield begun + due
            return
        await asyncio.sleep(self.ramp * client / clients)
        while True:
            await self.pause(rng)
            if (now := clock()) - begun >= self.end:
                return
            yield now

    def _arrivals(self, rate: float, rng: np.random.Generator) -> Iterator[float]:
        """The times of a Poisson process whose rate rises from 0 to ``rate`` within the ramp.

        They are those of a process with the rate 1, mapped by the inverse of the number of arrivals that are expected
        until a time.
        """
        expected, at_top = 0.0, rate * self.ramp / 2
        while True:
            expected += float(rng.exponential())
            if expected < at_top:
                due = math.sqrt(2 * self.ramp * expected / rate)
            else:
                due = self.ramp + (expected - at_top) / rate
            if due >= self.end:
                return
            yield due
