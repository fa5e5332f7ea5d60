"""Bit operators: of integers of 64 bits, and of bytes (manual, "Bit Functions and Operators")."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.arithmetic import to_integer
from chatsim.innodb.sql.expressions.environment import Env, Function
from chatsim.innodb.sql.expressions.scope import Scope, compiled
from chatsim.innodb.storage.column_types import Binary
from chatsim.innodb.storage.values import Value

__all__: list[str] = []

_of = compiled.register

_LITERALS = (exp.HexString, exp.BitString, exp.Null)
"""Bytes that are numbers, unless other bytes stand beside them."""

_BITS = 64
_RANGE = 1 << _BITS

_BITWISE: Mapping[type[exp.Expr], Callable[[int, int], int]] = {
    exp.BitwiseAnd: lambda a, b: a & b,
    exp.BitwiseOr: lambda a, b: a | b,
    exp.BitwiseXor: lambda a, b: a ^ b,
}


@_of(exp.BitwiseAnd)
@_of(exp.BitwiseOr)
@_of(exp.BitwiseXor)
def _bitwise(node: exp.Binary, scope: Scope) -> Function:
    operate, sides = _BITWISE[type(node)], (node.left, node.right)
    if all(_is_bytes(each, scope) for each in sides) and not all(_is_literal(each) for each in sides):
        return _of_bytes(node, scope, operate)
    left, right = (scope.number(each, whole=True) for each in sides)

    def value(env: Env) -> int | None:
        if (a := left(env)) is None or (b := right(env)) is None:
            return None
        return operate(_unsigned(a), _unsigned(b))

    return value


def _of_bytes(node: exp.Binary, scope: Scope, operate: Callable[[int, int], int]) -> Function:
    left, right = scope.compile(node.left), scope.compile(node.right)

    def value(env: Env) -> bytes | None:
        a, b = left(env), right(env)
        if a is None or b is None:
            return None
        if len(a) != len(b):
            raise database_error(3513, "Binary operands of bitwise operators must be of equal length")
        return bytes(map(operate, a, b))

    return value


@_of(exp.BitwiseLeftShift)
@_of(exp.BitwiseRightShift)
def _shifted(node: exp.Binary, scope: Scope) -> Function:
    to_left, by = isinstance(node, exp.BitwiseLeftShift), scope.number(node.right, whole=True)
    of_bytes = _is_bytes(node.left, scope) and not _is_literal(node.left)
    moved = scope.compile(node.left) if of_bytes else scope.number(node.left, whole=True)

    def value(env: Env) -> int | bytes | None:
        a, count = moved(env), by(env)
        if a is None or count is None:
            return None
        size = 8 * len(a) if of_bytes else _BITS
        number = int.from_bytes(a) if of_bytes else _unsigned(a)
        places = min(_unsigned(count), size)
        found = (number << places if to_left else number >> places) % (1 << size)
        return found.to_bytes(size // 8) if of_bytes else found

    return value


@_of(exp.BitwiseNot)
def _inverted(node: exp.BitwiseNot, scope: Scope) -> Function:
    if _is_bytes(node.this, scope) and not _is_literal(node.this):
        data = scope.compile(node.this)
        return lambda env: None if (a := data(env)) is None else bytes(255 - each for each in a)
    inner = scope.number(node.this, whole=True)
    return lambda env: None if (a := inner(env)) is None else ~to_integer(a) % _RANGE


def _unsigned(number: Value) -> int:
    return to_integer(number) % _RANGE


def _is_bytes(node: exp.Expr, scope: Scope) -> bool:
    return _is_literal(node) or isinstance(scope.kind(node), Binary)


def _is_literal(node: exp.Expr) -> bool:
    return isinstance(node.unnest(), _LITERALS)
