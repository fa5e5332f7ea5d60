"""Going through all interleavings: depth first, with states merged where they are equal.

An execution can't be copied, for its callers are coroutines. So a state is reached again by taking the same choices
from the beginning. From there the search goes on as long as it meets new states.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from chatsim.db.deadlock import Deadlock
from chatsim.exploration.choices import Choice
from chatsim.exploration.execution import Execution, Happened
from chatsim.exploration.graph import Graph
from chatsim.exploration.problem import Problem, Server
from chatsim.exploration.questions import Question, faults_at_end
from chatsim.exploration.verdict import Bound, Exploration, Finding, Interleaving

__all__ = ["explore"]

_Path = tuple[tuple[Choice, bytes], ...]
"""Choices, each with the digest of the server before it."""

Progress = Callable[[int, int], None]
"""Called from time to time with the number of states that were seen, and of those that are known and not seen."""


def explore(
    problem: Problem,
    questions: Sequence[Question],
    *,
    bound: Bound | None = None,
    merges: bool = True,
    prunes: bool = False,
    progress: Progress | None = None,
) -> Exploration:
    """Go through all interleavings of a problem. After an interrupt, what was found so far is returned.

    Args:
        problem: what is run.
        questions: what is asked about it.
        bound: how far the search goes.
        merges: whether equal states are merged. Without that, every interleaving is carried out.
        prunes: whether orders are left out that differ only in when statements run that concern nobody else. What is
            asked has the same answers, and interleavings are not counted.
        progress: is told how far the search has come.

    Raises:
        NotImplementedError, DatabaseError: as `Server`.
        Exception: a caller's program is broken.
    """
    return _Search(problem, questions, bound or Bound(), merges=merges, prunes=prunes).run(progress)


def _cycle(deadlock: Deadlock) -> str:
    """The locks that a deadlock's transactions wait for."""
    locks = (lock for _, _, lock in deadlock.waits_for() if lock is not None)
    return "; ".join(sorted(f"{lock.mode} {lock.kind.value} of {lock.place}" for lock in locks))


class _Search:
    def __init__(
        self, problem: Problem, questions: Sequence[Question], bound: Bound, *, merges: bool, prunes: bool
    ) -> None:
        self._problem = problem
        self._questions = questions
        self._bound = bound
        self._merges = merges
        self._prunes = prunes
        self._server = Server(problem)
        self._graph = Graph()
        self._found = Exploration(problem, [each.name for each in questions])
        self._begun = time.monotonic()

    def run(self, progress: Progress | None) -> Exploration:
        found, graph = self._found, self._graph
        frontier: list[tuple[_Path, bytes]] = [((), b"")]
        try:
            while frontier:
                if len(graph.states) >= self._bound.states or self._seconds() > self._bound.seconds:
                    break
                self._follow(*frontier.pop(), frontier)
                if progress is not None:
                    progress(len(graph.states), len(frontier))
        except KeyboardInterrupt:
            found.interrupted = True
        found.whole = not frontier and not found.interrupted
        found.states, found.ends = len(graph.states), graph.ends
        found.circles = graph.has_circles()
        if found.whole and not found.circles and not self._prunes:
            found.interleavings = graph.paths()
        found.violations.update({name: len(graph.faulty(name)) for name in found.questions})
        if self._merges:
            found.findings = [Finding(name, self._shortest(name)) for name in found.questions if found.violations[name]]
        found.seconds = self._seconds()
        return found

    def _seconds(self) -> float:
        return time.monotonic() - self._begun

    def _follow(self, path: _Path, parent: bytes, frontier: list[tuple[_Path, bytes]]) -> None:
        """Take the choices of a path, the last of them for the first time, and go on while there is something new."""
        execution = Execution(self._problem, self._server)
        happened = None
        try:
            for choice, server in path:
                happened = execution.take(choice, server)
            while True:
                digest, server = self._digest(execution)
                if happened is not None:
                    self._arrive(parent, happened, digest)
                if digest in self._graph.states:
                    return
                self._graph.add(digest)
                choices = execution.sufficient if self._prunes else execution.choices
                if not choices:
                    self._end(execution, digest)
                    return
                frontier.extend(((*path, (each, server)), digest) for each in choices[1:])
                path, parent = (*path, (choices[0], server)), digest
                happened = execution.take(choices[0], server)
                self._found.longest = max(self._found.longest, len(path))
        finally:
            execution.close()

    def _digest(self, execution: Execution) -> tuple[bytes, bytes]:
        return execution.digest() if self._merges else (len(self._graph.states).to_bytes(8), b"")

    def _arrive(self, parent: bytes, happened: Happened, digest: bytes) -> None:
        faults = [each.name for each in self._questions if each.in_step is not None and each.in_step(happened)]
        self._graph.connect(parent, digest, faults)
        self._found.deadlocks.update(map(_cycle, happened.deadlocks))

    def _end(self, execution: Execution, digest: bytes) -> None:
        self._graph.end(digest, faults_at_end(self._questions, execution))
        ended = execution.ended
        self._found.outcomes[", ".join(sorted(each.outcome for each in ended))] += 1
        self._found.retries = max([self._found.retries, *(len(each.refusals) - each.refused for each in ended)])

    def _shortest(self, name: str) -> Interleaving:
        """The shortest interleaving with a fault, along the distances to it in the graph of states."""
        distances = self._graph.distances(name)
        path: list[tuple[Choice, bytes]] = []
        execution = Execution(self._problem, self._server)
        digest, server = execution.digest()
        while True:
            left = distances[digest]
            if not left:
                steps = list(execution.steps)
                break
            for choice in execution.sufficient if self._prunes else execution.choices:
                execution.close()
                execution = self._again([*path, (choice, server)])
                here, there = execution.digest()
                if distances.get(here) == left - 1 or (
                    left == 1 and self._graph.is_faulty_step(digest, here, name) and self._shows(execution, name)
                ):
                    break
            path.append((choice, server))
            if left == 1:
                steps = list(execution.steps)
                break
            digest, server = here, there
        execution.close()
        if self._prunes:
            steps = self._shrunk(steps, name)
        return Interleaving([each.name for each in self._problem.callers], steps)

    def _shrunk(self, steps: list[Happened], name: str) -> list[Happened]:
        """The steps without those that a fault in the last of them does not need: others were to run first."""
        at = 0
        while at < len(steps) - 1:
            fewer = self._carried_out([each.choice for each in (*steps[:at], *steps[at + 1 :])], name)
            at, steps = (at, fewer) if fewer else (at + 1, steps)
        return steps

    def _carried_out(self, choices: list[Choice], name: str) -> list[Happened] | None:
        """What happens by these choices; None if they can't be taken, or do not lead to the fault."""
        execution = Execution(self._problem, self._server)
        try:
            for choice in choices:
                if choice not in execution.choices:
                    return None
                execution.take(choice)
            return list(execution.steps) if self._shows(execution, name) else None
        finally:
            execution.close()

    def _shows(self, execution: Execution, name: str) -> bool:
        question = next(each for each in self._questions if each.name == name)
        return question.in_step is not None and question.in_step(execution.steps[-1])

    def _again(self, path: list[tuple[Choice, bytes]]) -> Execution:
        execution = Execution(self._problem, self._server)
        for choice, server in path:
            execution.take(choice, server)
        return execution
