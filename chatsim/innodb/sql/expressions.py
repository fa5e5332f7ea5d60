"""SQL expressions, compiled once per statement into functions of the rows at hand (MySQL manual, "Expressions")."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import singledispatchmethod
from typing import Any, Protocol, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.dictionary import Table
from chatsim.innodb.storage.values import (
    Binary,
    ColumnType,
    Decimals,
    Doubles,
    Enumeration,
    Integer,
    Text,
    Value,
    as_exact_number,
    as_moment,
    as_number,
    as_text,
    collate,
    place,
)

__all__ = ["Env", "Function", "Scope", "Unsupported", "compare", "divide", "is_true", "unsupported"]

Unsupported: TypeAlias = NotImplementedError
"""A statement is outside of what the model understands; the message names the construct."""


class Context(Protocol):
    """What an expression may ask of its session."""

    variables: dict[str, Value]
    last_insert_id: int
    named_insert_id: int | None
    connection_id: int

    def now(self) -> datetime:
        """The moment at which the statement began."""
        ...

    def system_variable(self, name: str) -> Value:
        """The value of ``@@name``."""
        ...

    def advisory(self, function: str, arguments: Sequence[Value]) -> Value:
        """What a function about advisory locks gives that does not wait."""
        ...


@dataclass(slots=True)
class Env:
    """What an expression is evaluated on.

    Attributes:
        session: the session.
        args: of the placeholders.
        rows: the current row of each table of the statement.
        inserted: the row that an INSERT wanted to put there: ``VALUES(column)``.
        found: what has been found out beforehand, by the node of the expression: aggregates, locks, subqueries.
    """

    session: Context
    args: Sequence[Any]
    rows: list[Sequence[Value]] = field(default_factory=list)
    inserted: Sequence[Value] = ()
    found: dict[int, Value] = field(default_factory=dict)


Function: TypeAlias = Callable[[Env], Any]
Number: TypeAlias = Callable[[Value], int | float | Decimal]


def unsupported(node: exp.Expr | str, why: str = "") -> NotImplementedError:
    """The refusal of a construct, by name."""
    shown = node if isinstance(node, str) else f"{type(node).__name__}: {node.sql('mysql')}"
    return NotImplementedError(f"the model's SQL has no {shown}{why and f' ({why})'}")


def is_true(value: object) -> bool:
    """Whether a condition holds; NULL does not."""
    if value is None:
        return False
    if isinstance(value, str | bytes):
        return as_number(value) != 0
    return bool(value)


def compare(left: Value, right: Value, by: ColumnType | None = None, number: Number = as_number) -> int:
    """-1, 0 or 1, of values that are not NULL, by the rules of "Type Conversion in Expression Evaluation".

    Args:
        left: the one.
        right: the other.
        by: the type whose collation two texts are compared by.
        number: makes a number of a text that is compared with one.
    """
    if type(left) is int and type(right) is int:
        return (left > right) - (left < right)
    a: Any
    b: Any
    if isinstance(left, str | bytes) and isinstance(right, str | bytes):
        a, b = _collated(left, right, by)
    elif isinstance(left, date) and isinstance(right, date):
        a, b = _moment(left), _moment(right)
    elif isinstance(left, date) and isinstance(right, str):
        a, b = _moment(left), _moment_of(right)
    elif isinstance(left, str) and isinstance(right, date):
        a, b = _moment_of(left), _moment(right)
    else:
        a, b = number(left), number(right)
        if isinstance(a, float) or isinstance(b, float):
            a, b = float(a), float(b)
    return int(a > b) - int(a < b)


def _collated(left: str | bytes, right: str | bytes, by: ColumnType | None) -> tuple[object, object]:
    """What two texts are compared by: bytes among them make it bytes, unless a column has a collation."""
    if isinstance(by, Text):
        return by.order(left), by.order(right)
    if isinstance(by, Binary) or isinstance(left, bytes) or isinstance(right, bytes):
        return _bytes(left), _bytes(right)
    return collate(left), collate(right)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _moment(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001


def _moment_of(text: str) -> datetime:
    try:
        return as_moment(text)
    except ValueError:
        raise database_error(1525, f"Incorrect DATETIME value: '{text}'") from None


_COMPARISONS: Mapping[type[exp.Expr], Callable[[int], bool]] = {
    exp.EQ: lambda sign: sign == 0,
    exp.NEQ: lambda sign: sign != 0,
    exp.LT: lambda sign: sign < 0,
    exp.LTE: lambda sign: sign <= 0,
    exp.GT: lambda sign: sign > 0,
    exp.GTE: lambda sign: sign >= 0,
}

_ADVISORY = ("RELEASE_LOCK", "RELEASE_ALL_LOCKS", "IS_FREE_LOCK", "IS_USED_LOCK")

_OF_SESSION: Mapping[str, Callable[[Context], Value]] = {
    "CONNECTION_ID": lambda session: session.connection_id,
    "LAST_INSERT_ID": lambda session: session.last_insert_id,
    "NOW": lambda session: session.now(),
    "SYSDATE": lambda session: session.now(),
}


@dataclass
class Scope:
    """The tables whose columns an expression may name.

    Attributes:
        tables: with the names that the statement gives them, in order.
        inserted: the name that an INSERT gives the row that it wanted to put there.
        read: the columns that have been named, by the number of their table.
        strict: a text that is no number may not stand for one, since the statement changes rows.
        grouping: there may be aggregates.
        aggregates: those that there are.
    """

    tables: Sequence[tuple[str, Table]] = ()
    inserted: str = ""
    read: set[tuple[int, int]] = field(default_factory=set)
    strict: bool = False
    grouping: bool = False
    aggregates: list[exp.Expr] = field(default_factory=list)

    def column(self, node: exp.Column) -> tuple[int, int]:
        """Which table's which column a name means. Raises a `DatabaseError`."""
        name, wanted = node.name.lower(), node.table.lower()
        found = [
            (at, table.numbers[name])
            for at, (called, table) in enumerate(self.tables)
            if name in table.numbers and wanted in ("", called.lower())
        ]
        if not found:
            raise database_error(1054, f"Unknown column '{node.sql('mysql').replace('`', '')}' in 'field list'")
        if len(found) > 1:
            raise database_error(1052, f"Column '{name}' in field list is ambiguous")
        self.read.add(found[0])
        return found[0]

    def kind(self, node: exp.Expr) -> ColumnType | None:
        """The type of the column that an expression's value comes from, or whose collation it has; None: of none."""
        if isinstance(node, exp.Column):
            if self.inserted and node.table.lower() == self.inserted:
                node = exp.column(node.this, table=self.tables[0][0])
            table, at = self.column(node)
            return self.tables[table][1].columns[at].type
        if isinstance(node, exp.Paren | exp.Alias):
            return self.kind(node.this)
        if isinstance(node, _COLLATED):
            kinds = [kind for each in node.find_all(exp.Column) if isinstance(kind := self.kind(each), Text | Binary)]
            return _common(kinds)
        return None

    def comparison(self, *nodes: exp.Expr) -> Callable[[Value, Value], int]:
        """How values of the first expression are compared with values of the others: by their columns' collation.

        A member of an ENUM is its number to a number.

        Raises:
            DatabaseError: collations don't go together; or it is strict, and a text that is no number is compared with
                a column of numbers (1292).
        """
        kinds = [self.kind(each) for each in nodes]
        by, left, right = _common(kinds), kinds[0], _only(kinds[1:])
        as_one = self._as_number
        if any(isinstance(kind, Integer | Decimals | Doubles) for kind in kinds):
            for node in nodes:  # which is found out before any row is looked at
                if isinstance(node, exp.Literal) and node.is_string:
                    as_one(node.name)
        if not isinstance(left, Enumeration) and not isinstance(right, Enumeration):
            return lambda a, b: compare(a, b, by, as_one)

        def compared(a: Value, b: Value) -> int:
            numeric = not (isinstance(a, str | bytes) and isinstance(b, str | bytes))
            if numeric and isinstance(left, Enumeration):
                a = left.number(a)
            if numeric and isinstance(right, Enumeration):
                b = right.number(b)
            return compare(a, b, by, as_one)

        return compared

    @property
    def _as_number(self) -> Number:
        return as_exact_number if self.strict else as_number

    def number(self, node: exp.Expr) -> Function:
        """A function that gives an expression's value as a number, or NULL."""
        inner, kind = self.compile(node), self.kind(node)
        convert: Callable[[Value], Value] = kind.number if isinstance(kind, Enumeration) else self._as_number
        return lambda env: None if (a := inner(env)) is None else convert(a)

    def place(self, node: exp.Expr) -> Function:
        """A function that gives what rows are sorted or grouped by that go by an expression."""
        inner, kind = self.compile(node), self.kind(node)
        return lambda env: place(inner(env), kind)

    @singledispatchmethod
    def compile(self, node: exp.Expr) -> Function:
        """A function that gives the expression's value.

        Raises:
            NotImplementedError: there is something in it that the model does not understand.
            DatabaseError: it names a column that there is not.
        """
        raise unsupported(node)

    _of = compile.register  # noqa: A003 - this class's own

    @_of(exp.Count)
    @_of(exp.Min)
    @_of(exp.Max)
    @_of(exp.Sum)
    @_of(exp.Avg)
    def _aggregate(self, node: exp.AggFunc) -> Function:
        if not self.grouping:
            raise database_error(1111, "Invalid use of group function")
        if all(each is not node for each in self.aggregates):
            self.aggregates.append(node)
        number = id(node)
        return lambda env: env.found[number]

    # -- leaves

    @_of(exp.Column)
    def _column(self, node: exp.Column) -> Function:
        if self.inserted and node.table.lower() == self.inserted:
            at = self.column(exp.column(node.this, table=self.tables[0][0]))[1]
            return lambda env: env.inserted[at]
        table, at = self.column(node)
        if table == 0:
            return lambda env: env.rows[0][at]
        return lambda env: env.rows[table][at]

    @_of(exp.Literal)
    def _literal(self, node: exp.Literal) -> Function:
        value: Value = node.name
        if not node.is_string:
            value = int(node.name) if node.name.isdigit() else Decimal(node.name)
            if "e" in node.name.lower():
                value = float(node.name)
        return lambda _: value

    @_of(exp.Null)
    def _null(self, _: exp.Null) -> Function:
        return lambda _: None

    @_of(exp.Boolean)
    def _boolean(self, node: exp.Boolean) -> Function:
        value = int(bool(node.this))
        return lambda _: value

    @_of(exp.Placeholder)
    def _placeholder(self, node: exp.Placeholder) -> Function:
        at = node.meta["number"]
        return lambda env: env.args[at]

    @_of(exp.Parameter)
    def _parameter(self, node: exp.Parameter) -> Function:
        name = node.name.lower()
        return lambda env: env.session.variables.get(name)

    @_of(exp.SessionParameter)
    def _system(self, node: exp.SessionParameter) -> Function:
        name = node.name.lower()
        return lambda env: env.session.system_variable(name)

    # -- operators

    @_of(exp.Paren)
    def _paren(self, node: exp.Paren) -> Function:
        return self.compile(node.this)

    @_of(exp.Alias)
    def _alias(self, node: exp.Alias) -> Function:
        return self.compile(node.this)

    @_of(exp.EQ)
    @_of(exp.NEQ)
    @_of(exp.LT)
    @_of(exp.LTE)
    @_of(exp.GT)
    @_of(exp.GTE)
    def _comparison(self, node: exp.Binary) -> Function:
        if isinstance(node.left, exp.Tuple):
            return self._tuples(node)
        left, right, holds = self.compile(node.left), self.compile(node.right), _COMPARISONS[type(node)]
        compare = self.comparison(node.left, node.right)

        def value(env: Env) -> int | None:
            a, b = left(env), right(env)
            return None if a is None or b is None else int(holds(compare(a, b)))

        return value

    def _tuples(self, node: exp.Binary) -> Function:
        """A comparison of rows: the first columns that differ decide."""
        if isinstance(node, exp.NEQ) or not isinstance(node.right, exp.Tuple):
            raise unsupported(node)
        left, right = node.left.expressions, node.right.expressions
        if len(left) != len(right):
            raise database_error(1241, f"Operand should contain {len(left)} column(s)")
        if isinstance(node, exp.EQ):
            return self.compile(exp.and_(*(exp.EQ(this=a, expression=b) for a, b in zip(left, right, strict=True))))
        strict = exp.LT if isinstance(node, exp.LT | exp.LTE) else exp.GT
        *pairs, (a, b) = zip(left, right, strict=True)
        found: exp.Expr = type(node)(this=a, expression=b)
        for a, b in reversed(pairs):
            beyond, level = strict(this=a, expression=b), exp.EQ(this=a, expression=b)
            found = exp.Or(this=beyond, expression=exp.And(this=level, expression=found))
        return self.compile(found)

    @_of(exp.NullSafeEQ)
    def _same(self, node: exp.NullSafeEQ) -> Function:
        left, right = self.compile(node.left), self.compile(node.right)
        compare = self.comparison(node.left, node.right)

        def value(env: Env) -> int:
            a, b = left(env), right(env)
            return int(a is b is None or (a is not None and b is not None and compare(a, b) == 0))

        return value

    @_of(exp.And)
    def _and(self, node: exp.And) -> Function:
        left, right = self.compile(node.left), self.compile(node.right)

        def value(env: Env) -> int | None:
            a = left(env)
            if a is not None and not is_true(a):
                return 0
            b = right(env)
            if b is not None and not is_true(b):
                return 0
            return None if a is None or b is None else 1

        return value

    @_of(exp.Or)
    def _or(self, node: exp.Or) -> Function:
        left, right = self.compile(node.left), self.compile(node.right)

        def value(env: Env) -> int | None:
            a = left(env)
            if is_true(a):
                return 1
            b = right(env)
            if is_true(b):
                return 1
            return None if a is None or b is None else 0

        return value

    @_of(exp.Not)
    def _not(self, node: exp.Not) -> Function:
        inner = self.compile(node.this)

        def value(env: Env) -> int | None:
            a = inner(env)
            return None if a is None else int(not is_true(a))

        return value

    @_of(exp.Is)
    def _is(self, node: exp.Is) -> Function:
        inner = self.compile(node.this)
        if isinstance(node.expression, exp.Null):
            return lambda env: int(inner(env) is None)
        wanted = bool(node.expression.this)
        return lambda env: int(inner(env) is not None and is_true(inner(env)) == wanted)

    @_of(exp.Between)
    def _between(self, node: exp.Between) -> Function:
        low = exp.GTE(this=node.this, expression=node.args["low"])
        return self.compile(exp.And(this=low, expression=exp.LTE(this=node.this, expression=node.args["high"])))

    @_of(exp.In)
    def _in(self, node: exp.In) -> Function:
        if not node.expressions:
            raise unsupported(node, "a subquery")
        if isinstance(node.this, exp.Tuple):
            return self.compile(exp.or_(*(exp.EQ(this=node.this, expression=each) for each in node.expressions)))
        inner = self.compile(node.this)
        members = [(self.compile(each), self.comparison(node.this, each)) for each in node.expressions]

        def value(env: Env) -> int | None:
            a = inner(env)
            if a is None:
                return None
            values = [(member(env), compare) for member, compare in members]
            if any(b is not None and compare(a, b) == 0 for b, compare in values):
                return 1
            return None if any(b is None for b, _ in values) else 0

        return value

    @_of(exp.Escape)
    def _escaped(self, node: exp.Escape) -> Function:
        if not isinstance(node.this, exp.Like) or not isinstance(node.expression, exp.Literal):
            raise unsupported(node)
        return self._liked(node.this, node.expression.name)

    @_of(exp.Like)
    def _like(self, node: exp.Like) -> Function:
        return self._liked(node, "\\")

    def _liked(self, node: exp.Like, escape: str) -> Function:
        inner, pattern, wanted = self.compile(node.this), self.compile(node.expression), not node.args.get("negate")
        kind = _common([self.kind(node.this), self.kind(node.expression)])
        exact = isinstance(kind, Binary) or (isinstance(kind, Text) and kind.binary)

        def value(env: Env) -> int | None:
            a, b = inner(env), pattern(env)
            if a is None or b is None:
                return None
            fold = str if exact or isinstance(a, bytes) else collate
            found = re.fullmatch(_pattern(as_text(b), escape, fold), fold(as_text(a)), re.DOTALL)
            return int((found is not None) == wanted)

        return value

    @_of(exp.Add)
    @_of(exp.Sub)
    @_of(exp.Mul)
    @_of(exp.Div)
    @_of(exp.IntDiv)
    @_of(exp.Mod)
    def _arithmetic(self, node: exp.Binary) -> Function:
        left, right, operate = self.number(node.left), self.number(node.right), _ARITHMETIC[type(node)]

        def value(env: Env) -> Value:
            a, b = left(env), right(env)
            if a is None or b is None:
                return None
            return operate(*_alike(a, b))

        return value

    @_of(exp.Neg)
    def _negative(self, node: exp.Neg) -> Function:
        inner = self.number(node.this)
        return lambda env: None if (a := inner(env)) is None else -a

    # -- functions

    @_of(exp.If)
    def _if(self, node: exp.If) -> Function:
        condition, yes = self.compile(node.this), self.compile(node.args["true"])
        no = self.compile(node.args["false"]) if node.args.get("false") else _nothing
        return lambda env: yes(env) if is_true(condition(env)) else no(env)

    @_of(exp.Case)
    def _case(self, node: exp.Case) -> Function:
        subject = node.this
        branches = [
            (
                self.compile(exp.EQ(this=subject, expression=each.this) if subject else each.this),
                self.compile(each.args["true"]),
            )
            for each in node.args["ifs"]
        ]
        default = self.compile(node.args["default"]) if node.args.get("default") else _nothing

        def value(env: Env) -> Value:
            return next((then for condition, then in branches if is_true(condition(env))), default)(env)

        return value

    @_of(exp.Coalesce)
    def _coalesce(self, node: exp.Coalesce) -> Function:
        parts = [self.compile(each) for each in (node.this, *node.expressions)]
        return lambda env: next((a for part in parts if (a := part(env)) is not None), None)

    @_of(exp.Nullif)
    def _nullif(self, node: exp.Nullif) -> Function:
        left, right = self.compile(node.this), self.compile(node.expression)
        compare = self.comparison(node.this, node.expression)

        def value(env: Env) -> Value:
            a, b = left(env), right(env)
            return None if a is not None and b is not None and compare(a, b) == 0 else a

        return value

    @_of(exp.Concat)
    def _concat(self, node: exp.Concat) -> Function:
        parts = [self.compile(each) for each in node.expressions]

        def value(env: Env) -> Value:
            values = [part(env) for part in parts]
            return None if None in values else "".join(as_text(each) for each in values)

        return value

    @_of(exp.CurrentTimestamp)
    def _now(self, _: exp.Expr) -> Function:
        return lambda env: env.session.now()

    @_of(exp.Cast)
    def _cast(self, node: exp.Cast) -> Function:
        inner, wanted = self.compile(node.this), node.to.this
        if wanted in _INTEGERS:
            inner = self.number(node.this) if isinstance(self.kind(node.this), Enumeration) else inner
            signed = wanted in exp.DataType.SIGNED_INTEGER_TYPES
            return lambda env: None if (a := inner(env)) is None else _whole(a) if signed else _whole(a) % 2**64
        if wanted in exp.DataType.TEXT_TYPES and not node.to.expressions:
            return lambda env: None if (a := inner(env)) is None else as_text(a)
        raise unsupported(node)

    @_of(exp.Length)
    @_of(exp.Upper)
    @_of(exp.Lower)
    def _text_function(self, node: exp.Func) -> Function:
        inner, made = self.compile(node.this), _OF_TEXT[type(node)]
        if isinstance(node, exp.Length) and not node.args.get("binary"):
            made = len  # CHAR_LENGTH
        return lambda env: None if (a := inner(env)) is None else made(as_text(a))

    @_of(exp.Left)
    def _left(self, node: exp.Left) -> Function:
        inner, count = self.compile(node.this), self.number(node.expression)

        def value(env: Env) -> Value:
            text, most = inner(env), count(env)
            return None if text is None or most is None else as_text(text)[: max(0, _whole(most))]

        return value

    @_of(exp.Least)
    @_of(exp.Greatest)
    def _extreme(self, node: exp.Least | exp.Greatest) -> Function:
        parts, least = [self.compile(each) for each in (node.this, *node.expressions)], isinstance(node, exp.Least)
        by = self.kind(node)

        def value(env: Env) -> Value:
            values: list[Value] = [part(env) for part in parts]
            if None in values:
                return None
            best = values[0]
            for each in values[1:]:
                sign = compare(each, best, by)
                if sign < 0 if least else sign > 0:
                    best = each
            return best

        return value

    @_of(exp.Abs)
    def _abs(self, node: exp.Abs) -> Function:
        inner = self.number(node.this)
        return lambda env: None if (a := inner(env)) is None else abs(a)

    @_of(exp.Anonymous)
    def _named(self, node: exp.Anonymous) -> Function:
        name = node.name.upper()
        if name in _OF_SESSION and not node.expressions:
            of_session = _OF_SESSION[name]
            return lambda env: of_session(env.session)
        if name == "LAST_INSERT_ID":
            return self._remembered(node.expressions[0])
        if name == "VALUES":
            target = Scope(self.tables[:1])  # whatever else is read
            at = target.column(exp.column(node.expressions[0].name))[1]
            return lambda env: env.inserted[at]
        if name == "GET_LOCK":
            number = id(node)
            return lambda env: env.found[number]  # it may wait: it was asked for beforehand
        if name in _ADVISORY:
            parts = [self.compile(each) for each in node.expressions]
            return lambda env: env.session.advisory(name, [part(env) for part in parts])
        raise unsupported(f"function {name}()")

    def _remembered(self, node: exp.Expr) -> Function:
        inner = self.compile(node)

        def value(env: Env) -> Value:
            found: Value = inner(env)
            env.session.named_insert_id = env.session.last_insert_id = 0 if found is None else int(as_number(found))
            return found

        return value


def _common(kinds: Sequence[ColumnType | None]) -> ColumnType | None:
    """The type whose collation texts of several have: bytes before texts by code points before others."""
    found = {(each.binary, each.padded): each for each in kinds if isinstance(each, Text)}
    binary = _only([each for each in kinds if isinstance(each, Binary)])
    exact = _only([each for each in found.values() if each.binary])
    if binary is not None or exact is not None:
        return binary or exact
    if len(found) > 1:
        raise database_error(1267, "Illegal mix of collations")
    return _only(list(found.values()))


def _only(kinds: Sequence[ColumnType | None]) -> ColumnType | None:
    return next(iter(kinds), None)


def _pattern(text: str, escape: str, fold: Callable[[str], str]) -> str:
    """A LIKE's pattern as a regular expression: after ``escape``, % and _ are what they are."""
    pieces = re.finditer(rf"{re.escape(escape)}(?P<plain>.)|(?P<any>[%_])|(?P<other>.)", text, re.DOTALL)
    return "".join(
        {"%": ".*", "_": "."}[each["any"]] if each["any"] else re.escape(fold(each["plain"] or each["other"]))
        for each in pieces
    )


def _whole(value: Value) -> int:
    """The nearest integer: of a double the even one of two, else the one away from 0; of a text the one before it."""
    number = as_number(value)
    if isinstance(value, str | bytes):
        return int(number)
    return round(number) if isinstance(number, float) else int(Decimal(number).to_integral_value(ROUND_HALF_UP))


def _nothing(_: Env) -> None:
    return None


def _alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Two numbers of types that Python calculates with together."""
    if isinstance(a, float) or isinstance(b, float):
        return float(a), float(b)
    return a, b


def _divide(a: Any, b: Any) -> Any:
    if not b:
        return None
    if isinstance(a, float):
        return a / b
    return divide(Decimal(a), Decimal(b))


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A quotient of four digits more behind the point than the dividend, rounded away from 0 at a half."""
    exponent = dividend.as_tuple().exponent
    assert isinstance(exponent, int)
    return (dividend / divisor).quantize(Decimal(1).scaleb(min(exponent, 0) - 4), ROUND_HALF_UP)


_ARITHMETIC: Mapping[type[exp.Expr], Callable[[Any, Any], Value]] = {
    exp.Add: operator.add,
    exp.Sub: operator.sub,
    exp.Mul: operator.mul,
    exp.Div: _divide,
    exp.IntDiv: lambda a, b: None if not b else int(a / b) if isinstance(a, float) else int(Decimal(a) // Decimal(b)),
    exp.Mod: lambda a, b: None if not b else a - b * int(Decimal(a) / Decimal(b)),
}

_INTEGERS = {*exp.DataType.INTEGER_TYPES}

_COLLATED = (
    *(exp.Concat, exp.Left, exp.Lower, exp.Upper, exp.If, exp.Case, exp.Coalesce),
    *(exp.Nullif, exp.Least, exp.Greatest, exp.Min, exp.Max),
)
"""What gives a text with the collation of the texts that it is made of."""

_OF_TEXT: Mapping[type[exp.Expr], Callable[[str], Value]] = {
    exp.Length: lambda text: len(text.encode()),
    exp.Upper: str.upper,
    exp.Lower: str.lower,
}
