"""Going through all interleavings: depth first, with states merged where they are equal.

An execution can't be copied, for its callers are coroutines. So a state is reached again by taking the same choices
from the beginning. From there the search goes on as long as it meets new states.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from chatsim.exploration.choices import Choice
from chatsim.exploration.execution import Execution, Happened
from chatsim.exploration.graph import Graph
from chatsim.exploration.problem import Problem
from chatsim.exploration.questions import Question
from chatsim.exploration.verdict import Bound, Exploration, Finding, Interleaving
from chatsim.exploration.walking import Met, Path, Walker
from chatsim.exploration.workers import Workers

__all__ = ["explore"]

Progress = Callable[[int, int], None]
"""Called from time to time with the number of states that were seen, and of those that are known and not seen."""


def explore(
    problem: Problem,
    questions: Sequence[Question],
    *,
    bound: Bound | None = None,
    merges: bool = True,
    prunes: bool = False,
    workers: int = 1,
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
        workers: how many processes carry executions out. Several need merged states.
        progress: is told how far the search has come.

    Raises:
        NotImplementedError, DatabaseError: as `Server`.
        Exception: a caller's program is broken.
    """
    walker = Walker(problem, questions, merges=merges, prunes=prunes)
    return _Search(problem, questions, bound or Bound(), walker, merges=merges, prunes=prunes).run(workers, progress)


class _Search:
    def __init__(
        self,
        problem: Problem,
        questions: Sequence[Question],
        bound: Bound,
        walker: Walker,
        *,
        merges: bool,
        prunes: bool,
    ) -> None:
        self._problem = problem
        self._questions = questions
        self._bound = bound
        self._walker = walker
        self._merges = merges
        self._prunes = prunes
        self._graph = Graph()
        self._frontier: list[tuple[Path, bytes]] = [((), b"")]  # paths, each with the state before its last choice
        self._found = Exploration(problem, [each.name for each in questions])
        self._begun = time.monotonic()

    def run(self, workers: int, progress: Progress | None) -> Exploration:
        found, graph = self._found, self._graph
        whole = False
        try:
            whole = self._walk(progress) if workers == 1 else self._have_walked(workers, progress)
        except KeyboardInterrupt:
            found.interrupted = True
        found.whole = whole
        found.states, found.ends = len(graph.states), graph.ends
        found.circles = graph.has_circles()
        if found.whole and not found.circles:
            found.longest = graph.longest()
            if not self._prunes:
                found.interleavings = graph.paths()
        found.violations.update({name: len(graph.faulty(name)) for name in found.questions})
        if self._merges:
            found.findings = [Finding(name, self._shortest(name)) for name in found.questions if found.violations[name]]
        found.seconds = self._seconds()
        return found

    def _seconds(self) -> float:
        return time.monotonic() - self._begun

    def _is_bounded(self) -> bool:
        return len(self._graph.states) >= self._bound.states or self._seconds() > self._bound.seconds

    def _walk(self, progress: Progress | None) -> bool:
        """Walk along all interleavings. Returns whether every state was seen."""
        while self._frontier:
            if self._is_bounded():
                return False
            path, parent = self._frontier.pop()
            self._take_in(path, parent, self._walker.walk(path, self._graph.states))
            if progress is not None:
                progress(len(self._graph.states), len(self._frontier))
        return True

    def _have_walked(self, count: int, progress: Progress | None) -> bool:
        """Have workers walk along all interleavings. Returns whether every state was seen."""
        with ExitStack() as stack:
            workers = stack.enter_context(Workers(count, self._walker))
            while self._frontier or workers.busy:
                if self._is_bounded():
                    return False
                workers.give(self._frontier)
                for path, parent, walk in workers.done():
                    workers.tell(self._take_in(path, parent, walk))
                if progress is not None:
                    progress(len(self._graph.states), len(self._frontier))
        return True

    def _take_in(self, path: Path, parent: bytes, walk: Iterable[Met]) -> list[bytes]:
        """Note what a walk has met, and where else one can go from there. Returns the states that are new."""
        graph, found = self._graph, self._found
        new: list[bytes] = []
        counts = bool(path)  # whether the step before was taken for the first time; the beginning has none
        for met in walk:
            if path:
                graph.connect(parent, met.digest, met.faults, counts=counts)
            if counts:
                found.deadlocks.update(met.deadlocks)
                found.longest = max(found.longest, len(path))
            counts = met.digest not in graph.states  # else another worker was there in the meantime
            if counts:
                new.append(met.digest)
                graph.add(met.digest)
                self._frontier.extend(((*path, (each, met.server)), met.digest) for each in met.choices[1:])
                if met.end is not None:
                    graph.end(met.digest, met.end.faults)
                    found.outcomes[met.end.outcome] += 1
                    found.retries = max(found.retries, met.end.retries)
            if met.choices:
                path, parent = (*path, (met.choices[0], met.server)), met.digest
        return new

    def _shortest(self, name: str) -> Interleaving:
        """The shortest interleaving with a fault, along the distances to it in the graph of states."""
        distances = self._graph.distances(name)
        path: list[tuple[Choice, bytes]] = []
        execution = self._walker.start()
        digest, server = execution.digest()
        while True:
            left = distances[digest]
            if not left:
                steps = list(execution.steps)
                break
            for choice in execution.choices:  # with callers in each other's place, others may suffice than before
                execution.close()
                execution = self._walker.start([*path, (choice, server)])
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
        execution = self._walker.start()
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
