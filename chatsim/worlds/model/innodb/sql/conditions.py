"""What a statement asks of a table, as far as an index can be asked: columns compared with what is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Any, TypeAlias

from sqlglot import exp

from chatsim.worlds.model.innodb.index import Index
from chatsim.worlds.model.innodb.schema import Table
from chatsim.worlds.model.innodb.sql.expressions import Env, Function, Scope, is_true
from chatsim.worlds.model.innodb.values import NULL, ColumnType, Text, UnusableError, Value, as_text

__all__ = ["Conditions", "Span", "conjuncts"]

Conjunct: TypeAlias = exp.Expr

_IS_NULL = "is null"
_LIKE = re.compile(r"(?P<plain>([^%_\\]|\\.)*)(?P<rest>.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LAST = "\U0010ffff"  # behind every text that begins alike
_MOST_ALTERNATIVES = 1000


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
    if isinstance(node, exp.Not) and (other := _negated(node.this.unnest())) is not None:
        return conjuncts(other)
    return [node]


def _negated(node: exp.Expr) -> exp.Expr | None:
    """What is true where a condition is false, and NULL where it is NULL; None where that is said by NOT alone."""
    match node:
        case exp.Or():
            return exp.And(this=exp.Not(this=node.left), expression=exp.Not(this=node.right))
        case exp.And():
            return exp.Or(this=exp.Not(this=node.left), expression=exp.Not(this=node.right))
        case exp.Not(this=exp.Expr() as inner):
            return inner
        case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE() if not isinstance(node.left, exp.Tuple):
            return _OPPOSITES[type(node)](this=node.left, expression=node.right)
    return None


_OPPOSITES: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
}


@dataclass(frozen=True)
class _Term:
    """A condition that an index can be asked: a column, compared with what is known when it is read.

    Attributes:
        lenient: compared with NULL it leaves all, though no row can be meant then.
    """

    column: int
    operator: str
    values: Sequence[Function]
    lenient: bool = False


_Choice: TypeAlias = list[list[_Term]]
"""Alternatives, each of some conditions."""

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
        self._constant = [scope.compile(each) for each in self.wanted if _is_constant(each)]
        self._choices = [choice for each in self.wanted for choice in self._choices_of(each)]

    def _choices_of(self, node: Conjunct) -> list[_Choice]:
        """What a condition leaves to choose: of each choice one alternative has to hold; none if it asks no index."""
        found: list[_Choice] = []
        match node:
            case exp.Paren():
                found = self._choices_of(node.this)
            case exp.Or() if not list(self._one_of(node)):
                found = self._choice([conjuncts(side) for side in node.flatten()])
            case exp.NEQ(this=left, expression=right):
                found = self._beside(left, right, right) or self._beside(right, left, left)
            case exp.Not(this=exp.Between() as between):
                found = self._beside(between.this, between.args["low"], between.args["high"])
            case exp.Not(this=exp.In() as among):
                found = [choice for each in among.expressions for choice in self._beside(among.this, each, each)]
                if len(among.expressions) > 1:  # the server has a list for it, and NULL is not in the list
                    found = [[[replace(term, lenient=True) for term in side] for side in choice] for choice in found]
            case exp.In(this=exp.Tuple()):
                found = self._choice([conjuncts(exp.EQ(this=node.this, expression=each)) for each in node.expressions])
        return found

    def _choice(self, sides: Iterable[list[Conjunct]]) -> list[_Choice]:
        found: _Choice = []
        for side in sides:
            terms = [term for each in side for term in self._term(each)]
            within = [choice for each in side for choice in self._choices_of(each)]
            found += [[*terms, *chain.from_iterable(parts)] for parts in product(*within)]
        return [found] if all(found) else []

    def _beside(self, column: exp.Expr, low: exp.Expr, high: exp.Expr) -> list[_Choice]:
        """Less than one, or more than the other."""
        return self._choice([[exp.LT(this=column, expression=low)], [exp.GT(this=column, expression=high)]])

    def _term(self, node: Conjunct) -> Iterable[_Term]:
        match node:
            case exp.Between():
                yield from self._compared(node.this, ">=", [node.args["low"]], beside=node.args["high"])
                yield from self._compared(node.this, "<=", [node.args["high"]], beside=node.args["low"])
            case exp.Like(expression=exp.Literal() | exp.Placeholder()) if not node.args.get("negate"):
                yield from self._compared(node.this, "like", [node.expression])
            case exp.In() if node.expressions:
                yield from self._compared(node.this, "in", node.expressions)
            case exp.Or():
                yield from self._one_of(node)
            case exp.Is(expression=exp.Null()):
                yield from self._compared(node.this, _IS_NULL, [node.expression])
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
        elif one_each and (term := self._or_null(sides)) is not None:
            yield term

    def _or_null(self, sides: Sequence[_Term]) -> _Term | None:
        """The term, if one side says that a column equals a value and the other that it is NULL."""
        if {side.column for side in sides} != {sides[0].column} or [side.operator for side in sides].count("=") != 1:
            return None
        nullable = self.table.columns[sides[0].column].nullable
        values = [side.values[0] for side in sorted(sides, key=lambda side: side.operator != "=")]
        if len(sides) != 2 or {side.operator for side in sides} != {"=", _IS_NULL} or not nullable:
            return None
        return _Term(sides[0].column, "or null", values[:1])

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
        equal = {term.column for term in self._terms if term.operator in ("=", "<=>", _IS_NULL)}
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
        """What can be told of the conditions by this table's columns that are in ``index``.

        Args:
            index: which.
            beside: those are left out that are only about so many of its first columns, which a search has the values
                of; but not IS NULL.
        """
        place = index.definition.place
        parts = [part for each in self.wanted if (part := self._told(each, place, place[:beside])) is not None]
        return [self._scope.compile(part) for part in parts]

    def _told(self, node: exp.Expr, place: Sequence[int], searched: Sequence[int]) -> exp.Expr | None:
        """The part of a condition that is only about columns of an index: of an OR, something of each side."""
        if isinstance(node, exp.Paren):
            return self._told(node.this, place, searched)
        if isinstance(node, exp.Or | exp.And):
            sides = [self._told(each, place, ()) for each in (node.left, node.right)]
            known = [each for each in sides if each is not None]
            if len(known) == 2:
                return type(node)(this=exp.paren(known[0]), expression=exp.paren(known[1]))
            return known[0] if known and isinstance(node, exp.And) else None
        columns = [self._scope.column(column) for column in node.find_all(exp.Column)]
        if not columns or not all(at == self.at and column in place for at, column in columns):
            return None
        if node.find(exp.Tuple):
            return None  # rows are compared where the row is
        is_null = isinstance(node, exp.Is) and isinstance(node.expression, exp.Null)
        return node if is_null or not all(column in searched for _, column in columns) else None

    # -- with values

    def spans(self, env: Env) -> dict[int, Span] | None:
        """What the conditions leave of each column, with the values that are known now.

        None where something is compared with NULL, or what is asked of no column does not hold.
        """
        if not all(is_true(each(env)) for each in self._constant):
            return None
        return self._narrowed({}, self._terms, env)

    def alternatives(self, spans: dict[int, Span], env: Env) -> list[dict[int, Span]]:
        """What alternatives leave of each column, where an OR has some, of what all conditions have left.

        None of them may be possible. Of more than a thousand no ranges are made.
        """
        found = [spans]
        empty = {column for column, span in spans.items() if span.points == ()}  # which no index has, or none is left
        for choice in self._choices:
            each = [self._narrowed(before, terms, env) for before in found for terms in choice]
            found = [
                left
                for left in each
                if left is not None and not any(left[column].points == () for column in left.keys() - empty)
            ]
            if len(found) > _MOST_ALTERNATIVES:
                return [spans]
        return found

    def choices(self, env: Env) -> list[list[dict[int, Span]]]:
        """Of each OR, what its possible sides leave of each column, whatever else is asked."""
        found = []
        for choice in self._choices:
            sides = [self._narrowed({}, terms, env) for terms in choice]
            found.append([each for each in sides if each and not any(span.points == () for span in each.values())])
        return found

    def _narrowed(self, spans: dict[int, Span], terms: Iterable[_Term], env: Env) -> dict[int, Span] | None:
        found = dict(spans)
        for term in terms:
            values = [value(env) for value in term.values]
            if values == [None] and term.operator not in ("<=>", _IS_NULL, "or null"):
                if term.lenient:
                    continue
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
        or_null: it was said to be NULL or one value: its two points.
        low, high: the interval's ends; None where it has none.
        not_null: NULL is out of it.
    """

    points: tuple[object, ...] | None = None
    equal: bool = False
    or_null: bool = False
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
        if operator == "like":
            return self._like(table.columns[column].type, values[0])
        try:
            keys = [_key_of(table, column, value, operator) for value in values]
        except UnusableError:
            return self
        if operator == "or null":
            points = tuple(sorted(key for key in {NULL, *keys} - {None} if self.has(key)))  # type: ignore[type-var]
            return replace(self, points=points, or_null=len(points) == 2)
        if operator in ("=", "in", "<=>", _IS_NULL):
            wanted = {key for key in keys if key is not None and (key is not NULL or operator in ("<=>", _IS_NULL))}
            points = tuple(sorted(key for key in wanted if self.has(key)))  # type: ignore[type-var]
            return replace(self, points=points, equal=self.equal or len(keys) == 1, or_null=False)
        return replace(self, not_null=True)._with_end(keys[0], operator).left()  # noqa: SLF001 - it is one of its kind

    def _like(self, kind: ColumnType, pattern: Value) -> Span:
        """With a LIKE: of a text with what stands before its first wildcard; equal to that, if there is none."""
        found = _LIKE.match(as_text(pattern))
        assert found is not None
        plain = kind.order(_ESCAPED.sub(r"\1", found["plain"])) if isinstance(kind, Text) else ""
        if not isinstance(plain, str) or not plain:
            return self
        begun = replace(self, not_null=True)._with_end(plain, ">=")  # noqa: SLF001 - it is one of its kind
        return begun._with_end(plain + (_LAST if found["rest"] else ""), "<=").left()  # noqa: SLF001

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

    def closed(self, other: Span) -> Span | None:
        """An interval together with the one value that ``other`` is, if that is its open end; else None."""
        if self.points is not None or other.points is None or len(other.points) != 1:
            return None
        if not self.low_included and other.points[0] == self.low:
            return replace(self, low_included=True)
        if not self.high_included and other.points[0] == self.high:
            return replace(self, high_included=True)
        return None

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


def _is_constant(node: Conjunct) -> bool:
    """Whether a condition is the same for each row, as far as it can be told beforehand."""
    return isinstance(node, (*_OPERATORS, exp.NEQ, exp.Boolean, exp.Literal, exp.Is)) and not any(
        isinstance(each, exp.Column | exp.Func | exp.Parameter | exp.SessionParameter) for each in node.walk()
    )


def _key_of(table: Table, column: int, value: Value, operator: str) -> object:
    """What an index has for a value; None if no row can equal it."""
    if value is None:
        return NULL
    return table.columns[column].type.sought(value, operator)
