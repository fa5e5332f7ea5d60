"""Costs of the model, fitted to micro-measurements.

Processor time is a sum of counts times costs, none of which is negative: non-negative least squares (Lawson and Hanson,
"Solving Least Squares Problems", 1974), each measurement weighted by its size, so that relative errors are small. What
is left of the latency of one caller alone is the links', and, with a commit, the logs'. A program has to wake up for
each request of one caller alone, and for as many of several callers' as find it idle. The uncertainty is that of a
bootstrap over rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from chatsim.experiments.calibration.deadlocks import CHARACTERS
from chatsim.experiments.calibration.messages import Handled, Kind
from chatsim.experiments.calibration.micro import Measurement, OwnWork
from chatsim.experiments.calibration.stores import Stored
from chatsim.simulation.run_queues import COLD_AFTER

T = TypeVar("T")

__all__ = ["Fit", "Fitted", "Round", "fit", "fitted"]

_QUANTILES = 40
"""Values that stand for the distribution of a flush."""

_RESAMPLED = 200


@dataclass(frozen=True)
class Round:
    """Everything, measured once.

    Attributes:
        scripts: of callers straight on the database.
        messages: of a client on a node.
        stores: of a client's local store.
        races: of a race whose operations ask for nothing.
        deadlocks: seconds until the error of a deadlock, of callers straight on the database.
    """

    scripts: Sequence[Measurement]
    messages: Sequence[Handled]
    stores: Sequence[Stored]
    races: Sequence[OwnWork]
    deadlocks: Sequence[float]


@dataclass(frozen=True)
class Fitted:
    """Costs of the model, by their place in a file of costs.

    Attributes:
        costs: seconds, by place, such as ``database.statement``.
        flush: seconds of a flush of the logs: values that are equally probable.
    """

    costs: Mapping[str, float]
    flush: Sequence[float]


@dataclass(frozen=True)
class Fit:
    """Costs of the model, with their uncertainty.

    Attributes:
        best: the costs, fitted to everything.
        drawn: costs that could be the true ones: each fitted to rounds that were drawn from all rounds. With one round
            only the best ones.
    """

    best: Fitted
    drawn: Sequence[Fitted]

    def interval(self, name: str) -> tuple[float, float]:
        """The interval of 90 % of a cost."""
        low, high = np.quantile([each.costs[name] for each in self.drawn], (0.05, 0.95))
        return float(low), float(high)


def fit(rounds: Sequence[Round], rng: np.random.Generator) -> Fit:
    """Fit the costs to all rounds, each of which has all measurements."""
    best = fitted(rounds)
    if len(rounds) == 1:
        return Fit(best, [best])
    drawn = []
    for _ in range(_RESAMPLED):
        chosen = rng.integers(len(rounds), size=len(rounds))
        drawn.append(fitted([rounds[number] for number in chosen]))
    return Fit(best, drawn)


def fitted(rounds: Sequence[Round]) -> Fitted:
    """The costs that fit to the measurements of some rounds."""
    measured = [each for one in rounds for each in one.scripts]
    server = _least_squares(
        measured,
        lambda each: each.server_cpu,
        {
            "database.request": lambda _: 1.0,
            "database.statement": lambda each: each.statements,
            "database.character": lambda each: each.micro.characters,
            "database.table": lambda each: each.micro.tables,
            "database.temporary": lambda each: each.micro.temporaries,
            "database.fetch": lambda each: each.micro.fetched,
            "database.value": lambda each: each.micro.values,
            "database.record": lambda each: each.examined,
            "database.write": lambda each: each.micro.written,
            "database.undo": lambda each: each.micro.undone,
            "database.wait": lambda each: each.waits,
            "database.transaction": lambda each: each.micro.commits,
            # a rollback waits for the redo log, and not for the binary log
            "database.group": lambda each: each.flushes * (1.0 if each.micro.commits else 0.5),
            # with several callers there is nearly always a request under way
            "database.wake": lambda each: each.callers == 1,
            "database.cold": lambda each: (each.callers == 1) * _idleness(each, float(np.mean(each.latencies))),
        },
    )
    driver = _least_squares(
        # answers of several statements that do nothing come together, and cost less than those of others
        [each for each in measured if each.micro.tables or each.statements < 2],
        lambda each: each.client_cpu,
        {
            "client.request": lambda _: 1.0,
            "client.statement": lambda each: each.statements,
            "client.value": lambda each: each.micro.values,
            "client.wake": lambda each: (1 + bool(each.micro.pause)) * _finds_idle(each),
            "client.cold": lambda each: _idleness(each, each.client_cpu),
        },
    )
    raced = _least_squares(
        [each for one in rounds for each in one.races],
        lambda each: each.cpu - driver["client.statement"] * each.statements,
        {
            "client.operation": lambda _: 1.0,
            "client.request": lambda each: each.requests,
            "client.failure": lambda each: each.failures,
        },
    )
    client = {**driver, **raced}
    alone = [each for each in measured if each.callers == 1 and not each.micro.pause]
    # of several statements, this process's work is beside the server's
    reads = [each for each in alone if not each.micro.written and each.statements < 2]
    link = max(0.0, float(np.median([np.median(each.latencies) - _cpu(each) for each in reads])) / 2)
    left = [
        max(0.0, latency - _cpu(each) - 2 * link)
        for each in alone
        if each.micro.commits and each.statements < 2  # of more, this process's work is beside the server's
        for latency in each.latencies
    ]
    flush = [float(value) for value in np.quantile(left, (np.arange(_QUANTILES) + 0.5) / _QUANTILES)]
    costs = {**server, **client, "network.link.latency": link, "database.flush": float(np.mean(flush))}
    costs |= _least_squares(
        [each for one in rounds for each in one.stores],
        lambda each: each.cpu,
        {"store.call": lambda each: each.script.calls, "store.row": lambda each: each.script.rows},
    )
    costs["database.detection"] = _detection([each for one in rounds for each in one.deadlocks], costs)
    return Fitted({**costs, **_node([each for one in rounds for each in one.messages], client)}, flush)


def _detection(latencies: Sequence[float], costs: Mapping[str, float]) -> float:
    """What is left of the latency of a deadlock's error without the work of a request that waits and fails.

    In half of them the other session, which goes on at the same moment, is in the way: the lower quartile is without.
    """
    client = sum(costs[f"client.{name}"] for name in ("request", "failure", "wake"))
    names = ("request", "statement", "table", "record", "wait")
    known = client + sum(costs[f"database.{name}"] for name in names) + 2 * costs["network.link.latency"]
    known += costs["database.character"] * CHARACTERS
    latency = float(np.quantile(latencies, 0.25))
    return max(0.0, latency * (1 - costs["client.cold"] / COLD_AFTER) - known)  # this process is idle meanwhile


def _node(handled: Sequence[Handled], client: Mapping[str, float]) -> dict[str, float]:
    """The costs of messages: what is left of this process's work without that of the driver.

    A write is what a text costs more for each device that is told of it. A byte is what a request costs more for each
    byte of a longer reply.
    """
    work: dict[Kind, list[float]] = {}
    for each in handled:
        driver = client["client.request"] * each.round_trips + client["client.statement"] * each.statements
        values = client["client.value"] * each.kind.values
        wakes = client["client.wake"] * (1 + bool(each.kind.behind) + each.round_trips)
        cold = client["client.cold"] * each.idle / COLD_AFTER
        work.setdefault(each.kind, []).append(each.client_cpu - driver - values - wakes - cold)
    medians = {kind: float(np.median(values)) for kind, values in work.items()}
    sizes = {each.kind: each.size for each in handled}
    alone: dict[str, Kind] = {}
    longer: list[tuple[Kind, Kind]] = []
    for kind in medians:
        if kind.name not in alone:
            alone[kind.name] = kind
        elif not kind.devices:
            longer.append((alone[kind.name], kind))
    byte = float(
        np.mean([max(0.0, medians[long] - medians[short]) / (sizes[long] - sizes[short]) for short, long in longer])
    )
    told = [
        (medians[kind] - medians[alone[kind.name]] - byte * (sizes[kind] - sizes[alone[kind.name]])) / kind.devices
        for kind in medians
        if kind.devices
    ]
    write = max(0.0, float(np.mean(told)))
    service = {
        f"node.service.{name}": max(
            0.0,
            medians[kind]
            - (medians[alone[kind.behind]] if kind.behind else 0.0)
            - kind.writes * write
            - sizes[kind] * byte,
        )
        for name, kind in alone.items()
    }
    return {"node.write": write, "node.byte": byte, **service}


def _finds_idle(measured: Measurement) -> float:
    """The share of answers that find this process idle: all of one caller's.

    Of several callers' it is about the root of the share of time in which the process is idle. It is more than that
    share, since answers come one after the other; in the model it is between 0.6 and 1.1 times the root, mostly.
    """
    if measured.callers == 1:
        return 1.0
    return math.sqrt(max(0.0, 1 - measured.client_cpu * measured.operations / measured.seconds))


def _idleness(measured: Measurement, busy: float) -> float:
    """How long a program is idle for one run of a script, in units of `COLD_AFTER`; ``busy`` is how long it is not."""
    return min(1.0, max(0.0, measured.seconds / measured.operations - busy) / COLD_AFTER)


def _cpu(measured: Measurement) -> float:
    return measured.client_cpu + measured.server_cpu


def _least_squares(
    measured: Sequence[T],
    value: Callable[[T], float],
    counts: Mapping[str, Callable[[T], float]],
) -> dict[str, float]:
    """The costs, none of them negative, whose sums by counts are nearest to the values, relative to these."""
    from scipy.optimize import nnls

    values = np.array([value(each) for each in measured])
    weights = 1 / np.maximum(values, 1e-9)
    matrix = np.array([[count(each) for count in counts.values()] for each in measured]) * weights[:, None]
    found, _ = nnls(matrix, values * weights)
    return {name: float(each) for name, each in zip(counts, found, strict=True)}
