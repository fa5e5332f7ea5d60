"""GROUP_CONCAT, the bit aggregates and those of variance: manual, "Aggregate Function Descriptions"."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from chatsim.innodb.sql.executor.clauses import sorted_rows
from chatsim.innodb.sql.expressions import Env, Scope
from chatsim.innodb.storage.column_types import place
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["BitAggregate", "Concatenation", "Spread"]

_ALL_BITS = (1 << 64) - 1
_BITS: Mapping[type[exp.Expr], tuple[int, Callable[[int, int], int]]] = {
    exp.BitwiseAndAgg: (_ALL_BITS, lambda a, b: a & b),
    exp.BitwiseOrAgg: (0, lambda a, b: a | b),
    exp.BitwiseXorAgg: (0, lambda a, b: a ^ b),
}


class BitAggregate:
    """BIT_AND, BIT_OR and BIT_XOR of numbers."""

    def __init__(self, node: exp.Expr, scope: Scope) -> None:
        self._value = scope.number(node.this)
        self._first, self._operation = _BITS[type(node)]

    def start(self) -> Any:
        """The state before the first row of a group."""
        return self._first

    def add(self, state: Any, env: Env) -> Any:
        """The state with the current row."""
        value = self._value(env)
        return state if value is None else self._operation(state, round(as_number(value)) & _ALL_BITS)

    def end(self, state: Any) -> Value:
        """The value for a group."""
        return state  # type: ignore[no-any-return]


class Spread:
    """STDDEV_POP, STDDEV_SAMP, VAR_POP and VAR_SAMP, by the recurrence that the server uses (Knuth)."""

    def __init__(self, node: exp.Expr, scope: Scope) -> None:
        self._value = scope.number(node.this)
        self._samples = isinstance(node, exp.StddevSamp | exp.Variance)
        self._root = isinstance(node, exp.StddevPop | exp.StddevSamp)

    def start(self) -> Any:
        """The state before the first row of a group."""
        return 0, 0.0, 0.0

    def add(self, state: Any, env: Env) -> Any:
        """The state with the current row."""
        value = self._value(env)
        if value is None:
            return state
        count, mean, squares = state
        number = float(as_number(value))
        new = mean + (number - mean) / (count + 1)
        return count + 1, new, squares + (number - mean) * (number - new)

    def end(self, state: Any) -> Value:
        """The value for a group."""
        count, _, squares = state
        if count <= int(self._samples):
            return None
        variance: float = squares / (count - self._samples)
        return math.sqrt(variance) if self._root else variance


class Concatenation:
    """GROUP_CONCAT."""

    def __init__(self, node: exp.GroupConcat, scope: Scope) -> None:
        inner = node.this
        by: list[exp.Expr] = []
        if isinstance(inner, exp.Order):
            by, inner = inner.expressions, inner.this
        self._distinct = isinstance(inner, exp.Distinct)
        if isinstance(inner, exp.Distinct):
            (inner,) = inner.expressions
        parts = inner.expressions if isinstance(inner, exp.Concat) and inner.args.get("safe") else [inner]
        self._parts = [scope.compile(each) for each in parts]
        self._kinds = [scope.kind(each) for each in parts]
        self._by = [scope.place(each.this) for each in by]
        self._down = [bool(each.args.get("desc")) for each in by]
        separator = node.args.get("separator")
        self._separator = "," if separator is None else separator.name

    def start(self) -> Any:
        """The state before the first row of a group."""
        return []

    def add(self, state: Any, env: Env) -> Any:
        """The state with the current row."""
        values = [part(env) for part in self._parts]
        if None in values:
            return state
        key = tuple(place(value, kind) for value, kind in zip(values, self._kinds, strict=True))
        if self._distinct and any(key == known for known, *_ in state):
            return state
        text = "".join(map(as_text, values))
        longest = int(as_number(env.session.system_variable("group_concat_max_len")))
        return [*state, (key, [function(env) for function in self._by], text, longest, env.session.note)]

    def end(self, state: Any) -> Value:
        """The value for a group; a warning if it was too long."""
        if not state:
            return None
        rows = sorted_rows(state, self._down, lambda row: row[1]) if self._by else state
        if self._distinct and not self._by:
            rows = sorted_rows(state, [False] * len(self._parts), lambda row: row[0])
        text = self._separator.join(row[2] for row in rows)
        *_, longest, note = rows[0]
        if len(text.encode()) <= longest:
            return text
        note(1260, "Row 1 was cut by GROUP_CONCAT()")
        return text.encode()[:longest].decode(errors="ignore")
