"""The rows over which a window function is computed: manual, "Window Function Frame Specification"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.window_names import NO_NAME
from chatsim.innodb.sql.expressions import Env, Function, Scope, compare
from chatsim.innodb.storage.column_types import Binary, Json, Moment, Text, TimeOfDay
from chatsim.innodb.storage.values import Value

__all__ = ["Frame", "Part", "Snapshot"]

Bound: TypeAlias = "Callable[[Part, int], int]"
"""The number of the row at which the frame of a row begins, or before which it ends."""


class Snapshot(NamedTuple):
    """A row of the result, of which the window functions are not known yet.

    Attributes:
        rows: the rows of all tables that it is made of.
        found: the values of the aggregates, if it is a group.
    """

    rows: list[Sequence[Value]]
    found: dict[int, Value]


@dataclass
class Part:
    """The rows of a partition, in their order.

    Attributes:
        rows: the rows.
        keys: by which they are sorted.
        env: where the row at hand is put.
    """

    rows: Sequence[Snapshot]
    keys: Sequence[list[Any]]
    env: Env

    def __len__(self) -> int:
        """The number of its rows."""
        return len(self.rows)

    def put(self, at: int) -> Env:
        """Put a row where expressions find it."""
        self.env.rows, found = self.rows[at]
        self.env.found.update(found)
        return self.env

    @cached_property
    def peers(self) -> list[tuple[int, int]]:
        """For each row the first of those that are sorted like it, and the one behind the last of them."""
        found: list[tuple[int, int]] = []
        while (first := len(found)) < len(self.rows):
            last = first + 1
            while last < len(self.rows) and self.keys[last] == self.keys[first]:
                last += 1
            found += [(first, last)] * (last - first)
        return found


class Frame:
    """The frame of a window.

    Args:
        spec: how it is declared; None for the usual one: up to the current row and those that are sorted like it.
        order: by what the rows are sorted.
        scope: names the tables.

    Raises:
        DatabaseError: it is not valid.
    """

    def __init__(self, spec: exp.WindowSpec | None, order: Sequence[exp.Ordered], scope: Scope) -> None:
        self._order, self._scope = order, scope
        self._start: Bound = _first
        self._end: Bound = lambda part, at: part.peers[at][1]
        if spec is None:
            return
        _check(spec)
        by_rows = str(spec.args["kind"]).upper() == "ROWS"
        of = self._of_rows if by_rows else self._of_range
        self._start = of(spec.args.get("start"), str(spec.args.get("start_side")), is_end=False)
        self._end = of(spec.args.get("end") or "CURRENT ROW", str(spec.args.get("end_side")), is_end=True)

    def bounds(self, part: Part) -> list[tuple[int, int]]:
        """For each row the first row of its frame, and the one behind the last; alike if it is empty."""
        found = []
        for at in range(len(part)):
            start, end = max(self._start(part, at), 0), min(self._end(part, at), len(part))
            found.append((start, max(start, end)))
        return found

    def _of_rows(self, said: str | exp.Expr | None, side: str, *, is_end: bool) -> Bound:
        match said:
            case "UNBOUNDED":
                return _behind_last if is_end else _first
            case "CURRENT ROW":
                return lambda _, at: at + is_end
        number, sign = _row_count(said, self._scope), -1 if side == "PRECEDING" else 1
        return lambda part, at: at + sign * number(part.env) + is_end

    def _of_range(self, said: str | exp.Expr | None, side: str, *, is_end: bool) -> Bound:
        match said:
            case "UNBOUNDED":
                return _behind_last if is_end else _first
            case "CURRENT ROW":
                return lambda part, at: part.peers[at][is_end]
        assert isinstance(said, exp.Expr)
        node = self._sorted_by(said)
        kind, down = self._scope.kind(node), bool(self._order[0].args.get("desc"))
        apart = exp.Sub if (side == "PRECEDING") != down else exp.Add
        value = self._scope.compile(node)
        limit = self._scope.compile(apart(this=node.copy(), expression=said.copy()))
        sign = -1 if down else 1

        def bound(part: Part, at: int) -> int:
            if value(part.put(at)) is None:
                return part.peers[at][is_end]
            wanted = limit(part.env)
            numbers = [
                number
                for number in range(len(part))
                if (other := value(part.put(number))) is not None
                and (sign * compare(other, wanted, kind) <= 0 if is_end else sign * compare(other, wanted, kind) >= 0)
            ]
            return (numbers[-1] + 1 if numbers else 0) if is_end else (numbers[0] if numbers else len(part))

        return bound

    def _sorted_by(self, distance: exp.Expr) -> exp.Expr:
        """The one expression by which the rows are sorted, if a distance can be added to it."""
        node: exp.Expr | None = self._order[0].this if len(self._order) == 1 else None
        kind = None if node is None else self._scope.kind(node)
        if node is None or isinstance(kind, Text | Binary | Json):
            raise database_error(
                3587,
                f"Window '{NO_NAME}' with RANGE N PRECEDING/FOLLOWING frame requires exactly one deterministic"
                " ORDER BY expression, of numeric or temporal type",
            )
        is_moment = isinstance(kind, Moment | TimeOfDay)
        if is_moment and not isinstance(distance, exp.Interval):
            raise database_error(
                3588,
                f"Window '{NO_NAME}' with RANGE frame has ORDER BY expression of datetime type."
                " Only INTERVAL bound value allowed.",
            )
        if not is_moment and kind is not None and isinstance(distance, exp.Interval):
            raise database_error(
                3589,
                f"Window '{NO_NAME}' with RANGE frame has ORDER BY expression of numeric type,"
                " INTERVAL bound value not allowed.",
            )
        return node


def _first(_: Part, __: int) -> int:
    return 0


def _behind_last(part: Part, _: int) -> int:
    return len(part)


def _check(spec: exp.WindowSpec) -> None:
    """Raise a `DatabaseError` for a frame that the server refuses."""
    if str(spec.args["kind"]).upper() == "GROUPS":
        raise database_error(1235, "This version of MySQL doesn't yet support 'GROUPS'")
    if spec.args.get("exclude"):
        raise database_error(1235, "This version of MySQL doesn't yet support 'EXCLUDE'")
    start, end = spec.args.get("start"), spec.args.get("end") or "CURRENT ROW"
    sides = [str(spec.args.get("start_side")), str(spec.args.get("end_side"))]
    if start == "UNBOUNDED" and sides[0] == "FOLLOWING":
        raise database_error(3584, f"Window '{NO_NAME}': frame start cannot be UNBOUNDED FOLLOWING.")
    if end == "UNBOUNDED" and sides[1] == "PRECEDING":
        raise database_error(3585, f"Window '{NO_NAME}': frame end cannot be UNBOUNDED PRECEDING.")
    places = [
        0 if said == "CURRENT ROW" else -1 if side == "PRECEDING" else 1
        for said, side in zip((start, end), sides, strict=True)
    ]
    if places[0] > places[1]:
        message = "frame start or end is negative, NULL or of non-integral type"
        raise database_error(3586, f"Window '{NO_NAME}': {message}")


def _row_count(said: str | exp.Expr | None, scope: Scope) -> Function:
    is_number = isinstance(said, exp.Literal) and not said.is_string and said.name.isdigit()
    if not is_number and not isinstance(said, exp.Placeholder):
        shown = said.sql("mysql") if isinstance(said, exp.Expr) else said
        raise database_error(1064, f"You have an error in your SQL syntax near '{shown} PRECEDING'")
    assert isinstance(said, exp.Expr)
    return scope.compile(said)
