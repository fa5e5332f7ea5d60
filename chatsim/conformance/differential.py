"""Differential testing: random schedules are played on the server and in the model; those that differ are shrunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from chatsim.conformance.comparison import LEVELS
from chatsim.conformance.generation.numbered import NumberedSchedules
from chatsim.conformance.oracle import Disagreement, NotModelledError, Oracle, UnstableError, content
from chatsim.conformance.schedule import Play
from chatsim.conformance.shrinking import shrink
from chatsim.progress import Progress

__all__ = ["DifferentialReport", "DifferentialTest"]

_LOCKS_AGREE = 0.98


@dataclass
class DifferentialReport:
    """What a differential test has found so far.

    Attributes:
        played: how many schedules had one outcome on the server.
        unstable: how many had several, and so say nothing.
        not_modelled: the reasons why the model could not play a schedule, and how often.
        differing: for each of `LEVELS`, how many schedules differ at it.
        disagreements: those found, without duplicates.
    """

    played: int = 0
    unstable: int = 0
    not_modelled: Counter[str] = field(default_factory=Counter)
    differing: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether waits and rows always agree, and lock rows in 98 of 100 schedules."""
        waits, rows, locks = self.differing
        return not waits and not rows and locks <= self.played * (1 - _LOCKS_AGREE)

    def count(self, found: Disagreement) -> None:
        """Count the levels at which a schedule differs: all of them, if the model failed."""
        for level, difference in enumerate(found.comparison.differences):
            self.differing[level] += difference is not None or found.model_error is not None

    def add(self, found: Disagreement) -> None:
        """Add a disagreement, unless its schedule is there already."""
        if all(content(found.schedule) != content(each.schedule) for each in self.disagreements):
            self.disagreements.append(found)


class DifferentialTest:
    """Draws schedules, plays each in both worlds, and makes those on which the worlds differ as small as it can.

    Args:
        server: plays a schedule on the server, which is right.
        model: plays it in the model, which is tested.
        seed: of all that is drawn. A schedule depends on it and on its own number only.
        sessions: how many sessions a schedule has, at least and at most.
        foreign_keys: whether the tables are a parent and its child.
        budget: how many schedules are played on the server to shrink one.
        shrinks: whether they are shrunk at all.
    """

    def __init__(
        self,
        server: Play,
        model: Play,
        *,
        seed: int,
        sessions: tuple[int, int] = (2, 4),
        foreign_keys: bool = False,
        budget: int = 150,
        shrinks: bool = True,
    ) -> None:
        self._source = NumberedSchedules(seed=seed, sessions=sessions, foreign_keys=foreign_keys)
        self._oracle = Oracle(server, model)
        self._budget = budget
        self._shrinks = shrinks

    def run(self, count: int, report: DifferentialReport, *, progress: bool = True) -> None:
        """Play the schedules 1 to ``count``, and add the result of each to ``report``.

        Raises:
            WorldError: the server can't be used.
        """
        with Progress(shown=progress).bar(count, "schedule") as bar:
            for number in range(1, count + 1):
                self._oracle.forget()
                found = self._play(number, report)
                if found is not None:
                    bar.set_description(f"shrinks number {number}")
                    try:
                        if self._shrinks:
                            found = shrink(number, found, self._source, self._oracle, self._budget)
                    finally:  # also after Ctrl-C
                        report.add(found.named(f"generated-{self._source.seed}-{number}"))
                    bar.set_description()
                bar.update()

    def _play(self, number: int, report: DifferentialReport) -> Disagreement | None:
        """Play the schedule of a number as it is drawn."""
        try:
            found = self._oracle.judge(self._source.draw(number), self._budget)
        except UnstableError:
            report.unstable += 1
            return None
        except NotModelledError as error:
            report.not_modelled[str(error)] += 1
            return None
        report.played += 1
        if found is not None:
            report.count(found)
        return found
