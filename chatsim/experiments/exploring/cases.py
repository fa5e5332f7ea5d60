"""All shipped strategies and kinds of cursor, explored in many cases; what is done is kept, so that it can go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from chatsim.chat.creation import STRATEGIES
from chatsim.db.session import Isolation
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.exploring.explored import Explored
from chatsim.experiments.exploring.exploring import Exploring
from chatsim.experiments.exploring.patterns import NEWS, PATTERNS, PRESENT, News, Pattern, Present

__all__ = ["FEW", "Case", "CursorCase", "Kept", "Observed", "cases", "cursor_cases", "explore_all"]

_TABLES = {"unordered": "source"}
"""The tables of strategies that others refuse: a CHECK of the hardened ones wants the smaller id first."""
_LEVELS = (Isolation.READ_COMMITTED, Isolation.REPEATABLE_READ)


FEW = 3
"""With more callers, orders are left out that differ only in when statements run that concern nobody else."""


@dataclass(frozen=True)
class Case:
    """What is explored.

    Attributes:
        strategy: the name of the strategy.
        tables: the name of the schema.
        isolation: the isolation level.
        callers: how many there are.
        pattern: who asks for whom.
        present: which chats there are before.
    """

    strategy: str
    tables: str
    isolation: str
    callers: int
    pattern: Pattern
    present: Present

    def explored(self, seconds: float, workers: int) -> Explored:
        """Explore it.

        Args:
            seconds: the longest time.
            workers: how many processes carry interleavings out.
        """
        how = Exploring(
            callers=self.callers,
            pattern=self.pattern,
            present=self.present,
            tables=self.tables,
            isolation=self.isolation,
            seconds=seconds,
            prune=self.callers > FEW,
            workers=workers,
        )
        return how.strategy(STRATEGIES[self.strategy])


@dataclass(frozen=True)
class CursorCase:
    """What is explored of a kind of cursor.

    Attributes:
        kind: the name of the kind.
        news: what its writers write.
        writers: how many there are.
        looks: how often the reader looks while they write.
    """

    kind: str
    news: News
    writers: int
    looks: int

    def explored(self, seconds: float, workers: int) -> Explored:
        """Explore it; as `Case.explored`."""
        how = Exploring(callers=self.writers, looks=self.looks, news=self.news, seconds=seconds, workers=workers)
        return how.cursor(CURSORS[self.kind])


@dataclass(frozen=True)
class Observed:
    """What was found in a case.

    Attributes:
        case: which.
        seconds: the longest time that the search was given.
        date: when it was.
        found: what was found, as `Explored.as_json`.
    """

    case: Case | CursorCase
    seconds: float
    date: str
    found: dict[str, Any]

    @classmethod
    def of(cls, line: str) -> Self:
        """What a line of JSON says. Raises `ValueError`, also if it is cut off."""
        try:
            fields = json.loads(line)
            case = fields.pop("case")
            return cls(CursorCase(**case) if "kind" in case else Case(**case), **fields)
        except (TypeError, KeyError) as error:
            raise ValueError(f"{line!r} says nothing about a case: {error}") from error

    @property
    def line(self) -> str:
        """The same as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"


class Kept:
    """What was found so far, in a file with a line of JSON for each case.

    Args:
        path: the file. If it is not there, it is made.

    Raises:
        ValueError: a line but the last is none of these. The last one may be cut off; then its case is done again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.observed: dict[Case | CursorCase, Observed] = {}
        *lines, cut_off = path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
        for each in map(Observed.of, lines):
            self.observed[each.case] = each
        if cut_off:
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def suffices(self, case: Case | CursorCase, seconds: float) -> bool:
        """Whether a case need not be explored: all its states were seen, or it has had as much time."""
        found = self.observed.get(case)
        return found is not None and (found.found["whole"] or found.seconds >= seconds)

    def keep(self, observed: Observed) -> None:
        """Keep what was found in a case, in place of what was found before."""
        self.observed[observed.case] = observed
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(observed.line)


def cases(callers: Sequence[int], strategies: Sequence[str] = tuple(STRATEGIES)) -> Iterator[Case]:
    """What is explored, the small ones first.

    Few callers: each strategy at both isolation levels, with each set of chats before. Two callers also ask for
    different pairs. More callers: at REPEATABLE READ and at the strategy's own level, with nothing before.
    """
    for count in sorted(callers):
        few = count <= FEW
        for pattern in PATTERNS if count == 2 else PATTERNS[:1]:
            for name in strategies:
                for level in _levels(name, few=few):
                    for present in PRESENT if few else PRESENT[:1]:
                        yield Case(name, _TABLES.get(name, "hardened"), level.value, count, pattern, present)


def cursor_cases(kinds: Sequence[str] = tuple(CURSORS)) -> Iterator[CursorCase]:
    """What is explored of kinds of cursor: two writers, and a reader that looks twice, for all that may be new."""
    for kind in kinds:
        for news in NEWS:
            yield CursorCase(kind, news, writers=2, looks=2)


def _levels(name: str, *, few: bool) -> Sequence[Isolation]:
    own = STRATEGIES[name].isolation
    if own not in _LEVELS:  # the strategy is nothing else than its level
        return (own,)
    return [each for each in _LEVELS if few or each in (own, Isolation.REPEATABLE_READ)]


def explore_all(
    wanted: Sequence[Case | CursorCase],
    kept: Kept,
    *,
    seconds: float,
    workers: int,
    date: str,
    tell: Callable[[int, Case | CursorCase], None],
) -> None:
    """Explore each case that has not been explored.

    Args:
        wanted: which.
        kept: what was found before; what is found is added.
        seconds: the longest time for each.
        workers: how many processes carry interleavings out.
        date: today.
        tell: is called with the number of a case and the case, before it is explored.

    Raises:
        KeyboardInterrupt: as given. The case under way is not kept.
    """
    for number, case in enumerate(wanted):
        if kept.suffices(case, seconds):
            continue
        tell(number, case)
        explored = case.explored(seconds, workers)
        if explored.found.interrupted:
            raise KeyboardInterrupt
        kept.keep(Observed(case, seconds, date, explored.as_json()))
