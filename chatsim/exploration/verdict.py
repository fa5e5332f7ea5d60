"""What a search has found: a verdict for each question, and the numbers of states and interleavings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from chatsim.db.errors import DatabaseError
from chatsim.exploration.choices import Choice
from chatsim.exploration.execution import Happened
from chatsim.exploration.problem import Problem

__all__ = ["Bound", "Exploration", "Finding", "Interleaving", "Proof"]


class Proof(StrEnum):
    """The verdict about a question."""

    PROVED = "proved"
    """Every state within the bound was seen, and nothing is wrong in any."""
    COUNTEREXAMPLE = "counterexample"
    """There is an interleaving in which something is wrong."""
    INCONCLUSIVE = "inconclusive"
    """Nothing is wrong in the states that were seen, and those were not all."""


@dataclass(frozen=True)
class Bound:
    """How far a search goes.

    Attributes:
        states: the greatest number of states.
        seconds: the longest time.
    """

    states: int = 1_000_000
    seconds: float = 600.0


@dataclass(frozen=True)
class Interleaving:
    """Some steps from the beginning.

    Attributes:
        callers: the names of the callers, by their numbers.
        steps: what happens.
    """

    callers: Sequence[str]
    steps: Sequence[Happened]

    @property
    def choices(self) -> list[Choice]:
        """What was chosen."""
        return [each.choice for each in self.steps]

    def lines(self) -> list[str]:
        """Each step in words, with what callers were answered in it."""
        return [f"{number}. {self._line(each)}" for number, each in enumerate(self.steps, 1)]

    def _line(self, step: Happened) -> str:
        name = self.callers[step.choice.caller]
        what = {
            "go": step.sql,
            "on": "goes on, after the next record",
            "first": "goes on first",
            "die": "dies, with its connection",
            "lose": f"{step.sql} -- and its reply is lost",
            "wake": "has slept enough",
            "time out": "has waited too long",
        }[step.choice.kind]
        answers = [
            f"{self.callers[caller]}: {answer if isinstance(answer, DatabaseError) else 'ok'}"
            for caller, answer in step.answers
        ]
        return f"{name}: {what}" + (f"  [{'; '.join(answers)}]" if answers else "")


@dataclass(frozen=True)
class Finding:
    """An answer that is no.

    Attributes:
        question: what was asked.
        interleaving: the shortest one of those that were seen in which it does not hold; of all, if all were seen.
    """

    question: str
    interleaving: Interleaving


@dataclass
class Exploration:
    """What a search has found.

    Attributes:
        problem: what was run.
        questions: the names of what was asked.
        whole: whether every state was seen.
        interrupted: whether somebody has ended the search.
        states: how many different states were seen.
        ends: how many of them are ends.
        interleavings: how many interleavings lead to an end; None if some go in circles, not all states were seen, or
            orders were left out.
        circles: whether callers can come back to a state in which they were: they may try again for ever (livelock).
        outcomes: how many ends have which outcome: of each caller, in the order of the alphabet.
        longest: the most choices of an interleaving; of those that were followed, if some go in circles, or not all
            states were seen.
        retries: the most retries of one caller that led to an end.
        deadlocks: how many steps end in a deadlock, by its cycle.
        violations: of each question whose answer is no, in how many states it does not hold, or in a step from them.
        findings: for each of these the shortest interleaving, if states were merged.
        seconds: how long the search took.
    """

    problem: Problem
    questions: Sequence[str]
    whole: bool = False
    interrupted: bool = False
    states: int = 0
    ends: int = 0
    interleavings: int | None = None
    circles: bool = False
    outcomes: Counter[str] = field(default_factory=Counter)
    longest: int = 0
    retries: int = 0
    deadlocks: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    def verdict(self, question: str) -> Proof:
        """The verdict about one question. What was found stands, whether or not all states were seen."""
        if self.violations[question]:
            return Proof.COUNTEREXAMPLE
        return Proof.PROVED if self.whole else Proof.INCONCLUSIVE

    @property
    def verdicts(self) -> dict[str, Proof]:
        """The verdict about each question."""
        return {each: self.verdict(each) for each in self.questions}
