"""The experiment on catching up: how soon, and at what price, does a client that was away have everything?

Kinds of cursor are compared straight on the database (`following`, the protocol ``direct``); protocols are compared
through the whole stack (`away`). A row of the result is one of them in one setting.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from chatsim.experiments.base import Experiment
from chatsim.experiments.catchup.away import Away
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.catchup.following import Followed, Following
from chatsim.experiments.catchup.protocols import PROTOCOLS
from chatsim.experiments.checks import Verdict, Word
from chatsim.experiments.parameters import BadParameterError, Choices, Number, Numbers, Whole, parameter
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
"""The smallest number of writers with ``direct``: a single one can't be overtaken."""

_MEGABIT = 1e6 / 8
"""The unit of bandwidth, in bytes per second."""


@dataclass(frozen=True, kw_only=True)
class CatchUp(Experiment):
    """Let a client that was away catch up, with each cursor and protocol: how soon, at what price, is all there?"""

    name = "catchup"
    title = "Catching up"
    judged = ("cursor", "cursors")
    circumstances = ("rtt_ms",)
    shown: ClassVar[Mapping[str, str]] = {
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

    protocols: str | Iterable[str] = parameter(
        "all",
        Choices((DIRECT, *PROTOCOLS)),
        "ways to catch up: direct is a reader straight on the database who follows writers, the others go through"
        " clients, wire and server",
    )
    cursors: str | Iterable[str] = parameter(
        "all", Choices(CURSORS), "kinds of cursor; a protocol is tried with those that it knows"
    )
    rtt: float | Iterable[float] = parameter(50.0, Numbers(Number(0, "ms")), "the round trip to the reader")
    bandwidth: float | None = parameter(
        None,
        Number(0.001, "Mbit/s"),
        "what the line to the reader carries, in each direction; if not given, it has no limit",
    )
    threads: int = parameter(100, Whole(1), "how many threads have new messages")
    missed: int = parameter(50, Whole(1), "how many new messages each of these threads has")
    quiet_threads: int = parameter(0, Whole(0), "how many threads have no new messages")
    history: int = parameter(1, Whole(1), "messages of each thread that were there before, and have been seen")
    writers: int = parameter(
        0,
        Whole(0),
        "how many write meanwhile, each as many texts as a thread has missed at most; with direct, how many write all"
        " that is missed, two at least",
    )
    batch: int = parameter(1, Whole(1), "messages in a writer's transaction, with direct")
    writer_rtt: float = parameter(
        10.0,
        Number(0, "ms"),
        "the round trip from the farthest writer to the database, with direct; each writer is at between a tenth of"
        " that and all of it",
    )
    crashes: int = parameter(0, Whole(0), "how often the database server is killed while they write, with direct")
    runs: int = parameter(
        1, Whole(1), "how often the writers write, with seeds from the seed on, with direct; a row has the sums"
    )

    def check_together(self) -> None:
        """A cursor must be known to a protocol."""
        if not self.combinations():
            raise BadParameterError(f"no protocol of {', '.join(self.protocols)} goes by {', '.join(self.cursors)}")

    def combinations(self) -> list[tuple[str, str]]:
        """Each protocol with each cursor that it uses."""
        known = {DIRECT: [*self.cursors], **{name: [*each.cursors] for name, each in PROTOCOLS.items()}}
        return [(name, cursor) for name in self.protocols for cursor in self.cursors if cursor in known[name]]

    def draw(self, table: pd.DataFrame, caption: str) -> Figure:
        """Draw the times and their lower bounds."""
        from chatsim import figures

        return figures.catch_up(table, caption=caption)

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
                result.variants.append(variant)
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
            writers=max(_WRITERS, self.writers),
            threads=self.threads,
            messages=self.threads * self.missed,
            batch=self.batch,
            rtt=self.writer_rtt / 1e3,
            crashes=self.crashes,
        )
        seconds, sums = 0.0, Counter[str]()
        decisive: tuple[Verdict, Followed] | None = None
        with progress.bar(self.runs * following.messages, "message") as bar:
            for seed in range(self.seed, self.seed + self.runs):
                followed = await replace(following, seed=seed).run(world, bar)
                seconds += followed.seconds
                sums.update(
                    written=len(followed.acknowledged),
                    refused=followed.refused,
                    crashes=followed.crashes,
                    lost=len(followed.lost),
                    repeated=followed.repeated,
                )
                verdict = followed.verdict()
                if self.runs > 1 and verdict.word.is_worse_than(Word.NOT_TESTED):
                    verdict = replace(verdict, why=f"seed {seed}: {verdict.why}")
                if decisive is None or _decides(verdict.word, decisive[0].word):
                    decisive = verdict, followed
        assert decisive is not None
        verdict, followed = decisive
        measures = {
            "writers": following.writers,
            "runs": self.runs,
            **dict.fromkeys(("round_trips", "requests", "bytes", "connect_ms", "login_ms", "first_screen_ms")),
            **dict.fromkeys(("caught_up_ms", "lower_bound_ms", "statements", "rows_examined")),
            **sums,
            "writes_per_s": sums["written"] / seconds,
        }
        return Variant(key, measures, verdict, followed.history, followed.seconds)


def _decides(word: Word, before: Word) -> bool:
    """Whether the verdict on another run counts more than those before: one run that has tested something is enough."""
    if Word.NOT_TESTED in (word, before):
        return before is Word.NOT_TESTED
    return word.is_worse_than(before)
