"""The tables whose columns an expression may name, and its compilation into a function of their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.comparison import common_collation, compare
from chatsim.innodb.sql.expressions.environment import Context, Env, Function, complain, unsupported
from chatsim.innodb.sql.expressions.explicit_collation import explicit_type
from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.storage.column_types import (
    BadValueError,
    Binary,
    ColumnType,
    Decimals,
    Doubles,
    Integer,
    Text,
    Year,
    place,
)
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import (
    BytesLiteral,
    Document,
    Value,
    as_number,
    as_text,
    integer_at_start,
    is_number,
    is_whole_number,
)

__all__ = ["Scope", "compiled", "is_numbered"]

_COLLATED = (
    *(exp.Concat, exp.Left, exp.Lower, exp.Upper, exp.If, exp.Case, exp.Coalesce),
    *(exp.Nullif, exp.Least, exp.Greatest, exp.Min, exp.Max),
)
"""What gives a text with the collation of the texts that it is made of."""


_NUMBERS = (Integer, Decimals, Doubles)
_TRUTHS = (exp.Predicate, exp.Connector, exp.Not, exp.Boolean, exp.Null)
"""What gives 1, 0 or NULL."""

_STATEMENTS = (exp.Select, exp.Update, exp.OnConflict)

_SILENT = (
    *(exp.Coalesce, exp.Greatest, exp.Least),
    *(exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor),
    *(exp.BitwiseNot, exp.BitwiseLeftShift, exp.BitwiseRightShift),
)

_DOCUMENT_AS_TRUTH = (
    "Evaluating a JSON value in SQL boolean context does an implicit comparison against JSON integer 0; if this is not"
    " what you want, consider converting JSON to a SQL numeric type with JSON_VALUE RETURNING"
)


def _is_no_number(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and not is_number(node.name)


def _waits_for_row(node: exp.Expr) -> bool:
    """Whether a literal is looked at only with a row: in CASE, and outside of conditions, unless it is in a list."""
    part = node
    while part.parent is not None and not isinstance(part.parent, exp.Where | exp.Having | exp.In):
        part = part.parent
        if isinstance(part, exp.Case) and part.this is not None:
            return True
        if isinstance(part, exp.Ordered) or (part.arg_key == "expressions" and isinstance(part.parent, _STATEMENTS)):
            return True
    return False


def is_numbered(kind: ColumnType | None) -> bool:
    """Whether values of a column are numbers to numbers, though they are texts or bytes: ENUM, SET, BIT."""
    return kind is not None and kind.numbered


def _as_year(year: ColumnType, value: Value) -> Value:
    """A value that is compared with a YEAR: a number of two digits is one, too."""
    try:
        return year.store(value)
    except BadValueError:
        return value


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
        windows: the window functions that there are.
        subqueries: the subqueries in expressions.
        not_numbers: the texts that are compared with columns of numbers, and are none.
        outer_values: the values of queries around this one that expressions use, with their types.
    """

    tables: Sequence[tuple[str, Table]] = ()
    inserted: str = ""
    read: set[tuple[int, int]] = field(default_factory=set)
    strict: bool = False
    grouping: bool = False
    aggregates: list[exp.Expr] = field(default_factory=list)
    windows: list[exp.Expr] = field(default_factory=list)
    subqueries: list[Any] = field(default_factory=list)
    not_numbers: list[exp.Expr] = field(default_factory=list)
    outer_values: list[tuple[Function, ColumnType | None]] = field(default_factory=list)

    def column(self, node: exp.Column) -> tuple[int, int]:
        """Which table's which column a name means. Raises a `DatabaseError`."""
        name, wanted = node.name.lower(), node.table
        found = [
            (at, column)
            for at, (called, table) in enumerate(self.tables)
            if (column := table.numbers.get(name)) is not None and (not wanted or wanted == called)
        ]
        if not found:
            raise database_error(1054, f"Unknown column '{node.sql('mysql').replace('`', '')}' in 'field list'")
        if len(found) > 1:
            raise database_error(1052, f"Column '{name}' in field list is ambiguous")
        self.read.add(found[0])
        return found[0]

    def tables_of(self, node: exp.Expr) -> frozenset[int]:
        """The tables whose columns an expression names. Raises a `DatabaseError`."""
        return frozenset(self.column(each)[0] for each in node.find_all(exp.Column))

    def kind(self, node: exp.Expr) -> ColumnType | None:
        """The type of the column that an expression's value comes from, or whose collation it has; None: of none."""
        if isinstance(node, exp.Column):
            if self.inserted and node.table == self.inserted:
                node = exp.column(node.this, table=self.tables[0][0])
            table, at = self.column(node)
            return self.tables[table][1].columns[at].type
        if isinstance(node, exp.Paren | exp.Alias | exp.AnyValue):
            return self.kind(node.this)
        if isinstance(node, OuterValue):
            outer: ColumnType | None = self.outer_values[node.args["number"]][1]
            return outer
        if isinstance(node, SubqueryValue):
            subquery = self.subqueries[node.args["number"]]
            kind: ColumnType | None = subquery.query.kinds[0] if subquery.quantifier == "scalar" else None
            return kind
        return explicit_type(node) or self._common_kind(node)

    def _common_kind(self, node: exp.Expr) -> ColumnType | None:
        """The type of the columns whose collation a function gives its text."""
        if isinstance(node, _COLLATED):
            kinds = [kind for each in node.find_all(exp.Column) if isinstance(kind := self.kind(each), Text | Binary)]
            return common_collation(kinds)
        return None

    def collating(self, *nodes: exp.Expr) -> ColumnType | None:
        """The type whose collation is used for some expressions. Raises a `DatabaseError` (1267)."""
        return explicit_type(*nodes) or common_collation([self.kind(each) for each in nodes])

    def comparison(self, *nodes: exp.Expr) -> Callable[[Value, Value], int]:
        """How values of the first expression are compared with values of the others: by their columns' collation.

        A member of an ENUM is its number to a number.

        Raises:
            DatabaseError: collations don't go together.
        """
        kinds = [self.kind(each) for each in nodes]
        by, left, right = (
            explicit_type(*nodes) or common_collation(kinds),
            kinds[0],
            kinds[1] if len(kinds) > 1 else None,
        )
        if any(isinstance(kind, _NUMBERS) for kind in kinds):
            self.not_numbers += [each for each in nodes if _is_no_number(each) and not _waits_for_row(each)]
        if isinstance(left, Year) != isinstance(right, Year):
            year = left if isinstance(left, Year) else right
            assert year is not None
            return lambda a, b: compare(_as_year(year, a), _as_year(year, b), by)
        if not is_numbered(left) and not is_numbered(right):
            return lambda a, b: compare(a, b, by)

        def compared(a: Value, b: Value) -> int:
            numeric = not (isinstance(a, str | bytes) and isinstance(b, str | bytes))
            if numeric and left is not None and left.numbered:
                a = left.number(a)
            if numeric and right is not None and right.numbered:
                b = right.number(b)
            return compare(a, b, by)

        return compared

    def is_silent(self, node: exp.Expr) -> bool:
        """Whether nothing is said of a text that is no number: of a TEXT or BLOB (in the server: ``Field_blob``).

        Nor is it of the bytes that a bit operator gives, and of the text of COALESCE, GREATEST and LEAST.
        """
        if isinstance(node.unnest(), _SILENT):
            return True
        kind = self.kind(node) if isinstance(node, exp.Column | exp.Paren) else None
        return isinstance(kind, Text | Binary) and kind.long

    def check_literals(self, session: Context) -> None:
        """Note texts that are compared with columns of numbers and are none, before a row is read.

        Raises:
            DatabaseError: there is one, the statement changes rows, and the mode is strict (1292).
        """
        for each in self.not_numbers:
            message = f"Truncated incorrect DOUBLE value: '{each.name}'"
            complain(Env(session, ()), 1292, message, strict=self.strict, cause=each)

    def truth(self, node: exp.Expr) -> Function:
        """A function that gives an expression's value as a truth: 0 is false, NULL is neither."""
        if isinstance(node.unnest(), _TRUTHS) or isinstance(self.kind(node), _NUMBERS):
            return self.compile(node)
        inner, convert = self.compile(node), self._to_number(node)

        def truth(env: Env) -> Value:
            a = inner(env)
            if isinstance(a, Document):
                env.session.note_once(3986, _DOCUMENT_AS_TRUTH, node)
                return int(compare(a, 0) != 0)
            return convert(env, a)

        return truth

    def number(self, node: exp.Expr, *, whole: bool = False) -> Function:
        """A function that gives an expression's value as a number, or NULL; of a text its integer, if it is ``whole``.

        A text that is no number gives a warning; in a statement that changes rows it is an error (1292).
        """
        inner = self.compile(node)
        if isinstance(self.kind(node), _NUMBERS):
            return inner
        convert = self._to_number(node, whole=whole)
        return lambda env: convert(env, inner(env))

    def _to_number(self, node: exp.Expr, *, whole: bool = False) -> Callable[[Env, Value], Value]:
        """What makes a number of an expression's value."""
        kind, silent = self.kind(node), self.is_silent(node)
        if kind is not None and kind.numbered:
            return lambda _, a: None if a is None else kind.number(a)
        word, fits = ("INTEGER", is_whole_number) if whole else ("DOUBLE", is_number)

        def number(env: Env, a: Value) -> Value:
            if isinstance(a, Document):
                return float(as_number(a))
            if not isinstance(a, str | bytes) or isinstance(a, BytesLiteral):
                return None if a is None else as_number(a)
            text = as_text(a)
            if not silent and not fits(text):
                message = f"Truncated incorrect {word} value: '{text}'"
                complain(env, 1292, message, strict=self.strict, cause=node)
            return integer_at_start(text) if whole else float(as_number(text))

        return number

    def place(self, node: exp.Expr) -> Function:
        """A function that gives the sort or group key of an expression."""
        inner, kind = self.compile(node), self.kind(node)
        return lambda env: place(inner(env), kind)

    def compile(self, node: exp.Expr) -> Function:
        """A function that gives the expression's value.

        Raises:
            NotImplementedError: there is something in it that the model does not understand.
            DatabaseError: it names a column that there is not.
        """
        return compiled(node, self)


@singledispatch
def compiled(node: exp.Expr, _: Scope) -> Function:
    """A function that gives the value of an expression of some kind; each kind registers how it is made."""
    raise unsupported(node)
