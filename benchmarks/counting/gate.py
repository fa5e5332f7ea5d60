"""The gate: costs are measured, and compared with those that are recorded."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.servers.mysqld import Profile
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from counting import clients, creation, reading, texts
from counting.cases import Case

__all__ = [
    "MODEL",
    "RECORDED",
    "SERVERS",
    "BadRecordError",
    "Difference",
    "Record",
    "all_cases",
    "in_model",
    "model_process",
    "on_mysql",
]

SERVERS = Servers(
    profile=Profile.QUICK.value,
    settings=(("innodb_flush_method", "nosync"), ("innodb_log_writer_threads", "OFF")),
    background=False,
)
"""A MySQL that waits for no disk. Its counts are those of a durable one, in a fraction of the time."""

RECORDED = Path(__file__).parent.parent / "costs.json"
"""The recorded costs."""

MODEL = "the model"
"""The name of the model among the servers."""


class BadRecordError(Exception):
    """The file with the recorded costs can't be used. The message says why."""


def all_cases(only: str = "") -> list[Case]:
    """All cases, or those with this text in their names."""
    modules = (creation, reading, texts, clients)
    return [each for each in chain.from_iterable(module.cases() for module in modules) if only in each.name]


def in_model(cases: Iterable[Case]) -> dict[str, int]:
    """The costs of cases in the model, each in a world of its own."""
    found: dict[str, int] = {}
    with _garbage_left():
        for case in cases:
            found |= Model().run(case.measure, seed=1)
    return found


@contextmanager
def _garbage_left() -> Iterator[None]:
    """No garbage collection: all cases leave 100 MB behind, and to collect them took a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def model_process() -> ProcessPoolExecutor:
    """A process for `in_model`: another core measures a real server meanwhile."""
    return ProcessPoolExecutor(1, get_context("spawn"))


async def on_mysql(world: MySQLWorld, cases: Iterable[Case]) -> dict[str, int]:
    """The costs of those cases that have one caller, on a real server."""
    await world.steady()
    found: dict[str, int] = {}
    before: Case | None = None
    for case in cases:
        if case.one_caller:
            found |= await case.measure(world, after=before)
            before = case
    return found


@dataclass(frozen=True)
class Difference:
    """A cost that is not as it is recorded.

    Attributes:
        cost: the names of the case and of the cost.
        old: what is recorded; None if nothing is.
        new: what was measured; None if it is not measured any more.
    """

    cost: str
    old: int | None
    new: int | None

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.cost}: {self.new:,}, and nothing is recorded"
        if self.new is None:
            return f"{self.cost}: {self.old:,} is recorded, and it is not measured any more"
        return f"{self.cost}: {self.old:,} -> {self.new:,} ({self.new - self.old:+,})"


class Record:
    """Recorded costs, by server.

    Args:
        by_server: the costs, by the server's version or `MODEL`, and by the names of the case and of the cost.
    """

    def __init__(self, by_server: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self.by_server = {server: dict(costs) for server, costs in (by_server or {}).items()}

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a file. One that is not there has no costs. Raises `BadRecordError`."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise BadRecordError(f"{path} can't be read: {error}") from error
        if not (
            isinstance(found, dict)
            and all(isinstance(costs, dict) for costs in found.values())
            and all(isinstance(cost, int) for costs in found.values() for cost in costs.values())
        ):
            raise BadRecordError(f"{path} has something else than numbers by server and by cost")
        return cls(found)

    def write(self, path: Path) -> None:
        """Write a file, with a line for each cost."""
        path.write_text(json.dumps(self.by_server, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def differences(self, server: str, measured: Mapping[str, int], cases: Iterable[Case]) -> list[Difference]:
        """The costs of cases that are not as they are recorded.

        Raises:
            BadRecordError: nothing is recorded for that server.
        """
        if server not in self.by_server:
            there = ", ".join(self.by_server) or "none"
            raise BadRecordError(f"no costs are recorded for {server}; there are those of: {there}; --write adds them")
        recorded = self._of(server, cases)
        return [
            Difference(cost, recorded.get(cost), measured.get(cost))
            for cost in sorted({*recorded, *measured})
            if recorded.get(cost) != measured.get(cost)
        ]

    def replace(self, server: str, measured: Mapping[str, int], cases: Iterable[Case]) -> None:
        """Record the costs of cases in place of the old ones."""
        costs = self.by_server.setdefault(server, {})
        for cost in self._of(server, cases):
            del costs[cost]
        costs.update(measured)

    def _of(self, server: str, cases: Iterable[Case]) -> dict[str, int]:
        names = tuple(f"{case.name}: " for case in cases)
        return {cost: value for cost, value in self.by_server[server].items() if cost.startswith(names)}
