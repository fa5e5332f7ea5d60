"""Processes that walk along interleavings for a search, which alone knows all states.

They are forked, so that they have the problem with its programs; only paths and what was met go back and forth.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

from chatsim.exploration.walking import Met, Path, Walker

__all__ = ["Workers"]

_MOST_PATHS = 32
"""So many paths are given to a worker at once: then it soon hears of the states that others have met."""

_From = tuple[Path, bytes]


class Workers:
    """Some processes, while they are needed.

    Args:
        count: how many.
        walker: what they do.
    """

    def __init__(self, count: int, walker: Walker) -> None:
        self._count = count
        self._walker = walker
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        self._workers = [_Worker(self._walker) for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._workers:
            each.end()

    @property
    def busy(self) -> bool:
        """Whether one of them has something to do."""
        return any(each.paths for each in self._workers)

    def give(self, frontier: list[_From]) -> None:
        """Give paths to those that have nothing to do, from the end of a list."""
        for each in self._workers:
            if not each.paths and frontier:
                count = min(_MOST_PATHS, -(-len(frontier) // self._count))
                each.give([frontier.pop() for _ in range(count)])

    def tell(self, known: Iterable[bytes]) -> None:
        """Tell all of them about states that need not be gone through again."""
        for each in self._workers:
            each.known += known

    def done(self) -> Iterator[tuple[Path, bytes, Sequence[Met]]]:
        """What some of them have met, for each path; waits for the first one. Raises what one of them has raised."""
        for pipe in wait([each.pipe for each in self._workers if each.paths]):
            worker = next(each for each in self._workers if each.pipe is pipe)
            paths, worker.paths = worker.paths, []
            met = worker.pipe.recv()
            if isinstance(met, BaseException):
                raise met
            yield from ((path, parent, walk) for (path, parent), walk in zip(paths, met, strict=True))


class _Worker:
    """A process, with what it is to do, and what it is to be told."""

    def __init__(self, walker: Walker) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.paths: list[_From] = []
        self.known: list[bytes] = []
        self._process: BaseProcess = context.Process(target=_work, args=(theirs, walker), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, paths: list[_From]) -> None:
        self.paths = paths
        known, self.known = self.known, []
        self.pipe.send((known, [path for path, _ in paths]))

    def end(self) -> None:
        self._process.kill()  # it has nothing to put in order, and no handler of the search's may run in it
        self._process.join()
        self.pipe.close()


def _work(pipe: Connection[Any, Any], walker: Walker) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the search ends its workers
    known: set[bytes] = set()
    with suppress(EOFError):
        while True:
            learned, paths = pipe.recv()
            known.update(learned)
            try:
                answer: Any = [_walk(walker, path, known) for path in paths]
            except Exception as error:  # noqa: BLE001 - it is raised where the search is
                answer = error
            pipe.send(answer)


def _walk(walker: Walker, path: Path, known: set[bytes]) -> list[Met]:
    met = list(walker.walk(path, known))
    known.update(each.digest for each in met)
    return met
