"""Walking along interleavings: one execution, from the beginning through known states to new ones."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from chatsim.exploration.choices import Choice
from chatsim.exploration.cycles import cycles
from chatsim.exploration.execution import Checkpoint, Execution, Happened
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
        self._latest: Path = ()  # the way of the latest walk
        self._checkpoints: list[tuple[int, Checkpoint]] = []  # on it, each with the number of steps before it

    def walk(self, path: Path, known: Container[bytes]) -> Iterator[Met]:
        """The state that a path leads to, and those after it, up to the first known one or an end.

        Where a statement concerns nobody else, and its caller does not end behind it with locks, the other choices lead
        to nothing else (see `independence`). To know that, it is executed first.

        Raises:
            NotImplementedError: the model does not know a statement.
            Exception: a caller's program is broken.
        """
        same = _shared(path, self._latest)
        self._latest = path
        execution = self._resumed(min(same, len(path) - 1))
        happened = None
        try:
            for choice, server in path[len(execution.steps) :]:
                if len(execution.steps) > same:
                    self._keep(execution)
                happened = execution.take(choice, server)
            while True:
                met = self._met(execution, happened, known)
                if not met.choices:
                    yield met
                    return
                own = execution.own if self._prunes else None
                if own is None and len(met.choices) > 1:
                    self._keep(execution)
                choice = own or met.choices[0]
                self._latest = (*self._latest, (choice, met.server))
                happened = execution.take(choice, met.server)
                if own is not None:
                    others = [each for each in met.choices if each != own] if happened.released else []
                    met = replace(met, choices=[own, *others])
                yield met
        finally:
            execution.close()

    def _resumed(self, most: int) -> Execution:
        """An execution at the last checkpoint of the latest walk that has at most so many steps before it."""
        if self._server.redefined:
            self._checkpoints.clear()
        while self._checkpoints and self._checkpoints[-1][0] > most:
            self._checkpoints.pop()
        return Execution(self._problem, self._server, self._checkpoints[-1][1] if self._checkpoints else None)

    def _keep(self, execution: Execution) -> None:
        """Keep a checkpoint, for the walks that go another way from here. Unmerged states are reached without."""
        at = len(execution.steps)
        if self._merges and not (self._checkpoints and self._checkpoints[-1][0] == at):
            checkpoint = execution.checkpoint()
            if checkpoint is not None:
                self._checkpoints.append((at, checkpoint))

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


def _shared(one: Path, other: Path) -> int:
    """How many steps two paths have in common from the beginning."""
    shared = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        shared += 1
    return shared
