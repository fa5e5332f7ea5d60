"""What a statement asks of a table, as far as an index can be asked: columns compared with what is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeAlias

from sqlglot import exp

from chatsim.worlds.model.innodb.index import Index
from chatsim.worlds.model.innodb.schema import Table
from chatsim.worlds.model.innodb.sql.expressions import Env, Function, Scope
from chatsim.worlds.model.innodb.values import NULL, UnusableError, Value

__all__ = ["Conditions", "Span", "conjuncts"]

Conjunct: TypeAlias = exp.Expr

_MOST_ALTERNATIVES = 64


def conjuncts(node: exp.Expr | None) -> list[Conjunct]:
    """The conditions of which all have to hold."""
    if node is None:
        return []
    if isinstance(node, exp.Where | exp.Paren):
        return conjuncts(node.this)
    if isinstance(node, exp.And):
        return [*conjuncts(node.left), *conjuncts(node.right)]
    if isinstance(node, exp.EQ) and isinstance(node.left, exp.Tuple) and isinstance(node.right, exp.Tuple):
        pairs = zip(node.left.expressions, node.right.expressions, strict=True)
        return [exp.EQ(this=left, expression=right) for left, right in pairs]
    return [node]


@dataclass(frozen=True)
class _Term:
    """A condition that an index can be asked: a column, compared with what is known when it is read."""

    column: int
    operator: str
    values: Sequence[Function]


_FLIPPED = {"=": "=", "<=>": "<=>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPERATORS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NullSafeEQ: "<=>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


class Conditions:
    """What a statement asks of one of its tables, as far as an index can be asked.

    Args:
        scope: the statement's tables.
        at: which of them.
        known: the tables whose rows are known when this one is read.
        wanted: the conditions.
    """

    def __init__(self, scope: Scope, at: int, known: Iterable[int], wanted: Iterable[Conjunct]) -> None:
        self._scope = scope
        self.at = at
        self._known = set(known)
        self.table = scope.tables[at][1]
        self.wanted = list(wanted)
        self._terms = [term for each in self.wanted for term in self._term(each)]
        self._choices = [found for each in self.wanted if (found := self._choice(each))]

    def _choice(self, node: Conjunct) -> list[list[_Term]]:
        """The alternatives of an OR, as terms each; none if it is no OR, or one of them asks nothing of an index."""
        if isinstance(node, exp.Paren):
            return self._choice(node.this)
        if not isinstance(node, exp.Or) or list(self._one_of(node)):
            return []
        found: list[list[_Term]] = []
        for side in node.flatten():
            terms = [term for each in conjuncts(side) for term in self._term(each)]
            within = [self._choice(each) for each in conjuncts(side)]
            found += [[*terms, *(term for part in parts for term in part)] for parts in product(*filter(None, within))]
        return found if all(found) else []

    def _term(self, node: Conjunct) -> Iterable[_Term]:
        match node:
            case exp.Between():
                yield from self._compared(node.this, ">=", [node.args["low"]], beside=node.args["high"])
                yield from self._compared(node.this, "<=", [node.args["high"]], beside=node.args["low"])
            case exp.In() if node.expressions:
                yield from self._compared(node.this, "in", node.expressions)
            case exp.Or():
                yield from self._one_of(node)
            case exp.Is(expression=exp.Null()):
                yield from self._compared(node.this, "<=>", [node.expression])
            case exp.Not(this=exp.Is(expression=exp.Null())):
                yield from self._compared(node.this.this, "not null", [])
            case _ if (operator := _OPERATORS.get(type(node))) is not None:
                found = list(self._compared(node.this, operator, [node.expression]))
                yield from found or self._compared(node.expression, _FLIPPED[operator], [node.this])

    def _one_of(self, node: exp.Or) -> Iterable[_Term]:
        """The term, if each side says which values one and the same column may have."""
        sides = [term for each in node.flatten() for term in self._term(each)]
        one_each = len(sides) == len(list(node.flatten()))
        if one_each and len({side.column for side in sides}) == 1 and {side.operator for side in sides} <= {"=", "in"}:
            yield _Term(sides[0].column, "in", [value for side in sides for value in side.values])

    def _compared(
        self, left: exp.Expr, operator: str, right: Sequence[exp.Expr], beside: exp.Expr | None = None
    ) -> Iterable[_Term]:
        """The term, if ``left`` is a column and the rest is known when it is read."""
        column = self._column(left)
        rest = [*right, beside] if beside is not None else right
        if column is not None and all(self._is_known(each) for each in rest):
            yield _Term(column, operator, [self._scope.compile(each) for each in right])

    def _column(self, node: exp.Expr) -> int | None:
        if not isinstance(node, exp.Column):
            return None
        at, column = self._scope.column(node)
        return column if at == self.at else None

    def _is_known(self, node: exp.Expr) -> bool:
        return all(self._scope.column(each)[0] in self._known for each in node.find_all(exp.Column))

    def rank(self) -> int:
        """How late to read it: 0 with a unique key, 1 what has no index, 2 for an equality, 3 for less, 4 for all."""
        equal = {term.column for term in self._terms if term.operator in ("=", "<=>")}
        asked = {term.column for term in self._terms}
        if any(each.definition.unique and equal >= set(each.definition.columns) for each in self.table.indexes):
            return 0
        if not self.table.indexes:
            return 1
        if any(each.definition.columns[0] in equal for each in self.table.indexes):
            return 2
        return 3 if any(each.definition.columns[0] in asked for each in self.table.indexes) else 4

    @property
    def simple(self) -> bool:
        """Whether all that is asked is that columns equal a value or lie between two."""
        kinds = (*_OPERATORS, exp.Between, exp.Is)
        return all(isinstance(each, kinds) and list(self._term(each)) for each in self.wanted)

    def within(self, index: Index, beside: int = 0) -> list[Function]:
        """Those of the conditions that name only this table's columns that are in ``index``.

        Args:
            index: which.
            beside: those are left out that are only about so many of its first columns, which a search has the values
                of; but not IS NULL.
        """
        place = index.definition.place
        found = []
        for each in self.wanted:
            columns = [self._scope.column(column) for column in each.find_all(exp.Column)]
            if not columns or not all(at == self.at and column in place for at, column in columns):
                continue
            if each.find(exp.Tuple):
                continue  # rows are compared where the row is
            searched = all(column in place[:beside] for _, column in columns)
            if not searched or (isinstance(each, exp.Is) and isinstance(each.expression, exp.Null)):
                found.append(self._scope.compile(each))
        return found

    # -- with values

    def spans(self, env: Env) -> dict[int, Span] | None:
        """What the conditions leave of each column, with the values that are known now.

        None where something is compared with NULL.
        """
        return self._narrowed({}, self._terms, env)

    def alternatives(self, spans: dict[int, Span], env: Env) -> list[dict[int, Span]]:
        """What alternatives leave of each column, where an OR has some, of what all conditions have left.

        None of them may be possible. Of more than a few the server makes no ranges either.
        """
        if not self._choices or math.prod(map(len, self._choices)) > _MOST_ALTERNATIVES:
            return [spans]
        each = ([term for part in parts for term in part] for parts in product(*self._choices))
        return [found for terms in each if (found := self._narrowed(spans, terms, env)) is not None]

    def _narrowed(self, spans: dict[int, Span], terms: Iterable[_Term], env: Env) -> dict[int, Span] | None:
        found = dict(spans)
        for term in terms:
            values = [value(env) for value in term.values]
            if values == [None] and term.operator != "<=>":
                return None
            span = found.get(term.column, Span())
            found[term.column] = span.narrowed(self.table, term.column, term.operator, values)
        return found


@dataclass(frozen=True)
class Span:
    """What is left of a column: some values, or an interval.

    Attributes:
        points: the order keys that it may have, maybe none; None for an interval.
        equal: it was said to be one value, not one of several.
        low, high: the interval's ends; None where it has none.
        not_null: NULL is out of it.
    """

    points: tuple[object, ...] | None = None
    equal: bool = False
    low: Any | None = None
    high: Any | None = None
    low_included: bool = True
    high_included: bool = True
    not_null: bool = False

    @property
    def point(self) -> object | None:
        """The one value that it may have."""
        return self.points[0] if self.equal and self.points else None

    @property
    def share(self) -> float:
        """Which part of the rows the server takes to be left by it, where it has no index to look at."""
        if self.points is not None:
            return min(len(self.points) * 0.1, 0.5)
        ends = (self.low is not None) + (self.high is not None)
        return 1 / 3**ends if ends else 0.9

    @property
    def narrows(self) -> bool:
        """Whether an index can be asked for it."""
        if self.points is not None:
            return self.points != ()
        return self.low is not None or self.high is not None or self.not_null

    def narrowed(self, table: Table, column: int, operator: str, values: Sequence[Value]) -> Span:
        """With one more condition."""
        if operator == "not null":
            return replace(self, not_null=True).left()
        try:
            keys = [_key_of(table, column, value, operator) for value in values]
        except UnusableError:
            return self
        if operator in ("=", "in", "<=>"):
            wanted = {key for key in keys if key is not None and (key is not NULL or operator == "<=>")}
            points = tuple(sorted(key for key in wanted if self.has(key)))  # type: ignore[type-var]
            return replace(self, points=points, equal=self.equal or len(keys) == 1)
        return replace(self, not_null=True)._with_end(keys[0], operator).left()  # noqa: SLF001 - it is one of its kind

    def _with_end(self, key: Any, operator: str) -> Span:
        included = operator.endswith("=")
        if operator.startswith(">"):
            if self.low is None or key > self.low or (key == self.low and not included):
                return replace(self, low=key, low_included=included)
        elif self.high is None or key < self.high or (key == self.high and not included):
            return replace(self, high=key, high_included=included)
        return self

    def end(self, side: int) -> tuple[object | None, bool]:
        """Its lower (-1) or upper (1) end, None if it has none, and whether that is in it."""
        if self.points:
            return self.points[0 if side < 0 else -1], True
        return (self.low, self.low_included) if side < 0 else (self.high, self.high_included)

    def left(self) -> Span:
        """Itself, an interval of one value or none as that."""
        if self.points is not None:
            return replace(self, points=tuple(each for each in self.points if self.has(each)))
        if self.low is None or self.high is None or self.low < self.high:
            return self
        return replace(self, points=(self.low,), equal=True) if self.has(self.low) else replace(self, points=())

    def has(self, key: Any) -> bool:
        """Whether a value is in it."""
        if self.points is not None and key not in self.points:
            return False
        if key is NULL:
            return not self.not_null
        above = self.low is None or key > self.low or (key == self.low and self.low_included)
        below = self.high is None or key < self.high or (key == self.high and self.high_included)
        return above and below


def _key_of(table: Table, column: int, value: Value, operator: str) -> object:
    """What an index has for a value; None if no row can equal it."""
    if value is None:
        return NULL
    return table.columns[column].type.sought(value, operator)
