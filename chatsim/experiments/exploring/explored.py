"""What an exploration has found, with its counterexamples as schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from chatsim.conformance.gates import GATE
from chatsim.conformance.replay import NotReplayableError, schedule_of
from chatsim.exploration.verdict import Exploration, Finding, Interleaving, Proof

if TYPE_CHECKING:
    from chatsim.conformance.schedule import Played, Schedule
    from chatsim.exploration.questions import Question

__all__ = ["Counterexample", "Explored"]


_ANOTHER_FIRST = (
    "somebody who was let go with others goes on before those that waited longer, which is the server's choice"
)


@dataclass(frozen=True)
class Counterexample:
    """The shortest interleaving in which something does not hold.

    Attributes:
        question: the name of what was asked.
        interleaving: its steps.
        inside: whether it needs a statement that is overtaken between two records.
        schedule: the same as a schedule; None if no schedule can force it. Of what happens inside a statement, a
            schedule in which the same does not hold, with a further session that holds a lock in the statement's way.
        why: why there is no schedule, or not of these steps.
    """

    question: str
    interleaving: Interleaving
    inside: bool
    schedule: Schedule | None
    why: str = ""

    @property
    def steps(self) -> int:
        """The number of its choices."""
        return len(self.interleaving.steps)

    def played(self) -> Played:
        """What happens, step by step, as the model plays it. Raises `ValueError` if there is no schedule."""
        from chatsim.conformance import model_player
        from chatsim.conformance.schedule import Played

        if self.schedule is None:
            raise ValueError(self.why)
        outcome = model_player.play(self.schedule)
        return Played(steps=outcome.steps, final=outcome.final, deadlocks=outcome.deadlocks, schedule=self.schedule)


@dataclass(frozen=True)
class Explored:
    """What an exploration has found.

    Attributes:
        name: what was explored.
        found: the verdicts and the numbers.
        questions: what was asked.
        counterexamples: for each question whose answer is no, the shortest interleaving that shows it.
    """

    name: str
    found: Exploration
    questions: Sequence[Question]
    counterexamples: Mapping[str, Counterexample]

    @classmethod
    def of(
        cls,
        name: str,
        found: Exploration,
        questions: Sequence[Question],
        outside: Exploration | None = None,
        forced: Mapping[str, Exploration] | None = None,
    ) -> Explored:
        """With its counterexamples as schedules.

        Args:
            name: what was explored.
            found: what was found.
            questions: what was asked.
            outside: if statements could be overtaken: what was found of the same where they could not.
            forced: of questions whose answer was no only inside statements: what was found with a further session that
                holds a lock in a statement's way.
        """
        examples = {each.question: _example(name, each, found, questions) for each in found.findings}
        if outside is not None:  # a schedule can force these
            examples |= {each.question: _example(name, each, outside, questions) for each in outside.findings}
        for question, gated in (forced or {}).items():
            examples[question] = _forced_example(name, examples[question], gated, questions)
        return cls(name, found, questions, examples)

    @property
    def proved(self) -> bool:
        """Whether all that was asked holds in every interleaving."""
        return all(each is Proof.PROVED for each in self.found.verdicts.values())

    def rows(self) -> list[dict[str, object]]:
        """A row for each question."""
        return [
            {
                "explored": self.name,
                "asked": each.holds,
                "verdict": str(self.found.verdict(each.name)),
                "steps": example.steps if (example := self.counterexamples.get(each.name)) else None,
                "only": "inside a statement" if example and example.inside else "",
            }
            for each in self.questions
        ]

    @property
    def summary(self) -> str:
        """The numbers, in a sentence."""
        found = self.found
        ways = "" if found.interleavings is None else f" of {found.interleavings:,} interleavings"
        how = "all states" if found.whole else "not all states"
        again = "; callers may try again for ever" if found.circles else ""
        return (
            f"{found.states:,} states{ways}, {found.ends:,} ends, at most {found.longest} steps and"
            f" {found.retries} retries; {how} were seen in {found.seconds:.1f} s{again}"
        )

    def as_json(self) -> dict[str, object]:
        """Everything, as values of JSON."""
        found = self.found
        return {
            "explored": self.name,
            "verdicts": {name: str(proof) for name, proof in found.verdicts.items()},
            "states": found.states,
            "ends": found.ends,
            "interleavings": found.interleavings,
            "whole": found.whole,
            "circles": found.circles,
            "longest": found.longest,
            "retries": found.retries,
            "outcomes": dict(found.outcomes),
            "deadlocks": dict(found.deadlocks),
            "counterexamples": {
                name: {"steps": each.steps, "inside": each.inside} for name, each in self.counterexamples.items()
            },
            "seconds": round(found.seconds, 3),
        }

    def _repr_html_(self) -> str:
        rows = self.rows()
        head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{'' if cell is None else escape(str(cell))}</td>" for cell in row.values()
            )
            + "</tr>"
            for row in rows
        )
        shown = "".join(each.played()._repr_html_() for each in self.counterexamples.values() if each.schedule)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{escape(self.summary)}</p>{shown}"


def _example(name: str, finding: Finding, found: Exploration, questions: Sequence[Question]) -> Counterexample:
    question = finding.question
    holds = next(each.holds for each in questions if each.name == question)
    inside = found.problem.switches.inside
    try:
        schedule = schedule_of(
            *(finding.interleaving, found.problem),
            name=f"{name}-{question}".replace(" ", "-"),
            title=f"{name}: {holds} does not hold",
        )
    except NotReplayableError as error:
        return Counterexample(question, finding.interleaving, inside, None, str(error))
    if schedule.concurrent_wakeups and not _is_played(schedule):
        return Counterexample(question, finding.interleaving, inside, None, _ANOTHER_FIRST)
    return Counterexample(question, finding.interleaving, inside, schedule)


def _is_played(schedule: Schedule) -> bool:
    """Whether each step can be taken, although those who are let go at once go on in the order in which they waited."""
    from chatsim.conformance import model_player
    from chatsim.conformance.schedule import NotPlayedError

    try:
        model_player.play(schedule)
    except NotPlayedError:
        return False
    return True


def _forced_example(
    name: str, example: Counterexample, gated: Exploration, questions: Sequence[Question]
) -> Counterexample:
    """A counterexample inside a statement, with the schedule of another one that a further session forces."""
    finding = next(each for each in gated.findings if each.question == example.question)
    schedule = _example(name, finding, gated, questions).schedule
    if schedule is None:
        return example
    return replace(example, schedule=schedule, why=f"the session {GATE} holds a lock in a statement's way")
