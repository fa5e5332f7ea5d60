"""The ratios that the report states, each with its target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["TARGETS", "Stated", "Target", "stated"]


@dataclass(frozen=True)
class Target:
    """A ratio that a benchmark puts into its ``extra_info``.

    Attributes:
        sentence: what is compared with what.
        benchmark: the end of the benchmark's name.
        key: where the ratio is.
        at_least, at_most: the target; both None if the ratio is only stated.
    """

    sentence: str
    benchmark: str
    key: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, ratio: float) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.at_least is not None:
            return ratio >= self.at_least
        return None if self.at_most is None else ratio <= self.at_most

    @property
    def words(self) -> str:
        """The target in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "stated only" if self.at_most is None else f"at most {self.at_most:g}"


_SLAP, _NOOP = "test_one_round_trip_creates_beside_mysqlslap", "test_a_noop_passes_the_stack_beside_a_creation"
_HISTORY, _CATCHUP = (
    "test_a_whole_history_is_read_beside_a_pipeline",
    "test_100000_messages_are_caught_up_beside_a_pipeline",
)

TARGETS = (
    Target(
        "creations at the store layer to mysqlslap, autocommit", f"{_SLAP}[autocommit-store]", "ratio_to_mysqlslap", 1.0
    ),
    Target(
        "creations at the store layer to mysqlslap, transaction",
        f"{_SLAP}[transaction-store]",
        "ratio_to_mysqlslap",
        1.0,
    ),
    Target(
        "creations through the stack to mysqlslap, autocommit", f"{_SLAP}[autocommit-stack]", "ratio_to_mysqlslap", 0.8
    ),
    Target(
        "creations through the stack to mysqlslap, transaction",
        f"{_SLAP}[transaction-stack]",
        "ratio_to_mysqlslap",
        0.8,
    ),
    Target(
        "noop through the stack to the fastest safe strategy, 1 client",
        f"{_NOOP}[1]",
        "ratio_to_one_round_trip",
        at_most=0.25,
    ),
    Target(
        "noop through the stack to the fastest safe strategy, 16 clients", f"{_NOOP}[16]", "ratio_to_one_round_trip"
    ),
    Target("pages of a history to the bare pipeline", f"{_HISTORY}[history]", "ratio_to_pipeline", 0.5),
    Target("pages of a history to the mysql client", f"{_HISTORY}[history]", "ratio_to_mysql_client"),
    Target("a catch-up into SQLite to the bare pipeline", _CATCHUP, "ratio_to_pipeline", 0.5),
    Target("a catch-up into SQLite to the mysql client", _CATCHUP, "ratio_to_mysql_client"),
    Target(
        "the time of a catch-up to its lower bound",
        "test_a_client_catches_up[bulk-user_version]",
        "ratio_to_bound",
        at_most=2.0,
    ),
    Target("the loop to SimPy processes", "test_tasks_play_ping_pong_beside_simpy_processes", "ratio_to_simpy", 1.0),
    Target(
        "the processor's time of a client, a race of 10,000 to one of 1,000",
        "test_clients_race_in_the_model[10000]",
        "ratio_per_client_to_a_tenth",
        at_most=1.25,
    ),
    Target(
        "the processor's time of a client, a crowd of 100,000 to one of 10,000",
        "test_a_crowd_of_ten_times_as_many_takes_ten_times_as_long",
        "ratio_per_client_to_a_tenth",
        at_most=1.25,
    ),
)
"""All of them."""


@dataclass(frozen=True)
class Stated:
    """A target, and the ratio that was measured; None if it was not."""

    target: Target
    ratio: float | None

    @property
    def verdict(self) -> str:
        """Whether it is met, in a word."""
        if self.ratio is None:
            return "not measured"
        return {True: "met", False: "**not met**", None: ""}[self.target.met(self.ratio)]


def stated(benchmarks: Iterable[Mapping[str, Any]]) -> list[Stated]:
    """All targets, with the ratios of a run. ``benchmarks`` are those of pytest-benchmark's JSON."""
    by_name = {each["fullname"].rpartition("::")[2]: each.get("extra_info", {}) for each in benchmarks}
    return [Stated(each, by_name.get(each.benchmark, {}).get(each.key)) for each in TARGETS]
