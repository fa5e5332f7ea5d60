"""The third experiment: a client was away. How soon does it have everything, at what price, and is it everything?

Kinds of cursor are compared straight on the database (`following`, the protocol ``direct``), ways to catch up through
the whole stack (`away`). A row is one of them in one setting.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chatsim.experiments.catchup.away import PROTOCOLS, Away
from chatsim.experiments.catchup.cursors import CursorKind, cursors
from chatsim.experiments.catchup.following import Followed, Following
from chatsim.experiments.checks import Word
from chatsim.experiments.creation.experiment import BadParameterError
from chatsim.experiments.report import Report
from chatsim.experiments.result import describe_machine
from chatsim.worlds.world import Distance, World

if TYPE_CHECKING:
    pass

__all__ = ["DIRECT", "SHOWN", "CatchUp"]

DIRECT = "direct"
"""The protocol of who reads straight from the database."""

SHOWN = {
    "protocol": "protocol",
    "cursor": "cursor",
    "rtt_ms": "rtt ms",
    "writers": "writers",
    "round_trips": "trips",
    "bytes": "bytes",
    "first_screen_ms": "first screen ms",
    "caught_up_ms": "caught up ms",
    "lower_bound_ms": "bound ms",
    "writes_per_s": "writes/s",
    "lost": "lost",
    "repeated": "repeated",
    "verdict": "verdict",
}
"""The columns that are shown, with their headings."""

_WRITERS = 2
"""Who writes at least, with ``direct``: one alone can't be overtaken."""

_GRAVITY = [*Word]
"""From the best to the worst."""

_MEGABIT = 1e6 / 8
"""In bytes."""


@dataclass(frozen=True)
class CatchUp:
    """The parameters of a comparison.

    Attributes:
        protocols: names in `PROTOCOLS`, or ``direct``; ``"all"`` for all.
        cursors: names in `CURSORS`; ``"all"`` for all. A protocol is tried with those that it knows.
        rtt: the round trips to the reader, in milliseconds.
        bandwidth: to the reader, in each direction, in Mbit/s; None: as much as there is.
        threads: how many threads have news.
        missed: how many messages each of them.
        quiet_threads: how many threads have none.
        history: how many messages of each thread were there before, and have been seen.
        writers: how many write meanwhile, each ``missed`` texts at most; with ``direct``, who write all that is missed,
            two at least.
        batch: messages in a writer's transaction, with ``direct``.
        writer_rtt: the round trip from the farthest writer to the database, in ms, with ``direct``; each is at between
            a tenth of that and all of it. 0: no farther than anything else.
        crashes: how often the database server is killed while they write, with ``direct``.
        runs: how often, each time with another seed, with ``direct``: a row has the sums.
        seed: of all chance; of the first run.

    Raises:
        BadParameterError: a value is not allowed.
        UnknownCursorError: no kind of cursor has that name.
    """

    protocols: str | Iterable[str] = "all"
    cursors: str | Iterable[str] = "all"
    rtt: Sequence[float] = (50.0,)
    bandwidth: float | None = None
    threads: int = 100
    missed: int = 50
    quiet_threads: int = 0
    history: int = 1
    writers: int = 0
    batch: int = 1
    writer_rtt: float = 10.0
    crashes: int = 0
    runs: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        chosen = self.protocols.split(",") if isinstance(self.protocols, str) else self.protocols
        names = [DIRECT, *PROTOCOLS] if self.protocols == "all" else [name.strip() for name in chosen]
        if unknown := [name for name in names if name not in {DIRECT, *PROTOCOLS}]:
            raise BadParameterError(f"unknown protocol {unknown[0]!r}; there are: {DIRECT}, {', '.join(PROTOCOLS)}")
        object.__setattr__(self, "protocols", tuple(dict.fromkeys(names)))
        object.__setattr__(self, "cursors", tuple(kind.name for kind in cursors(self.cursors)))
        for name, least in (
            *(("threads", 1), ("missed", 1), ("quiet_threads", 0), ("history", 1), ("writers", 0), ("batch", 1)),
            *(("writer_rtt", 0), ("crashes", 0), ("runs", 1), ("bandwidth", 0.001), ("seed", 0)),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value < math.inf:
                raise BadParameterError(f"{name} is {value}; it must be at least {least}")
        if not self.rtt or not all(0 <= each < math.inf for each in self.rtt):
            raise BadParameterError(f"rtt is {self.rtt}; it must be one or several times in ms, none below 0")
        if not self.pairs():
            raise BadParameterError(f"no protocol of {', '.join(names)} goes by {', '.join(self.cursors)}")

    def pairs(self) -> list[tuple[str, str]]:
        """Each protocol with each cursor that it goes by."""
        known = {DIRECT: self.cursors, **{name: tuple(each.cursors) for name, each in PROTOCOLS.items()}}
        return [(name, cursor) for name in self.protocols for cursor in self.cursors if cursor in known[name]]

    def report(self, world: str) -> Report:
        """An empty report of this comparison."""
        from chatsim import figures

        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {"protocols": [*self.protocols], "cursors": [*self.cursors], "rtt": [*self.rtt]}
        return Report({"experiment": "catchup", "world": world} | values | plain, SHOWN, figures.catch_up)

    async def run(self, world: World, report: Report, *, progress: bool = True) -> None:
        """Measure each row, adding it to ``report`` as it is there.

        Raises:
            WorldError: the world can't do it.
        """
        from tqdm.auto import tqdm

        report.environment |= describe_machine() | dict(world.environment)
        # straight on the database nothing is far
        plan = [
            (protocol, cursor, rtt)
            for protocol, cursor in self.pairs()
            for rtt in ((0.0,) if protocol == DIRECT else self.rtt)
        ]
        silent = not progress or "TQDM_DISABLE" in os.environ
        with tqdm(total=len(plan), unit="row", leave=False, disable=silent) as bar:
            for protocol, cursor, rtt in plan:
                bar.set_description(f"{protocol}: {cursor}")
                row = await self._row(world, protocol, cursor, rtt, progress=not silent)
                report.rows.append(row)
                if row["lost"]:
                    report.notes[f"{protocol}-{cursor}-{rtt:g}ms"] = str(row["why"])
                bar.update()

    async def _row(self, world: World, protocol: str, cursor: str, rtt: float, *, progress: bool) -> dict[str, object]:
        setting = {
            "protocol": protocol,
            "cursor": cursor,
            "world": world.name,
            "rtt_ms": rtt,
            "bandwidth": self.bandwidth,
            "threads": self.threads,
            "missed": self.missed,
            "quiet_threads": self.quiet_threads,
            "writers": self.writers,
            "seed": self.seed,
        }
        if protocol == DIRECT:
            (kind,) = cursors([cursor])
            followed = await self._direct(world, kind, progress=progress)
            return setting | {"writers": max(_WRITERS, self.writers)} | followed
        per_second = math.inf if self.bandwidth is None else self.bandwidth * _MEGABIT
        away = Away(
            protocol,
            cursor,
            Distance(rtt / 1e3, per_second),
            threads=self.threads,
            missed=self.missed,
            quiet=self.quiet_threads,
            history=self.history,
            writers=self.writers,
        )
        return setting | await away.run(world)

    async def _direct(self, world: World, kind: CursorKind, *, progress: bool) -> dict[str, object]:
        from tqdm.auto import tqdm

        following = Following(
            kind,
            writers=max(_WRITERS, self.writers),
            threads=self.threads,
            messages=self.threads * self.missed,
            batch=self.batch,
            rtt=self.writer_rtt / 1e3,
            crashes=self.crashes,
        )
        seconds, sums = 0.0, Counter[str]()
        verdict, why = Word.SAFE, Followed().why([])
        messages = self.runs * following.messages
        with tqdm(total=messages, unit="message", leave=False, disable=not progress) as bar:
            for seed in range(self.seed, self.seed + self.runs):
                followed = await replace(following, seed=seed).run(world, bar)
                lost = followed.lost()
                seconds += followed.seconds
                sums.update(
                    written=followed.count(),
                    refused=followed.refused,
                    crashes=followed.crashes,
                    lost=len(lost),
                    repeated=followed.repeated(),
                )
                if _GRAVITY.index(word := followed.word(lost)) > _GRAVITY.index(verdict):
                    verdict, why = word, f"seed {seed}: {followed.why(lost)}"
        return {
            **dict.fromkeys(("round_trips", "requests", "bytes", "connect_ms", "login_ms", "first_screen_ms")),
            **dict.fromkeys(("caught_up_ms", "lower_bound_ms", "statements", "rows_examined")),
            "runs": self.runs,
            **sums,
            "writes_per_s": sums["written"] / seconds,
            "verdict": verdict.value,
            "why": why,
        }
