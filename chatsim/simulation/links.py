"""What lies between two hosts: how long a byte is under way, and how many fit through in a second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LOOPBACK", "Constant", "Empirical", "Latency", "Link", "Lognormal", "Topology"]


class _Latency(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower, forbid_unknown_fields=True):
    """A distribution of one-way delays, in seconds; ``kind`` names it in a file."""


class Constant(_Latency, frozen=True):
    """Always the same."""

    seconds: float

    def draw(self, _: np.random.Generator) -> float:
        """A delay."""
        return self.seconds


class Lognormal(_Latency, frozen=True):
    """Skewed to the right, as delays across a network are.

    Attributes:
        median: in seconds.
        sigma: the standard deviation of the logarithm.
        least: what is added to each draw, in seconds.
    """

    median: float
    sigma: float
    least: float = 0.0

    def draw(self, rng: np.random.Generator) -> float:
        """A delay."""
        return self.least + self.median * math.exp(self.sigma * rng.standard_normal())


class Empirical(_Latency, frozen=True):
    """One of those that were measured, each as likely."""

    seconds: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> float:
        """A delay."""
        return self.seconds[rng.integers(len(self.seconds))]


Latency = Constant | Lognormal | Empirical


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One direction between two hosts, shared by all their connections.

    Attributes:
        latency: how long the last byte is under way, once it has been sent.
        bandwidth: bytes per second.

    Raises:
        ValueError: a value makes no sense.
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
"""From a host to itself."""


class Topology(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which link is between which hosts.

    Attributes:
        link: where nothing else is said.
        regions: a host's region; a host that is not named is in the region ``""``.
        between: the link between two regions, ``"a b"``; it serves both directions, and ``"a a"`` is within one.
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
