"""A counterexample as text, short enough for the log of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import shorten, wrap
from typing import TYPE_CHECKING

from chatsim.conformance.display import cells, died

if TYPE_CHECKING:
    from chatsim.conformance.display import Cell
    from chatsim.conformance.schedule import Played
    from chatsim.db.deadlock import Deadlock
    from chatsim.experiments.exploring.explored import Counterexample

__all__ = ["WIDTH", "drawn", "limited", "wrapped"]

WIDTH = 110
"""Of a line, in characters."""

_MOST_LINES = 60


def drawn(example: Counterexample) -> str:
    """Each step, who waits for whom, and each deadlock: its cycle, who died, and why that one."""
    if example.schedule is None:
        lines = [f"  {line}" for line in example.interleaving.lines()]
        return limited([*lines, f"  (as the model executes it: {example.why})"])
    played = example.played()
    return limited([*_steps(played), *_deadlocks(played)])


def limited(lines: Sequence[str]) -> str:
    """Lines as one text. Long ones are cut, and of many the middle ones are left out."""
    kept = [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in lines]
    if len(kept) > _MOST_LINES:
        half = _MOST_LINES // 2
        kept = [*kept[:half], f"  … {len(kept) - 2 * half} lines …", *kept[-half:]]
    return "\n".join(kept)


def wrapped(sentence: str, indent: str = "  ") -> list[str]:
    """A sentence in lines, each indented."""
    return wrap(sentence, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _steps(played: Played) -> Iterator[str]:
    """A line for each statement, and one for each thing that it leads to."""
    names = played.schedule.sessions
    waited = dict.fromkeys(names, "")
    room = max(map(len, names))
    for number, row in cells(played.schedule, played.steps):
        own = next((at for at, cell in enumerate(row) if cell.statement), 0)
        if not _prepares(row[own].statement):
            yield f"  {number - _preparations(played):>2}. {names[own]:<{room}}  {_one_line(row[own].statement)}"
        said = [*_answers(row[own])]
        for name, cell in zip(names, row, strict=True):
            if cell is not row[own]:
                said += [f"{name} goes on: {each}" for each in cell.results]
            if cell.waits and cell.waits != waited[name]:
                said.append(f"{name} {cell.waits}")
            waited[name] = cell.waits
        yield from (f"      {'':<{room}}    {_one_line(each)}" for each in said)


def _answers(cell: Cell) -> Iterator[str]:
    """What a session reads, or the error that it gets. That a change succeeds goes without saying."""
    for result in cell.results:
        if result.startswith("["):
            yield f"reads {result}"
        elif result.partition(":")[0].isdecimal():
            yield f"fails with {result}"


def _prepares(statement: str) -> bool:
    """Whether a statement is none of the callers': a schedule sets the time for what depends on it."""
    return statement.startswith("SET SESSION timestamp")


def _preparations(played: Played) -> int:
    return sum(_prepares(step.sql) for step in played.schedule.steps)


def _deadlocks(played: Played) -> Iterator[str]:
    for number, deadlocks, note in died(played):
        for each in deadlocks:
            yield f"  The deadlock of step {number - _preparations(played)}:"
            yield from (f"  {line}" for line in each.ring(WIDTH - 2).splitlines())
            for sentence in _why(each):
                yield from wrapped(sentence)
        if note:
            yield from wrapped(note)


def _why(deadlock: Deadlock) -> list[str]:
    """Who died, and why this one: what `Deadlock.explain` says behind a sentence for each transaction."""
    return deadlock.explain().splitlines()[len(deadlock.participants) :]


def _one_line(text: str) -> str:
    return shorten(text, WIDTH - 10, placeholder=" …")
