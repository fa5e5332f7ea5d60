"""A variant: one of the things that an experiment compares, with its measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.experiments.checks import Verdict
from chatsim.experiments.history import Operation

if TYPE_CHECKING:
    from chatsim.db.deadlock import Deadlock

__all__ = ["Variant"]


@dataclass(frozen=True)
class Variant:
    """One of the things that an experiment compares, with its measures.

    Attributes:
        key: what distinguishes it from other variants of the result, by column, such as a strategy and a pattern.
        measures: the measures, by column; None if unknown.
        verdict: the verdict, if there are checks.
        operations: the history.
        window_s: the length of the measured window, in seconds.
        deadlock: its last deadlock, if there was one and the server has reported it.
    """

    key: Mapping[str, object]
    measures: Mapping[str, object]
    verdict: Verdict | None = None
    operations: Sequence[Operation] = ()
    window_s: float = 0.0
    deadlock: Deadlock | None = None

    def __getitem__(self, column: str) -> object:
        return self.row()[column]

    @property
    def name(self) -> str:
        """The values of its key, in words."""
        return ", ".join(str(value) for value in self.key.values())

    def row(self) -> dict[str, object]:
        """Its key, its measures and its verdict."""
        judged = {} if self.verdict is None else {"verdict": self.verdict.word.value, "why": self.verdict.why}
        return {**self.key, **self.measures, **judged}
