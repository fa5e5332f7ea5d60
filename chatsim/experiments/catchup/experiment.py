"""The experiment on catching up: how soon, and at what price, does a client that was away have everything?

Kinds of cursor are compared straight on the database (`following`, the protocol ``direct``); protocols are compared
through the whole stack (`away`). A row of the result is one of them in one setting.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chatsim.experiments.base import Experiment
from chatsim.experiments.catchup.away import Away
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.catchup.following import Following
from chatsim.experiments.catchup.protocols import PROTOCOLS
from chatsim.experiments.demand import CLIENT, LOADED_PER_S, OPERATION, Demand, row
from chatsim.experiments.parameters import BadParameterError, Choices, Number, Numbers, When, Whole, parameter
from chatsim.experiments.result import Result
from chatsim.experiments.variant import Variant
from chatsim.progress import Progress
from chatsim.worlds.world import Distance, World

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["DIRECT", "CatchUp"]

DIRECT = "direct"
"""The protocol of a reader that reads straight from the database."""

_WRITERS = 2
"""How many write with ``direct`` if nothing else is said: a single one can't be overtaken."""

_KNOWN: Mapping[str, Collection[str]] = {DIRECT: CURSORS, **{name: each.cursors for name, each in PROTOCOLS.items()}}
"""By protocol: the cursors that it can go by."""

_PROTOCOLS, _CURSORS = Choices((DIRECT, *PROTOCOLS)), Choices(CURSORS)

_WITH_DIRECT = When("protocols", lambda protocol: protocol == DIRECT, "with direct", "protocol")
_WITH_OTHERS = When("protocols", lambda protocol: protocol != DIRECT, "with protocols other than direct", "protocol")

_POOL = 8
"""The connections to the database of the node of a client that was away."""

_WRITTEN_PER_S = 200
"""How many messages are written in a second, straight on the database."""

_MEGABIT = 1e6 / 8
"""The unit of bandwidth, in bytes per second."""


@dataclass(frozen=True, kw_only=True)
class CatchUp(Experiment):
    """Let a client that was away catch up, with each cursor and protocol: how soon, at what price, is all there?"""

    name = "catchup"
    title = "Catching up"
    judged = ("cursor", "cursors")
    circumstances = ("rtt_ms",)
    totals = ("written", "refused", "crashes", "lost", "repeated")
    shown: ClassVar[Mapping[str, str]] = {
        "protocol": "protocol",
        "cursor": "cursor",
        "rtt_ms": "rtt ms",
        "writers": "writers",
        "verdict": "verdict",
        "caught_up_ms": "caught up ms",
        "round_trips": "trips",
        "lost": "lost",
        "repeated": "repeated",
        "first_screen_ms": "first screen ms",
        "bytes": "bytes",
        "lower_bound_ms": "bound ms",
        "writes_per_s": "writes/s",
    }

    protocols: str | Iterable[str] = parameter(
        "all",
        _PROTOCOLS,
        "ways to catch up: direct is a reader straight on the database who follows writers, the others go through"
        " clients, wire and server",
    )
    cursors: str | Iterable[str] = parameter(
        "all", _CURSORS, "kinds of cursor; a protocol is tried with those that it knows"
    )
    rtt: float | Iterable[float] = parameter(
        50.0,
        Numbers(Number(0, "ms", 60_000)),
        "the round trip to the reader, with other protocols than direct",
        _WITH_OTHERS,
    )
    bandwidth: float | None = parameter(
        None,
        Number(0.001, "Mbit/s", 1_000_000),
        "what the line to the reader carries, in each direction, with other protocols than direct; if not given, it"
        " has no limit",
        _WITH_OTHERS,
    )
    threads: int = parameter(100, Whole(1), "how many threads have new messages")
    missed: int = parameter(50, Whole(1), "how many new messages each of these threads has")
    quiet_threads: int = parameter(
        0, Whole(0), "how many threads have no new messages, with other protocols than direct", _WITH_OTHERS
    )
    history: int = parameter(
        1,
        Whole(1),
        "messages of each thread that were there before, and have been seen, with other protocols than direct",
        _WITH_OTHERS,
    )
    writers: int = parameter(
        0,
        Whole(0),
        "how many write meanwhile, each as many texts as a thread has missed at most; with direct, how many write all"
        " that is missed, where 0 is two (a single one can't be overtaken)",
    )
    batch: int = parameter(1, Whole(1), "messages in a writer's transaction, with direct", _WITH_DIRECT)
    writer_rtt: float = parameter(
        10.0,
        Number(0, "ms", 60_000),
        "the round trip from the farthest writer to the database, with direct; each writer is at between a tenth of"
        " that and all of it",
        _WITH_DIRECT,
    )
    crashes: int = parameter(
        0, Whole(0), "how often the database server is killed while they write, with direct", _WITH_DIRECT
    )

    def __post_init__(self) -> None:
        # all is all of those that go together
        if _is_all(self.cursors):
            protocols = _PROTOCOLS.convert("protocols", self.protocols)
            object.__setattr__(
                self, "cursors", [each for each in CURSORS if any(each in _KNOWN[by] for by in protocols)]
            )
        elif _is_all(self.protocols):
            cursors = _CURSORS.convert("cursors", self.cursors)
            object.__setattr__(self, "protocols", [by for by in _KNOWN if any(each in _KNOWN[by] for each in cursors)])
        super().__post_init__()

    def check_together(self) -> None:
        """Each cursor must be known to one of the protocols, and each protocol must know one of the cursors."""
        pairs = self.combinations()
        protocols, cursors = ", ".join(self.protocols), ", ".join(self.cursors)
        if not pairs:
            raise BadParameterError(f"no protocol of {protocols} goes by {cursors}")
        if idle := [each for each in self.cursors if each not in {cursor for _, cursor in pairs}]:
            raise BadParameterError(f"no protocol of {protocols} goes by {', '.join(idle)}")
        if idle := [each for each in self.protocols if each not in {protocol for protocol, _ in pairs}]:
            raise BadParameterError(f"no cursor of {cursors} is one that {', '.join(idle)} goes by")

    def combinations(self) -> list[tuple[str, str]]:
        """Each protocol with each cursor that it uses."""
        return [(name, cursor) for name in self.protocols for cursor in self.cursors if cursor in _KNOWN[name]]

    @property
    def direct_writers(self) -> int:
        """How many write with ``direct``."""
        return self.writers or _WRITERS

    def setting(self) -> str:
        """The conditions in words, with the writers that there are with ``direct``."""
        said, others = super().setting(), {protocol for protocol, _ in self.combinations()} - {DIRECT}
        if self.writers or DIRECT not in self.protocols:
            return said
        words = f"writers {self.writers}, with direct {_WRITERS}" if others else f"writers {_WRITERS}"
        return said.replace("writers 0", words)

    @staticmethod
    def draw(table: pd.DataFrame, caption: str) -> Figure:
        """Draw the times and their lower bounds."""
        from chatsim import figures

        return figures.catch_up(table, caption=caption)

    def demand(self, world: str) -> Demand:
        """Memory for the messages; time for the messages and, on a real server, for the round trips."""
        messages = self.threads * self.missed
        others = [protocol for protocol, _ in self.combinations() if protocol != DIRECT]
        direct = len(self.combinations()) - len(others)
        rows = messages + (self.threads + self.quiet_threads) * self.history
        loaded = len(others) * len(self._distances)
        seconds = {
            f"{direct * messages:,} messages": direct * messages // _WRITTEN_PER_S,
            f"{loaded * rows:,} rows before": loaded * rows // LOADED_PER_S,
        }
        if world == "mysql":
            # the source's protocol asks for ten messages of one thread at a time, and for quiet threads as well
            trips = len(others) * (self.quiet_threads + self.threads * (1 + self.missed // 10))
            seconds["round trips"] = trips * int(sum(self._distances)) // 1_000
        return Demand(
            memory={
                f"{direct * messages:,} operations": direct * messages * OPERATION,
                f"{rows:,} rows before": rows * row(world) if others else 0,
                f"{self.writers:,} writers": self.writers * CLIENT,
            },
            seconds=seconds,
            connections=self.direct_writers + 1 if direct else _POOL,
        )

    @property
    def kills_server(self) -> bool:
        """Whether the database server is killed while others write."""
        return self.crashes > 0

    async def measure(self, world: World, result: Result, progress: Progress) -> None:
        """Measure each protocol with each of its cursors at each distance."""
        # straight on the database nothing is far
        plan = [
            (protocol, cursor, rtt)
            for protocol, cursor in self.combinations()
            for rtt in ((0.0,) if protocol == DIRECT else self._distances)
        ]
        with progress.bar(len(plan), "row") as bar:
            for protocol, cursor, rtt in plan:
                bar.set_description(f"{protocol}: {cursor}")
                key = {"protocol": protocol, "cursor": cursor, "rtt_ms": rtt}
                variant = await (
                    self._direct(world, key, progress) if protocol == DIRECT else self._away(world, key, rtt)
                )
                result.add(variant)
                bar.update()

    @property
    def _distances(self) -> Sequence[float]:
        assert isinstance(self.rtt, tuple)
        return self.rtt

    async def _away(self, world: World, key: Mapping[str, object], rtt: float) -> Variant:
        per_second = math.inf if self.bandwidth is None else self.bandwidth * _MEGABIT
        away = Away(
            str(key["protocol"]),
            str(key["cursor"]),
            Distance(rtt / 1e3, per_second),
            threads=self.threads,
            missed=self.missed,
            quiet=self.quiet_threads,
            history=self.history,
            writers=self.writers,
        )
        measures, verdict, history = await away.run(world)
        return Variant(key, measures, verdict, history)

    async def _direct(self, world: World, key: Mapping[str, object], progress: Progress) -> Variant:
        following = Following(
            CURSORS[str(key["cursor"])],
            writers=self.direct_writers,
            threads=self.threads,
            messages=self.threads * self.missed,
            batch=self.batch,
            rtt=self.writer_rtt / 1e3,
            crashes=self.crashes,
            seed=self.seed,
        )
        with progress.bar(following.messages, "message") as bar:
            followed = await following.run(world, bar)
        written = len(followed.acknowledged)
        measures = {
            "writers": following.writers,
            **dict.fromkeys(("round_trips", "requests", "bytes", "connect_ms", "login_ms", "first_screen_ms")),
            **dict.fromkeys(("caught_up_ms", "lower_bound_ms", "database_round_trips", "statements", "rows_examined")),
            "written": written,
            "refused": followed.refused,
            "crashes": followed.crashes,
            "lost": len(followed.lost),
            "repeated": followed.repeated,
            "writes_per_s": written / followed.seconds,
        }
        return Variant(key, measures, followed.verdict(), followed.history, followed.seconds)


def _is_all(value: object) -> bool:
    return isinstance(value, str) and value.strip() == "all"
