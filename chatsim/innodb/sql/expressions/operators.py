"""Operators: manual, "Comparison Functions and Operators", "Logical Operators", "String Comparison Functions"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.arithmetic import ARITHMETIC, alike
from chatsim.innodb.sql.expressions.comparison import is_true
from chatsim.innodb.sql.expressions.environment import Env, Function, complain, unsupported
from chatsim.innodb.sql.expressions.explicit_collation import check_collation, explicit_type
from chatsim.innodb.sql.expressions.integer_range import checked, checked_negation
from chatsim.innodb.sql.expressions.intervals import moved
from chatsim.innodb.sql.expressions.literal_moments import check_moments
from chatsim.innodb.sql.expressions.scope import Scope, compiled, is_numbered
from chatsim.innodb.storage.collations import CONNECTION
from chatsim.innodb.storage.column_types import Binary, Text
from chatsim.innodb.storage.values import Value, as_text, is_number

_of = compiled.register

_COMPARISONS: Mapping[type[exp.Expr], Callable[[int], bool]] = {
    exp.EQ: lambda sign: sign == 0,
    exp.NEQ: lambda sign: sign != 0,
    exp.LT: lambda sign: sign < 0,
    exp.LTE: lambda sign: sign <= 0,
    exp.GT: lambda sign: sign > 0,
    exp.GTE: lambda sign: sign >= 0,
}


@_of(exp.Paren)
def _paren(node: exp.Paren, scope: Scope) -> Function:
    return scope.compile(node.this)


@_of(exp.Alias)
def _alias(node: exp.Alias, scope: Scope) -> Function:
    return scope.compile(node.this)


@_of(exp.Collate)
def _collated(node: exp.Collate, scope: Scope) -> Function:
    check_collation(node, scope.kind(node.this))
    inner = scope.compile(node.this)
    return lambda env: None if (a := inner(env)) is None else as_text(a)


@_of(exp.EQ)
@_of(exp.NEQ)
@_of(exp.LT)
@_of(exp.LTE)
@_of(exp.GT)
@_of(exp.GTE)
def _comparison(node: exp.Binary, scope: Scope) -> Function:
    if isinstance(node.left, exp.Tuple):
        return _tuples(node, scope)
    left, right, holds = scope.compile(node.left), scope.compile(node.right), _COMPARISONS[type(node)]
    if not node.meta.get("of_between"):
        check_moments(node, scope)
    compare, check = scope.comparison(node.left, node.right), mixed_check(node.left, node.right, scope)

    def value(env: Env) -> int | None:
        if (a := left(env)) is None or (b := right(env)) is None:  # behind NULL, no subquery is evaluated
            return None
        if type(a) is not type(b):
            check(env, a, b)
        return int(holds(compare(a, b)))

    return value


Check = Callable[[Env, Value, Value], None]


def mixed_check(left: exp.Expr, right: exp.Expr, scope: Scope) -> Check:
    """Complains of a text that is compared with a number, and is none; of a constant once."""
    if any(is_numbered(scope.kind(each)) for each in (left, right)):
        return lambda *_: None
    sides = [(each, scope.is_silent(each), isinstance(each, exp.Column)) for each in (left, right)]

    def check(env: Env, a: Value, b: Value) -> None:
        for (part, silent, varies), text, other in zip(sides, (a, b), (b, a), strict=True):
            if silent or not isinstance(other, int | float | Decimal) or not _is_text(text):
                continue
            if not is_number(shown := as_text(text)):
                message = f"Truncated incorrect DOUBLE value: '{shown}'"
                complain(env, 1292, message, strict=scope.strict, cause=None if varies else part)

    return check


def _is_text(value: Value) -> bool:
    return type(value) is str or type(value) is bytes


def _tuples(node: exp.Binary, scope: Scope) -> Function:
    """A comparison of rows: the first columns that differ decide."""
    left, right = node.left.expressions, node.right.expressions if isinstance(node.right, exp.Tuple) else []
    if len(left) != len(right):
        raise database_error(1241, f"Operand should contain {len(left)} column(s)")
    if isinstance(node, exp.EQ | exp.NullSafeEQ):
        return scope.compile(exp.and_(*(type(node)(this=a, expression=b) for a, b in zip(left, right, strict=True))))
    if isinstance(node, exp.NEQ):
        return scope.compile(exp.or_(*(exp.NEQ(this=a, expression=b) for a, b in zip(left, right, strict=True))))
    strict = exp.LT if isinstance(node, exp.LT | exp.LTE) else exp.GT
    *pairs, (a, b) = zip(left, right, strict=True)
    found: exp.Expr = type(node)(this=a, expression=b)
    for a, b in reversed(pairs):
        beyond, level = strict(this=a, expression=b), exp.EQ(this=a, expression=b)
        found = exp.Or(this=beyond, expression=exp.And(this=level, expression=found))
    return scope.compile(found)


@_of(exp.NullSafeEQ)
def _same(node: exp.NullSafeEQ, scope: Scope) -> Function:
    if isinstance(node.left, exp.Tuple):
        return _tuples(node, scope)
    left, right = scope.compile(node.left), scope.compile(node.right)
    compare, check = scope.comparison(node.left, node.right), mixed_check(node.left, node.right, scope)

    def value(env: Env) -> int:
        a, b = left(env), right(env)
        if type(a) is not type(b):
            check(env, a, b)
        return int(a is b is None or (a is not None and b is not None and compare(a, b) == 0))

    return value


@_of(exp.And)
def _and(node: exp.And, scope: Scope) -> Function:
    left, right = scope.truth(node.left), scope.truth(node.right)

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
def _or(node: exp.Or, scope: Scope) -> Function:
    left, right = scope.truth(node.left), scope.truth(node.right)

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
def _not(node: exp.Not, scope: Scope) -> Function:
    inner = scope.truth(node.this)

    def value(env: Env) -> int | None:
        a = inner(env)
        return None if a is None else int(not is_true(a))

    return value


@_of(exp.Is)
def _is(node: exp.Is, scope: Scope) -> Function:
    if isinstance(node.expression, exp.Null):
        inner = scope.compile(node.this)
        return lambda env: int(inner(env) is None)
    truth, wanted = scope.truth(node.this), bool(node.expression.this)
    return lambda env: int((a := truth(env)) is not None and is_true(a) == wanted)


@_of(exp.Between)
def _between(node: exp.Between, scope: Scope) -> Function:
    low = exp.GTE(this=node.this, expression=node.args["low"])
    high = exp.LTE(this=node.this, expression=node.args["high"])
    low.meta["of_between"] = high.meta["of_between"] = True  # whose ends are not checked
    both = exp.And(this=low, expression=high)
    both.parent, both.arg_key = node.parent, node.arg_key  # it stands where BETWEEN does
    return scope.compile(both)


@_of(exp.In)
def _in(node: exp.In, scope: Scope) -> Function:
    if not node.expressions:
        raise unsupported(node, "a subquery")
    if isinstance(node.this, exp.Tuple):
        return scope.compile(exp.or_(*(exp.EQ(this=node.this, expression=each) for each in node.expressions)))
    inner = scope.compile(node.this)
    explicit = explicit_type(node.this, *node.expressions)
    also = node.expressions if explicit is not None else ()  # COLLATE in one decides for all
    members = [
        (scope.compile(each), scope.comparison(node.this, each, *also), mixed_check(node.this, each, scope))
        for each in node.expressions
    ]

    def value(env: Env) -> int | None:
        a = inner(env)
        if a is None:
            return None
        found: int | None = 0
        for member, compare, check in members:
            b = member(env)
            if b is None:
                found = None
                continue
            if type(a) is not type(b):
                check(env, a, b)
            if compare(a, b) == 0:
                return 1
        return found

    return value


@_of(exp.Escape)
def _escaped(node: exp.Escape, scope: Scope) -> Function:
    if not isinstance(node.this, exp.Like) or not isinstance(node.expression, exp.Literal):
        raise unsupported(node)
    return _liked(node.this, node.expression.name, scope)


@_of(exp.Like)
def _like(node: exp.Like, scope: Scope) -> Function:
    return _liked(node, "\\", scope)


def _liked(node: exp.Like, escape: str, scope: Scope) -> Function:
    inner, pattern, wanted = scope.compile(node.this), scope.compile(node.expression), not node.args.get("negate")
    kind = scope.collating(node.this, node.expression)
    collation = kind.collation if isinstance(kind, Text) else CONNECTION
    exact = isinstance(kind, Binary) or collation.binary or not collation.folds
    folds = cast("Callable[[str], str]", collation.key)

    def value(env: Env) -> int | None:
        if (a := inner(env)) is None or (b := pattern(env)) is None:
            return None
        fold = str if exact or isinstance(a, bytes) or isinstance(b, bytes) else folds
        found = re.fullmatch(_pattern(as_text(b), escape, fold), fold(as_text(a)), re.DOTALL)
        return int((found is not None) == wanted)

    return value


@_of(exp.Add)
@_of(exp.Sub)
@_of(exp.Mul)
@_of(exp.Div)
@_of(exp.IntDiv)
@_of(exp.Mod)
def _arithmetic(node: exp.Binary, scope: Scope) -> Function:
    if isinstance(node.left, exp.Interval) and isinstance(node.right, exp.Interval) and not node.right.args.get("unit"):
        return moved(node.right.this, node.left, scope)  # to sqlglot, what follows an interval is one
    if isinstance(node.right, exp.Interval) and isinstance(node, exp.Add | exp.Sub):
        return moved(node.left, node.right, scope, -1 if isinstance(node, exp.Sub) else 1)
    if isinstance(node.left, exp.Interval) and isinstance(node, exp.Add):
        return moved(node.right, node.left, scope)
    divides = isinstance(node, exp.Div | exp.IntDiv | exp.Mod)
    left, right = scope.number(node.left), scope.number(node.right)
    operate = checked(node, scope, ARITHMETIC[type(node)])

    def value(env: Env) -> Value:
        a, b = left(env), right(env)
        if a is None or b is None:
            return None
        if divides and not b:
            _note_zero_divisor(env, strict=scope.strict)
            return None
        return operate(*alike(a, b))

    return value


def _note_zero_divisor(env: Env, *, strict: bool) -> None:
    """A warning; an error in a statement that changes rows, if the mode is strict."""
    if env.session.warns_of_zero_divisors:
        complain(env, 1365, "Division by 0", strict=strict)


@_of(exp.Xor)
def _xor(node: exp.Xor, scope: Scope) -> Function:
    left, right = scope.truth(node.left), scope.truth(node.right)

    def value(env: Env) -> int | None:
        if (a := left(env)) is None or (b := right(env)) is None:
            return None
        return int(is_true(a) != is_true(b))

    return value


@_of(exp.RegexpLike)
def _regexp(node: exp.RegexpLike, scope: Scope) -> Function:
    parts = [node.this, node.expression, *filter(None, [node.args.get("flag")])]
    return scope.compile(exp.Anonymous(this="REGEXP_LIKE", expressions=parts))


@_of(exp.Neg)
def _negative(node: exp.Neg, scope: Scope) -> Function:
    inner, negate = scope.number(node.this), checked_negation(node, scope)
    return lambda env: None if (a := inner(env)) is None else negate(a)


def _pattern(text: str, escape: str, fold: Callable[[str], str]) -> str:
    """A LIKE's pattern as a regular expression: after ``escape``, % and _ stand for themselves."""
    pieces = re.finditer(rf"{re.escape(escape)}(?P<plain>.)|(?P<any>[%_])|(?P<other>.)", text, re.DOTALL)
    return "".join(
        {"%": ".*", "_": "."}[each["any"]] if each["any"] else re.escape(fold(each["plain"] or each["other"]))
        for each in pieces
    )
