"""Walking along interleavings: one execution, from the beginning through known states to new ones."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from chatsim.exploration.choices import Choice
from chatsim.exploration.cycles import cycles
from chatsim.exploration.execution import Execution, Happened
from chatsim.exploration.problem import Problem, Server
from chatsim.exploration.questions import Question, faults_at_end

__all__ = ["End", "Met", "Path", "Walker"]

Path = tuple[tuple[Choice, bytes], ...]
"""Choices, each with the digest of the server before it."""


@dataclass(frozen=True, slots=True)
class End:
    """An end of an interleaving.

    Attributes:
        faults: the names of the questions whose answer it is against.
        outcome: what has become of the callers, in the order of the alphabet.
        retries: the most retries of one caller.
    """

    faults: Sequence[str]
    outcome: str
    retries: int


@dataclass(frozen=True, slots=True)
class Met:
    """A state that a walk has come to. What follows the faults is there only if the state was not known.

    Attributes:
        digest: its digest.
        server: the digest of the server in it.
        faults: the names of the questions that the step to it is against.
        deadlocks: the cycles of the deadlocks that were resolved in that step.
        choices: what may happen next. The walk goes on with the first one.
        end: what it is if nothing may.
    """

    digest: bytes
    server: bytes
    faults: Sequence[str]
    deadlocks: Sequence[str]
    choices: Sequence[Choice] = ()
    end: End | None = None


class Walker:
    """Carries out executions, one after the other.

    Args:
        problem: what is run.
        questions: what is asked about it.
        merges: whether equal states have equal digests. Otherwise, each state has one of its own.
        prunes: whether only choices are told that suffice.

    Raises:
        NotImplementedError, DatabaseError: as `Server`.
    """

    def __init__(self, problem: Problem, questions: Sequence[Question], *, merges: bool, prunes: bool) -> None:
        self._problem = problem
        self._questions = questions
        self._merges = merges
        self._prunes = prunes
        self._server = Server(problem)
        self._count = 0

    def walk(self, path: Path, known: Container[bytes]) -> Iterator[Met]:
        """The state that a path leads to, and those after it, up to the first known one or an end.

        Where a statement concerns nobody else, and its caller does not end behind it with locks, the other choices lead
        to nothing else (see `independence`). To know that, it is executed first.

        Raises:
            NotImplementedError: the model does not know a statement.
            Exception: a caller's program is broken.
        """
        execution = Execution(self._problem, self._server)
        happened = None
        try:
            for choice, server in path:
                happened = execution.take(choice, server)
            while True:
                met = self._met(execution, happened, known)
                if not met.choices:
                    yield met
                    return
                own = execution.own if self._prunes else None
                happened = execution.take(own or met.choices[0], met.server)
                if own is not None:
                    others = [each for each in met.choices if each != own] if happened.released else []
                    met = replace(met, choices=[own, *others])
                yield met
        finally:
            execution.close()

    def start(self, path: Sequence[tuple[Choice, bytes]] = ()) -> Execution:
        """An execution that has taken a path."""
        execution = Execution(self._problem, self._server)
        for choice, server in path:
            execution.take(choice, server)
        return execution

    def _met(self, execution: Execution, happened: Happened | None, known: Container[bytes]) -> Met:
        digest, server = self._digest(execution)
        steps = [] if happened is None else [happened]
        faults = [each.name for each in self._questions for step in steps if each.in_step and each.in_step(step)]
        deadlocks = [each for step in steps for each in cycles(step)]
        if digest in known:
            return Met(digest, server, faults, deadlocks)
        choices = execution.choices
        return Met(digest, server, faults, deadlocks, choices, None if choices else self._end(execution))

    def _digest(self, execution: Execution) -> tuple[bytes, bytes]:
        self._count += 1
        return execution.digest() if self._merges else (self._count.to_bytes(8), b"")

    def _end(self, execution: Execution) -> End:
        ended = execution.ended
        return End(
            faults_at_end(self._questions, execution),
            ", ".join(sorted(each.outcome for each in ended)),
            max(len(each.refusals) - each.refused for each in ended),
        )
