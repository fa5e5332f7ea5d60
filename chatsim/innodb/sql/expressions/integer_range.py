"""Integers have 64 bits: a result that does not fit is error 1690 (manual, "Out-of-Range and Overflow Handling").

Whether a result is a BIGINT or a BIGINT UNSIGNED depends on the types of the operands, not on their values; it is
unsigned if one of them is. Other values (a DECIMAL, a DOUBLE, a text) are not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from functools import singledispatch

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.native import native_function
from chatsim.innodb.sql.expressions.printing import printed
from chatsim.innodb.sql.expressions.scope import Scope
from chatsim.innodb.storage.column_types import Integer
from chatsim.innodb.storage.values import Value

__all__ = ["checked", "checked_negation"]

_HIGHEST = 2**63 - 1
_HIGHEST_UNSIGNED = 2**64 - 1


class _Type(Enum):
    """The type of an integer expression."""

    SIGNED = "BIGINT"
    UNSIGNED = "BIGINT UNSIGNED"
    BY_VALUE = "that of the value of a placeholder or variable"


def checked(node: exp.Binary | exp.Abs, scope: Scope, operate: Callable[..., Value]) -> Callable[..., Value]:
    """What an operator does with its operands, with a check of the result if that is an integer."""
    found = _type(node, scope)
    if found is None:
        return operate

    def value(*operands: Value) -> Value:
        result = operate(*operands)
        if type(result) is int and not 0 <= result <= _HIGHEST:
            unsigned = found is _Type.UNSIGNED or (found is _Type.BY_VALUE and _any_unsigned(operands))
            low, high = (0, _HIGHEST_UNSIGNED) if unsigned else (-_HIGHEST - 1, _HIGHEST)
            if not low <= result <= high:
                raise _out_of_range(node, unsigned=unsigned)
        return result

    return value


def checked_negation(node: exp.Neg, scope: Scope) -> Callable[[int], Value]:
    """The function of a unary minus. Its result is signed; for a constant that is too large, it is a DECIMAL."""
    constant = node.find(exp.Column, exp.Placeholder, exp.Parameter) is None
    integer = _type(node.this, scope) is not None

    def value(operand: int) -> Value:
        result = -operand
        if integer and not constant and not -_HIGHEST - 1 <= result <= _HIGHEST:
            raise _out_of_range(node, unsigned=False)
        return result

    return value


def _any_unsigned(operands: Iterable[Value]) -> bool:
    return any(isinstance(each, int) and each > _HIGHEST for each in operands)


def _out_of_range(node: exp.Expr, *, unsigned: bool) -> DatabaseError:
    kind = _Type.UNSIGNED if unsigned else _Type.SIGNED
    return database_error(1690, f"{kind.value} value is out of range in '{printed(node)}'")


@singledispatch
def _type(_: exp.Expr, __: Scope) -> _Type | None:
    """The type of an expression if that is an integer."""
    return None


@_type.register
def _literal(node: exp.Literal, _: Scope) -> _Type | None:
    if node.is_string or not node.name.isdigit() or int(node.name) > _HIGHEST_UNSIGNED:
        return None
    return _Type.UNSIGNED if int(node.name) > _HIGHEST else _Type.SIGNED


@_type.register
def _column(node: exp.Column, scope: Scope) -> _Type | None:
    kind = scope.kind(node)
    if not isinstance(kind, Integer):
        return None
    return _Type.UNSIGNED if kind.low == 0 else _Type.SIGNED


@_type.register(exp.Placeholder | exp.Parameter | exp.SessionParameter | exp.Null)
def _dynamic(_: exp.Expr, __: Scope) -> _Type | None:
    return _Type.BY_VALUE


@_type.register(exp.Predicate | exp.Connector | exp.Not | exp.Boolean | exp.Count | exp.Length)
def _signed(_: exp.Expr, __: Scope) -> _Type | None:
    return _Type.SIGNED


@_type.register(exp.Paren | exp.Alias | exp.Min | exp.Max | exp.Abs | exp.Nullif)
def _same(node: exp.Expr, scope: Scope) -> _Type | None:
    return _type(node.this, scope)


@_type.register
def _neg(node: exp.Neg, scope: Scope) -> _Type | None:
    inner = _type(node.this, scope)
    return inner and _Type.SIGNED


@_type.register(exp.Add | exp.Sub | exp.Mul | exp.IntDiv)
def _binary(node: exp.Binary, scope: Scope) -> _Type | None:
    types = {_type(node.left, scope), _type(node.right, scope)}
    if None in types:
        return None
    return next(each for each in (_Type.UNSIGNED, _Type.BY_VALUE, _Type.SIGNED) if each in types)


@_type.register
def _mod(node: exp.Mod, scope: Scope) -> _Type | None:
    return _type(node.right, scope) and _type(node.left, scope)


@_type.register
def _cast(node: exp.Cast, _: Scope) -> _Type | None:
    if node.to.this in exp.DataType.SIGNED_INTEGER_TYPES:
        return _Type.SIGNED
    return _Type.UNSIGNED if node.to.this in exp.DataType.UNSIGNED_INTEGER_TYPES else None


@_type.register
def _anonymous(node: exp.Anonymous, scope: Scope) -> _Type | None:
    match node.name.upper():
        case "VALUES":
            return _type(exp.column(node.expressions[0].name), Scope(scope.tables[:1]))
        case "ROW_COUNT" | "FOUND_ROWS" | "SLEEP":
            return _Type.SIGNED
        case "LAST_INSERT_ID" | "CONNECTION_ID" | "IS_USED_LOCK":
            return _Type.UNSIGNED
    native = native_function(node)
    return _Type.SIGNED if native is None or native.result == "integer" else None


@_type.register
def _if(node: exp.If, scope: Scope) -> _Type | None:
    return _common([node.args["true"], node.args.get("false")], scope)


@_type.register
def _case(node: exp.Case, scope: Scope) -> _Type | None:
    return _common([*(each.args["true"] for each in node.args["ifs"]), node.args.get("default")], scope)


@_type.register(exp.Coalesce | exp.Least | exp.Greatest)
def _several(node: exp.Func, scope: Scope) -> _Type | None:
    return _common([node.this, *node.expressions], scope)


def _common(nodes: Iterable[exp.Expr | None], scope: Scope) -> _Type | None:
    """The type of one of several expressions: of signed and unsigned ones it is a DECIMAL."""
    types = {_type(each, scope) for each in nodes if each is not None and not isinstance(each, exp.Null)}
    return types.pop() if len(types) == 1 else None
