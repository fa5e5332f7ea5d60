"""Links between hosts: their latency and their bandwidth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LOOPBACK", "Constant", "Empirical", "Latency", "Link", "Lognormal", "Topology"]


class _Latency(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower, forbid_unknown_fields=True):
    """A distribution of one-way delays, in seconds. In a file, ``kind`` names it."""


class Constant(_Latency, frozen=True):
    """A delay that is always the same."""

    seconds: float

    def draw(self, _: np.random.Generator) -> float:
        """A delay."""
        return self.seconds


class Lognormal(_Latency, frozen=True):
    """Lognormal delays. Like those of real networks, they are skewed to the right.

    Attributes:
        median: the median, in seconds.
        sigma: the standard deviation of the logarithm.
        least: seconds that are added to each delay.
    """

    median: float
    sigma: float
    least: float = 0.0

    def draw(self, rng: np.random.Generator) -> float:
        """A delay."""
        return self.least + self.median * math.exp(self.sigma * rng.standard_normal())


class Empirical(_Latency, frozen=True):
    """Measured delays, each with the same probability."""

    seconds: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> float:
        """A delay."""
        return self.seconds[rng.integers(len(self.seconds))]


Latency = Constant | Lognormal | Empirical


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One direction between two hosts, shared by all their connections.

    Attributes:
        latency: the time from sending a byte to its arrival.
        bandwidth: bytes per second.

    Raises:
        ValueError: a value is invalid.
    """

    latency: Latency = Constant(0.0)
    bandwidth: float = math.inf

    def __post_init__(self) -> None:
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth is {self.bandwidth}; it must be above 0")
        latency = self.latency
        numbers = latency.seconds if isinstance(latency, Empirical) else msgspec.structs.astuple(latency)
        if not numbers or not all(number >= 0 for number in numbers):
            raise ValueError(f"latency is {latency}; it must have no number below 0, and one at least")


LOOPBACK = Link()
"""The link from a host to itself."""


class Topology(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which link is between which hosts.

    Attributes:
        link: the default.
        regions: from the name of a host to its region. Other hosts are in the region ``""``.
        between: the link between two regions, such as ``"a b"``, for both directions; ``"a a"`` is within one region.
    """

    link: Link = LOOPBACK
    regions: Mapping[str, str] = msgspec.field(default_factory=dict)
    between: Mapping[str, Link] = msgspec.field(default_factory=dict)

    def find(self, here: str, there: str) -> Link:
        """The link from one host to another."""
        if here == there:
            return LOOPBACK
        one, other = self.regions.get(here, ""), self.regions.get(there, "")
        return self.between.get(f"{one} {other}") or self.between.get(f"{other} {one}") or self.link
