"""The values of one column that conditions allow: single values, or an interval (manual, "Range Optimization")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from chatsim.innodb.sql.optimizer.intervals import END, START, Cut, Interval, after, before
from chatsim.innodb.storage.column_types import Text, UnusableError
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.values import NULL, Value, as_text

__all__ = ["IS_NULL", "ColumnRange", "intervals_of"]

IS_NULL = "is null"
_LIKE = re.compile(r"(?P<plain>([^%_\\]|\\.)*)(?P<rest>.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LAST = "\U0010ffff"  # sorts after every character
_BEHIND_NULL = after(NULL)


@dataclass(frozen=True)
class ColumnRange:
    """The values that a column may have: some single ones, or an interval.

    Attributes:
        points: the order keys of single values, maybe none; None for an interval.
        equal: the conditions say that it equals one value, not one of several.
        or_null: they say that it is NULL or equals one value: these are the two points.
        start, stop: where the interval begins and ends.
    """

    points: tuple[object, ...] | None = None
    equal: bool = False
    or_null: bool = False
    start: Cut = START
    stop: Cut = END

    @property
    def point(self) -> object | None:
        """The value that the column equals, if the conditions say so."""
        return self.points[0] if self.equal and self.points else None

    @property
    def first(self) -> Cut:
        """The position before all values."""
        return before(self.points[0]) if self.points else self.start

    @property
    def last(self) -> Cut:
        """The position after all values."""
        return after(self.points[-1]) if self.points else self.stop

    @property
    def is_empty(self) -> bool:
        """Whether no value is in it."""
        return self.points == () or self.ends_before_it_starts

    @property
    def ends_before_it_starts(self) -> bool:
        """Whether it has no value, because it begins behind its end."""
        return self.start >= self.stop

    @property
    def is_open_below(self) -> bool:
        """Whether no value but NULL is too small."""
        return self.first <= _BEHIND_NULL

    def intervals(self, column: Column) -> list[Interval]:
        """The values as intervals."""
        if self.points is not None:
            return [Interval(before(each), after(each)) for each in self.points]
        open_below = self.is_open_below and not column.nullable
        return [Interval(START if open_below else self.start, self.stop)]

    def restricted(self, column: Column, operator: str, values: Sequence[Value]) -> ColumnRange:
        """The range with one more condition on the column: an operator, and the values that it is compared with."""
        if operator == "like":
            return self._like(column, values[0])
        if operator == IS_NULL and not column.nullable:
            return replace(self, points=(), equal=True)
        if operator == "between" and values[0] == values[1]:
            operator, values = "=", values[:1]
        try:
            keys = [_key_of(column, value, operator) for value in values]
        except UnusableError:
            return self
        if operator == "or null":
            points = tuple(sorted(key for key in {NULL, *keys} - {None} if self.contains(key)))  # type: ignore[type-var]
            return replace(self, points=points, or_null=len(points) == 2)
        if operator in ("=", "in", "<=>", IS_NULL):
            wanted = {key for key in keys if key is not None and (key is not NULL or operator in ("<=>", IS_NULL))}
            points = tuple(sorted(key for key in wanted if self.contains(key)))  # type: ignore[type-var]
            return replace(self, points=points, equal=self.equal or len(keys) == 1, or_null=False)
        return self._between(*_ends(operator, *keys))

    def _like(self, column: Column, pattern: Value) -> ColumnRange:
        """The range with a LIKE: texts that begin with what precedes the first wildcard."""
        found = _LIKE.match(as_text(pattern))
        assert found is not None
        plain = column.type.order(_ESCAPED.sub(r"\1", found["plain"])) if isinstance(column.type, Text) else ""
        if not isinstance(plain, str) or not plain:
            return self
        return self._between(before(plain), after(plain + (_LAST if found["rest"] else "")))

    def _between(self, start: Cut, stop: Cut) -> ColumnRange:
        """The part of the range between two positions."""
        if self.points is not None:
            return replace(self, points=tuple(each for each in self.points if start <= before(each) < stop))
        left = Interval(max(self.start, start), min(self.stop, stop))
        if left.start >= left.stop:
            return replace(self, points=(), start=left.start, stop=left.stop)
        return replace(self, points=left.point, equal=left.point is not None, start=left.start, stop=left.stop)

    def contains(self, key: object) -> bool:
        """Whether it contains an order key."""
        return (self.points is None or key in self.points) and self.start <= before(key) < self.stop


def _ends(operator: str, key: object = NULL, high: object = NULL) -> tuple[Cut, Cut]:
    """The positions between which a column satisfies an operator."""
    match operator:
        case "between":
            return before(key), after(high)
        case ">=":
            return before(key), END
        case ">":
            return after(key), END
        case "<=":
            return _BEHIND_NULL, after(key)
        case "<":
            return _BEHIND_NULL, before(key)
    return _BEHIND_NULL, END


def intervals_of(column: Column, operator: str, values: Sequence[Value]) -> list[Interval] | None:
    """The intervals that one condition leaves of a column; None is no restriction."""
    if operator == "not in":
        return _not_in(column, values)
    left = ColumnRange().restricted(column, operator, values).intervals(column)
    return None if left == [Interval(START, END)] else left


def _not_in(column: Column, values: Sequence[Value]) -> list[Interval] | None:
    """The intervals of NOT IN; values that an index can't be searched for are ignored, as the server does."""
    keys = set()
    for value in values:
        try:
            keys |= {_key_of(column, value, "<")} - {NULL}
        except UnusableError:
            continue
    ends = [START if not column.nullable else _BEHIND_NULL]
    for key in sorted(keys):  # type: ignore[type-var]
        ends += [before(key), after(key)]
    ends.append(END)
    return [Interval(*each) for each in list(pairwise(ends))[::2]] if keys else None


def _key_of(column: Column, value: Value, operator: str) -> object:
    """The order key of a value; None if no row can equal it."""
    if value is None:
        return NULL
    return column.type.sought(value, operator)
