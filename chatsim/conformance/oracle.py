"""Whether the model does with a schedule what the server does, where the server is always right.

A schedule on which the two differ is played on the server several times more: if the server does not agree with itself,
the schedule has more than one outcome, and says nothing about the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from chatsim.conformance.comparison import Comparison, compare, without_row_ids
from chatsim.conformance.generation.playable import ModelFailedError, playable_part
from chatsim.conformance.schedule import Play, Schedule, ScheduleOutcome
from chatsim.worlds.world import WorldError

__all__ = ["Disagreement", "NotModelledError", "Oracle", "UnstableError", "content"]

_REPETITIONS = 5
"""How often the server must repeat an outcome that the model does not have, before the model counts as wrong."""


@dataclass(frozen=True)
class Disagreement:
    """A schedule on which the server and the model differ.

    Attributes:
        schedule: it expects what the server did.
        comparison: of that with what the model did.
        model_error: the model's own error, if it failed.
    """

    schedule: Schedule
    comparison: Comparison
    model_error: str | None = None

    @property
    def level(self) -> int:
        """The index in `LEVELS` of the first level at which they differ."""
        return next((level for level, each in enumerate(self.comparison.differences) if each), 0)

    def __str__(self) -> str:
        return self.model_error or next(each for each in self.comparison.differences if each)

    def similar(self, other: Disagreement) -> bool:
        """Whether both are at the same level, or the same kind of error. If not, they likely have different causes."""
        errors = [(each.model_error or "").partition(":")[0] for each in (self, other)]
        return self.level == other.level and errors[0] == errors[1]

    def named(self, name: str) -> Disagreement:
        """The same, with a name for its schedule, and the difference as its title."""
        return replace(self, schedule=msgspec.structs.replace(self.schedule, id=name, title=str(self)))


class UnstableError(Exception):
    """The server does not do the same every time, or the budget is spent before that is known."""


class NotModelledError(Exception):
    """The model says that it can't play a schedule, and why."""


class Oracle:
    """Plays drawn schedules in both worlds, each different one once.

    Args:
        server: plays a schedule on the server.
        model: plays it in the model that is tested.
    """

    def __init__(self, server: Play, model: Play) -> None:
        self._server: Play = lambda schedule: without_row_ids(server(schedule))
        self._model: Play = lambda schedule: without_row_ids(model(schedule))
        self._judged: dict[bytes, Disagreement | UnstableError | None] = {}

    @property
    def plays(self) -> int:
        """How many different schedules were played since `forget`."""
        return len(self._judged)

    def forget(self) -> None:
        """Forget the schedules that were played."""
        self._judged.clear()

    def judge(self, drawn: Schedule, budget: int) -> Disagreement | None:
        """How the worlds differ on the playable part of a schedule, or None.

        Args:
            drawn: the schedule as it was drawn.
            budget: how many schedules may have been played before this one.

        Raises:
            NotModelledError: the model can't play it.
            UnstableError: it can't be known.
        """
        try:
            schedule, outcome = playable_part(drawn, self._model)
        except WorldError as error:
            raise NotModelledError(str(error)) from error
        except ModelFailedError as error:
            schedule, outcome = error.schedule, None
        key = content(schedule)
        if key not in self._judged:
            if self.plays >= budget:
                raise UnstableError
            self._judged[key] = self._compare(schedule, outcome)
        judged = self._judged[key]
        if isinstance(judged, UnstableError):
            raise judged
        return judged

    def _compare(self, schedule: Schedule, outcome: ScheduleOutcome | None) -> Disagreement | UnstableError | None:
        """Play a schedule on the server; again, if that is not what the model did."""
        schedule, real = self._play_on_server(schedule)
        expecting = msgspec.structs.replace(schedule, expected=real)
        if outcome is None or len(real.steps) < len(outcome.steps):
            try:
                outcome = self._model(schedule)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the model's fault
                nothing = Comparison(schedule.id, (None, None, None))
                return Disagreement(expecting, nothing, f"{type(error).__name__}: {error}")
        comparison = compare(expecting, outcome)
        if comparison.agrees:
            return None
        if not all(compare(expecting, self._server(schedule)).agrees for _ in range(_REPETITIONS)):
            return UnstableError()
        return Disagreement(expecting, comparison)

    def _play_on_server(self, schedule: Schedule) -> tuple[Schedule, ScheduleOutcome]:
        """What the server does. The last steps are cut off if one of them goes to a session that really waits."""
        while True:
            try:
                return schedule, self._server(schedule)
            except WorldError:
                if not schedule.steps:
                    raise
                schedule = msgspec.structs.replace(schedule, steps=schedule.steps[:-1])


def content(schedule: Schedule) -> bytes:
    """What of a schedule determines its outcome, as a key."""
    return msgspec.json.encode(msgspec.structs.replace(schedule, id="", title="", expected=None))
