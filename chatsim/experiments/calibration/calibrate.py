"""``chatsim.calibrate``: the costs of the model, measured on the MySQL at hand."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chatsim.experiments.calibration.deadlocks import deadlock_latencies
from chatsim.experiments.calibration.fit import Fit, Fitted, Round, fit
from chatsim.experiments.calibration.messages import KINDS, SCHEMA, ChatMicros
from chatsim.experiments.calibration.micro import CALLERS, MICROS, measure, own_works, prepare
from chatsim.experiments.calibration.stores import SCRIPTS, measure_store
from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.surroundings import OtherLoad
from chatsim.progress import Progress
from chatsim.worlds.choice import choose
from chatsim.worlds.notebook import in_one_message, starts_when_awaited

if TYPE_CHECKING:
    import pandas as pd

    from chatsim.worlds.model.settings import Model
    from chatsim.worlds.mysql.settings import Servers
    from chatsim.worlds.world import World

__all__ = ["Calibration", "calibrate", "calibrated"]

SECONDS = 0.4
ROUNDS = 5
_OF_MESSAGES, _OF_STORES = 0.6, 0.25
"""How long a measurement of a message, and of a local store, is, as shares of that of a script."""
_NANOSECOND = 1e-9


@dataclass(frozen=True, repr=False)
class Calibration:
    """Costs of the model, fitted to measurements.

    Attributes:
        fit: the costs.
        rounds: the measurements.
        environment: the server's engine, version, profile and settings.
        cores: of this machine.
        date: when it was measured.
        other_load: the cores that other programs took meanwhile; None if that is not known.
    """

    fit: Fit
    rounds: Sequence[Round]
    environment: Mapping[str, object]
    cores: int
    date: str
    other_load: float | None

    @property
    def costs(self) -> dict[str, object]:
        """The costs, for ``chatsim.Model(costs=…)``: everything shares this machine."""
        return self._of(self.fit.best)

    def drawn(self, number: int) -> dict[str, object]:
        """Costs that could be the true ones, too, as far as the measurements tell: a number from 0 up for each."""
        return self._of(self.fit.drawn[number % len(self.fit.drawn)])

    def _of(self, fitted: Fitted) -> dict[str, object]:
        found = {name: _short(value) for name, value in fitted.costs.items()}
        return {
            "machine": {"cores": self.cores},
            "client": _within("client.", found),
            "node": {
                "write": found["node.write"],
                "byte": found["node.byte"],
                "service": _within("node.service.", found),
            },
            "database": {
                **_within("database.", found),
                "flush": {"kind": "empirical", "seconds": [*map(_short, fitted.flush)]},
                "commit": 0.0,
            },
            # within a machine, a byte takes the time that both ends take for it
            "network": {
                "link": {
                    "latency": {"kind": "constant", "seconds": found["network.link.latency"]},
                    "bandwidth": math.inf,
                }
            },
            "store": {**_within("store.", found), "commit": 0.0},  # measured in memory
        }

    @property
    def measurements(self) -> pd.DataFrame:
        """A table with a row for each measurement: processor time and median latency in µs, for one run of a script.

        Of messages and local stores it has only the processor time of this process.
        """
        import pandas as pd

        messages = [
            {
                "round": number,
                "what": each.kind.name + (f", {each.kind.devices} devices are told" if each.kind.devices else ""),
                "callers": 1,
                "client_cpu_us": each.client_cpu * 1e6,
            }
            for number, one in enumerate(self.rounds, start=1)
            for each in one.messages
        ]
        stores = [
            {"round": number, "what": each.script.name, "callers": 1, "client_cpu_us": each.cpu * 1e6}
            for number, one in enumerate(self.rounds, start=1)
            for each in one.stores
        ]
        return pd.DataFrame(
            [
                {
                    "round": number,
                    "what": each.micro.name,
                    "callers": each.callers,
                    "per_s": each.operations / each.seconds,
                    "client_cpu_us": each.client_cpu * 1e6,
                    "server_cpu_us": each.server_cpu * 1e6,
                    "p50_us": float(np.median(each.latencies)) * 1e6,
                }
                for number, one in enumerate(self.rounds, start=1)
                for each in one.scripts
            ]
            + messages
            + stores
        )

    def text(self) -> str:
        """The costs as a file for ``--costs``, with what they were measured on, and their intervals."""
        import tomli_w

        return "\n".join([*(f"# {line}".rstrip() for line in self._about()), "", tomli_w.dumps(self.costs)])

    def _about(self) -> Iterator[str]:
        """What the costs were measured on, and their intervals."""
        engine, version, profile = (self.environment.get(name) for name in ("engine", "server_version", "profile"))
        load = "an unknown part" if self.other_load is None else f"{self.other_load:.1f}"
        yield f"Measured on {self.date} by `chatsim calibrate`: {len(self.rounds)} rounds."
        yield f"{engine} {version}, profile {profile}; {self.cores} cores, of which other programs took {load}."
        settings = self.environment.get("settings")
        for name, value in settings.items() if isinstance(settings, Mapping) else ():
            yield f"  {name} = {value}"
        yield "In microseconds, with intervals of 90 %:"
        for name, value in self.fit.best.costs.items():
            low, high = (end * 1e6 for end in self.fit.interval(name))
            yield f"  {name} = {value * 1e6:.3g} ({low:.3g} to {high:.3g})"

    def save(self, path: Path | str) -> Path:
        """Write the file."""
        file = Path(path)
        file.write_text(self.text(), encoding="utf-8")
        return file

    def __repr__(self) -> str:
        return self.text()


def _within(table: str, found: Mapping[str, float]) -> dict[str, float]:
    """The costs of one table of the file."""
    return {name.removeprefix(table): value for name, value in found.items() if name.startswith(table)}


def _short(seconds: float) -> float:
    """With the three digits that count. Less than a nanosecond is what rounding left of nothing."""
    return float(f"{seconds:.3g}") if seconds >= _NANOSECOND else 0.0


@starts_when_awaited
async def calibrate(
    *, world: str | Servers | Model = "mysql", seconds: float = SECONDS, rounds: int = ROUNDS, progress: bool = True
) -> Calibration:
    """Measure what things cost on a MySQL of this machine, and fit the costs of the model to that.

    Each of some scripts is repeated by 1, 4 and 16 callers straight on the database, and each of some messages by one
    client of a chat server. Everything is measured once in each round, so that a
    machine that becomes slower is no disadvantage for what comes last.

    Args:
        world: which MySQL; or a `Model`, whose costs are found again.
        seconds: how long each measurement takes.
        rounds: how often each is made. The intervals are those over rounds; one round has none.
        progress: whether to show a progress bar.

    Raises:
        BadParameterError: a parameter is invalid.
        WorldError: the server is not available, or its processor time can't be seen from here.
    """
    if not seconds > 0:
        raise BadParameterError(f"seconds is {seconds}; it must be above 0")
    if rounds < 1:
        raise BadParameterError(f"rounds is {rounds}; it must be a whole number of at least 1")
    settings = choose(world)
    found: list[Calibration] = []

    async def main(there: World) -> None:
        found.append(await calibrated(there, Progress(shown=progress), seconds=seconds, rounds=rounds))

    with in_one_message():
        await settings.run_beside(main, seed=1)
    return found[-1]


async def calibrated(
    world: World, progress: Progress, *, seconds: float = SECONDS, rounds: int = ROUNDS
) -> Calibration:
    """The calibration of a world; see `calibrate`."""
    raced = [await own_works(world) for _ in range(rounds)]
    await prepare(world, SCHEMA)
    chat = ChatMicros(world)
    await chat.prepare()
    load = OtherLoad()
    measured: list[Round] = []
    plan = [(callers, micro) for callers in CALLERS for micro in MICROS if callers in micro.callers]
    with progress.bar(rounds * (len(plan) + len(KINDS) + len(SCRIPTS)), "measurement") as bar:
        for own in raced:
            scripts, messages, stores = [], [], []
            for callers, micro in plan:
                bar.set_description(f"{micro.name}, callers: {callers}")
                scripts.append(await measure(world, micro, callers, seconds))
                bar.update()
            for kind in KINDS:
                bar.set_description(kind.name)
                messages.append(await chat.measure(kind, _OF_MESSAGES * seconds))
                bar.update()
            for script in SCRIPTS:
                bar.set_description(script.name)
                stores.append(await measure_store(world, script, _OF_STORES * seconds))
                bar.update()
            measured.append(Round(scripts, messages, stores, own, await deadlock_latencies(world)))
    return Calibration(
        fit(measured, np.random.default_rng(1)),
        measured,
        world.environment,
        os.cpu_count() or 1,
        datetime.now(UTC).date().isoformat(),
        load.cores(),
    )
