"""Several deadlocks, counted by the kind of their cycle.

Two deadlocks are of one kind if the same statements, but for their values, waited for the same modes of locks on the
same indexes of the same tables, in the same order round the cycle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias, overload

from chatsim.db.deadlock import Deadlock, Lock, Participant

__all__ = ["DeadlockKind", "Deadlocks", "same_waits", "shape"]

Cycle: TypeAlias = tuple[tuple[object, ...], ...]

_TOKEN = re.compile(
    r"""
    (?P<comment> /\*(?!\!).*?(?:\*/|\Z) | (?:\#|--\s)[^\n]* )
    | (?P<value> '(?:[^'\\]|\\.|'')*+'? | "(?:[^"\\]|\\.|"")*+"? | \b0x[0-9a-f]+\b
        | (?<![\w`.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?\b )
    | (?P<name> `[^`]*+`? )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_LIST = re.compile(r"\((?:\s*\?\s*,)*\s*\?\s*\)(?:\s*,\s*\((?:\s*\?\s*,)*\s*\?\s*\))*")


@dataclass(frozen=True, slots=True)
class DeadlockKind:
    """Deadlocks of one kind.

    Attributes:
        deadlocks: all of them, in the order of the text.
        shapes: the statements of the cycle, with ``?`` for their values.
    """

    deadlocks: tuple[Deadlock, ...]
    shapes: tuple[str, ...]

    @property
    def example(self) -> Deadlock:
        """The latest one."""
        return self.deadlocks[-1]

    def __len__(self) -> int:
        return len(self.deadlocks)


class Deadlocks(Sequence[Deadlock]):
    """The deadlocks of a text, in its order. A notebook shows how many there are of each kind.

    Args:
        found: the deadlocks.
    """

    def __init__(self, found: Sequence[Deadlock]) -> None:
        self._found = tuple(found)

    @overload
    def __getitem__(self, at: int) -> Deadlock: ...

    @overload
    def __getitem__(self, at: slice) -> Deadlocks: ...

    def __getitem__(self, at: int | slice) -> Deadlock | Deadlocks:
        return Deadlocks(self._found[at]) if isinstance(at, slice) else self._found[at]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Deadlock]:
        return iter(self._found)

    def __repr__(self) -> str:
        return f"<{len(self)} deadlocks of {len(self.kinds())} kinds>"

    def kinds(self) -> list[DeadlockKind]:
        """The kinds of deadlocks, the most frequent first; of equally frequent ones, the one that came first."""
        found: dict[Cycle, list[Deadlock]] = {}
        for each in self:
            found.setdefault(_cycle(each), []).append(each)
        kinds = [DeadlockKind(tuple(each), _shapes(each[0])) for each in found.values()]
        return sorted(kinds, key=len, reverse=True)

    def rows(self) -> list[dict[str, object]]:
        """One row for each kind, for a `pandas.DataFrame`: how often, which indexes, and which statements."""
        return [
            {
                "count": len(kind),
                "transactions": len(kind.example.participants),
                "waits": ", ".join(sorted({wanted.place for _, _, wanted in kind.example.waits_for() if wanted})),
                "statements": " | ".join(kind.shapes),
                "latest": kind.example.time,
            }
            for kind in self.kinds()
        ]

    def _repr_html_(self) -> str:
        if len(self) == 1:
            return self[0]._repr_html_()
        rows = self.rows()
        head = "".join(f"<th>{name}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row.values()) + "</tr>" for row in rows
        )
        latest = "".join(
            f"<details><summary>{n}</summary>{kind.example._repr_html_()}</details>"
            for n, kind in enumerate(self.kinds(), 1)
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{latest}"


def shape(statement: str) -> str:
    """A statement with ``?`` for its values, on one line, without comments. Lists of values are one ``(?)``."""
    valueless = _TOKEN.sub(lambda found: "?" if found["value"] else found["name"] or " ", statement)
    listed = _LIST.sub("(?)", " ".join(valueless.split()))
    return listed.rstrip(" ;")


def same_waits(one: Deadlock, other: Deadlock) -> bool:
    """Whether the same statements, but for their values, wait for the same locks; by whatever these are held."""
    return _turned([_wait(each) for each in one.participants]) == _turned([_wait(each) for each in other.participants])


def _cycle(deadlock: Deadlock) -> Cycle:
    """What is equal for deadlocks of one kind."""
    return _turned([_part(deadlock, each) for each in deadlock.participants])


def _turned(parts: list[tuple[object, ...]]) -> Cycle:
    """A cycle from a place on that does not depend on where it was begun."""
    turns = [tuple(parts[place:] + parts[:place]) for place in range(len(parts))]
    return min(turns, key=repr)


def _part(deadlock: Deadlock, one: Participant) -> tuple[object, ...]:
    held = None if one.holds is None else tuple(sorted({_lock(each) for each in deadlock.in_the_way(one)}))
    return (*_wait(one), held)


def _wait(one: Participant) -> tuple[object, ...]:
    return shape(one.statement).casefold(), _lock(one.waits) if one.waits is not None else None


def _lock(lock: Lock) -> tuple[str, str, str, str]:
    return lock.table, lock.index, lock.mode, lock.kind.value


def _shapes(deadlock: Deadlock) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shape(each.statement) for each in deadlock.participants if each.statement))
