"""The functions over windows: manual, "Window Function Descriptions"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.aggregate import Aggregate
from chatsim.innodb.sql.executor.window_frames import Frame, Part
from chatsim.innodb.sql.expressions import Scope, unsupported
from chatsim.innodb.storage.values import Value

__all__ = ["Computed", "computed"]

_AGGREGATES = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)

Computed: TypeAlias = "Callable[[Part], list[Value]]"
"""Gives the values of a function for the rows of a partition."""


def computed(node: exp.Expr, scope: Scope, frame: Frame) -> Computed:
    """What computes a function over a window.

    Args:
        node: the call.
        scope: names the tables.
        frame: the frame of the window, which not all functions obey.

    Raises:
        NotImplementedError: it is another function.
        DatabaseError: its arguments are not valid.
    """
    if isinstance(node, exp.RespectNulls):  # which is how it is
        node = node.this
    if (of_rank := _OF_RANK.get(type(node))) is not None:
        return of_rank
    if isinstance(node, exp.Ntile):
        return _buckets(_count(node.this, "ntile"))
    if isinstance(node, exp.Lag | exp.Lead):
        return _neighbour(node, scope)
    if isinstance(node, exp.FirstValue | exp.LastValue | exp.NthValue):
        return _of_frame(node, scope, frame)
    if not isinstance(node, _AGGREGATES):
        raise unsupported(node, "as a window function")
    return _aggregate(node, scope, frame)


def _dense_ranks(part: Part) -> list[Value]:
    found: list[Value] = []
    rank, before = 0, -1
    for first, _ in part.peers:
        rank += first != before
        before = first
        found.append(rank)
    return found


def _count(node: exp.Expr | None, name: str) -> int:
    """A number of buckets, or of a row. Raises a `DatabaseError` if it is none, or 0 (1064, 1210)."""
    number = _literal(node)
    if number == 0:
        raise database_error(1210, f"Incorrect arguments to {name}")
    return number


def _literal(node: exp.Expr | None) -> int:
    if isinstance(node, exp.Placeholder):
        raise unsupported(node, "as the argument of a window function")
    if not isinstance(node, exp.Literal) or node.is_string or not node.name.isdigit():
        shown = node.sql("mysql") if node is not None else ""
        raise database_error(1064, f"You have an error in your SQL syntax near '{shown})'")
    return int(node.name)


def _buckets(count: int) -> Computed:
    """NTILE: buckets of the same size, the first of them larger by one if the rows do not go up."""

    def values(part: Part) -> list[Value]:
        size, larger = divmod(len(part), count)
        sizes = [size + (number < larger) for number in range(count)]
        return [number for number, each in enumerate(sizes, start=1) for _ in range(each)]

    return values


def _neighbour(node: exp.Lag | exp.Lead, scope: Scope) -> Computed:
    value = scope.compile(node.this)
    given = node.args.get("offset")
    steps = (1 if given is None else _literal(given)) * (-1 if isinstance(node, exp.Lag) else 1)
    instead = scope.compile(node.args["default"]) if node.args.get("default") else None

    def one(part: Part, at: int) -> Value:
        if 0 <= at + steps < len(part):
            return value(part.put(at + steps))  # type: ignore[no-any-return]
        return None if instead is None else instead(part.put(at))

    return lambda part: [one(part, at) for at in range(len(part))]


def _of_frame(node: exp.FirstValue | exp.LastValue | exp.NthValue, scope: Scope, frame: Frame) -> Computed:
    """The value of one row of the frame; NULL if the frame has no such row."""
    value = scope.compile(node.this)
    number = _count(node.args.get("offset"), "nth_value") if isinstance(node, exp.NthValue) else 1
    is_last = isinstance(node, exp.LastValue)

    def one(part: Part, start: int, end: int) -> Value:
        at = end - 1 if is_last else start + number - 1
        return value(part.put(at)) if start <= at < end else None

    return lambda part: [one(part, start, end) for start, end in frame.bounds(part)]


def _aggregate(node: exp.Expr, scope: Scope, frame: Frame) -> Computed:
    """An aggregate of the rows of the frame. What a frame has more than the one before it, is added to that."""
    if isinstance(node.this, exp.Distinct):
        raise database_error(1235, "This version of MySQL doesn't yet support '<window function>(DISTINCT ..)'")
    aggregate = Aggregate(node, scope)

    def values(part: Part) -> list[Value]:
        found: list[Value] = []
        state, first, behind = aggregate.start(), 0, 0
        for start, end in frame.bounds(part):
            if start != first or end < behind:
                state, first, behind = aggregate.start(), start, start
            for at in range(behind, end):
                state = aggregate.add(state, part.put(at))
            behind = end
            found.append(aggregate.end(state))
        return found

    return values


_OF_RANK: Mapping[type[exp.Expr], Computed] = {
    exp.RowNumber: lambda part: list(range(1, len(part) + 1)),
    exp.Rank: lambda part: [first + 1 for first, _ in part.peers],
    exp.DenseRank: _dense_ranks,
    exp.PercentRank: lambda part: [first / (len(part) - 1) if len(part) > 1 else 0.0 for first, _ in part.peers],
    exp.CumeDist: lambda part: [behind / len(part) for _, behind in part.peers],
}
"""The functions without arguments, which say where a row is in its partition."""
