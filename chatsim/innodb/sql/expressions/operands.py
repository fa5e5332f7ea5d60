"""What an expression is made of: columns, literals, placeholders, variables, and the aggregates of a group."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.environment import Function, unsupported
from chatsim.innodb.sql.expressions.queries import OuterValue
from chatsim.innodb.sql.expressions.scope import Scope, compiled
from chatsim.innodb.storage.values import BytesLiteral, Value

_of = compiled.register


@_of(exp.Column)
def _column(node: exp.Column, scope: Scope) -> Function:
    if scope.inserted and node.table == scope.inserted:
        at = scope.column(exp.column(node.this, table=scope.tables[0][0]))[1]
        return lambda env: env.inserted[at]
    table, at = scope.column(node)
    if table == 0:
        return lambda env: env.rows[0][at]
    return lambda env: env.rows[table][at]


@_of(exp.Literal)
def _literal(node: exp.Literal, _: Scope) -> Function:
    value: Value = node.name
    if not node.is_string:
        value = int(node.name) if node.name.isdigit() else Decimal(node.name)
        if "e" in node.name.lower():
            value = float(node.name)
    return lambda _: value


@_of(exp.HexString)
@_of(exp.BitString)
def _bytes(node: exp.HexString | exp.BitString, _: Scope) -> Function:
    digits, base = str(node.this), 16 if isinstance(node, exp.HexString) else 2
    size = len(digits) // 2 + len(digits) % 2 if base == 16 else (len(digits) + 7) // 8
    value = BytesLiteral(int(digits or "0", base).to_bytes(size))
    return lambda _: value


@_of(exp.Introducer)
def _introduced(node: exp.Introducer, scope: Scope) -> Function:
    if isinstance(text := node.expression, exp.Collate):  # to sqlglot, COLLATE is a part of the text
        whole = exp.Introducer(this=node.this, expression=text.this)
        return scope.compile(exp.Collate(this=whole, expression=text.expression))
    if node.name.lower() in ("_utf8mb4", "_utf8mb3", "_utf8", "_latin1", "_ascii"):
        return scope.compile(node.expression)
    if node.name.lower() == "_binary":
        inner = scope.compile(node.expression)
        return lambda env: value.encode() if isinstance(value := inner(env), str) else value
    raise unsupported(node)


@_of(exp.Null)
def _null(_: exp.Null, __: Scope) -> Function:
    return lambda _: None


@_of(exp.Boolean)
def _boolean(node: exp.Boolean, _: Scope) -> Function:
    value = int(bool(node.this))
    return lambda _: value


@_of(exp.Placeholder)
def _placeholder(node: exp.Placeholder, _: Scope) -> Function:
    at = node.meta["number"]
    return lambda env: env.args[at]


@_of(exp.Parameter)
def _parameter(node: exp.Parameter, _: Scope) -> Function:
    name = node.name.lower()
    return lambda env: env.session.variables.get(name)


@_of(exp.SessionParameter)
def _system(node: exp.SessionParameter, _: Scope) -> Function:
    name = node.name.lower()
    return lambda env: env.session.system_variable(name)


@_of(exp.AnyValue)
def _any_value(node: exp.AnyValue, scope: Scope) -> Function:
    return scope.compile(node.this)


@_of(exp.Count)
@_of(exp.Min)
@_of(exp.Max)
@_of(exp.Sum)
@_of(exp.Avg)
@_of(exp.GroupConcat)
@_of(exp.Grouping)
@_of(exp.JSONArrayAgg)
@_of(exp.JSONObjectAgg)
@_of(exp.BitwiseAndAgg)
@_of(exp.BitwiseOrAgg)
@_of(exp.BitwiseXorAgg)
@_of(exp.StddevPop)
@_of(exp.StddevSamp)
@_of(exp.VariancePop)
@_of(exp.Variance)
def _aggregate(node: exp.AggFunc, scope: Scope) -> Function:
    if not scope.grouping:
        if node.find(OuterValue):
            raise unsupported(node, "an aggregate of the query around this one")
        raise database_error(1111, "Invalid use of group function")
    if all(each is not node for each in scope.aggregates):
        scope.aggregates.append(node)
    number = id(node)
    return lambda env: env.found[number]
