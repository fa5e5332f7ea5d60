"""Functions: manual, "Flow Control Functions", "String Functions", "Cast Functions", "Locking Functions" and others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.arithmetic import to_integer
from chatsim.innodb.sql.expressions.comparison import compare, is_true
from chatsim.innodb.sql.expressions.environment import Context, Env, Function, unsupported
from chatsim.innodb.sql.expressions.integer_range import checked
from chatsim.innodb.sql.expressions.scope import Scope, compiled, is_numbered
from chatsim.innodb.storage.values import Value, as_number, as_text

_of = compiled.register

_INTEGERS = {*exp.DataType.INTEGER_TYPES}

_ADVISORY = ("RELEASE_LOCK", "RELEASE_ALL_LOCKS", "IS_FREE_LOCK", "IS_USED_LOCK")

_OF_SESSION: Mapping[str, Callable[[Context], Value]] = {
    "CONNECTION_ID": lambda session: session.connection_id,
    "LAST_INSERT_ID": lambda session: session.last_insert_id,
    "NOW": lambda session: session.now(),
    "SYSDATE": lambda session: session.now(),
}

_OF_TEXT: Mapping[type[exp.Expr], Callable[[str], Value]] = {
    exp.Length: lambda text: len(text.encode()),
    exp.Upper: str.upper,
    exp.Lower: str.lower,
}


@_of(exp.If)
def _if(node: exp.If, scope: Scope) -> Function:
    condition, yes = scope.compile(node.this), scope.compile(node.args["true"])
    no = scope.compile(node.args["false"]) if node.args.get("false") else _nothing
    return lambda env: yes(env) if is_true(condition(env)) else no(env)


@_of(exp.Case)
def _case(node: exp.Case, scope: Scope) -> Function:
    subject = node.this
    branches = [
        (
            scope.compile(exp.EQ(this=subject, expression=each.this) if subject else each.this),
            scope.compile(each.args["true"]),
        )
        for each in node.args["ifs"]
    ]
    default = scope.compile(node.args["default"]) if node.args.get("default") else _nothing

    def value(env: Env) -> Value:
        return next((then for condition, then in branches if is_true(condition(env))), default)(env)

    return value


@_of(exp.Coalesce)
def _coalesce(node: exp.Coalesce, scope: Scope) -> Function:
    parts = [scope.compile(each) for each in (node.this, *node.expressions)]
    return lambda env: next((a for part in parts if (a := part(env)) is not None), None)


@_of(exp.Nullif)
def _nullif(node: exp.Nullif, scope: Scope) -> Function:
    left, right = scope.compile(node.this), scope.compile(node.expression)
    compare = scope.comparison(node.this, node.expression)

    def value(env: Env) -> Value:
        a, b = left(env), right(env)
        return None if a is not None and b is not None and compare(a, b) == 0 else a

    return value


@_of(exp.Concat)
def _concat(node: exp.Concat, scope: Scope) -> Function:
    parts = [scope.compile(each) for each in node.expressions]

    def value(env: Env) -> Value:
        values = [part(env) for part in parts]
        return None if None in values else "".join(as_text(each) for each in values)

    return value


@_of(exp.CurrentTimestamp)
def _now(_: exp.Expr, __: Scope) -> Function:
    return lambda env: env.session.now()


@_of(exp.Cast)
def _cast(node: exp.Cast, scope: Scope) -> Function:
    inner, wanted = scope.compile(node.this), node.to.this
    if wanted in _INTEGERS:
        inner = scope.number(node.this) if is_numbered(scope.kind(node.this)) else inner
        signed = wanted in exp.DataType.SIGNED_INTEGER_TYPES
        return lambda env: None if (a := inner(env)) is None else to_integer(a) if signed else to_integer(a) % 2**64
    if wanted in exp.DataType.TEXT_TYPES and not node.to.expressions:
        return lambda env: None if (a := inner(env)) is None else as_text(a)
    raise unsupported(node)


@_of(exp.Length)
@_of(exp.Upper)
@_of(exp.Lower)
def _text_function(node: exp.Func, scope: Scope) -> Function:
    inner, made = scope.compile(node.this), _OF_TEXT[type(node)]
    if isinstance(node, exp.Length) and not node.args.get("binary"):
        made = len  # CHAR_LENGTH
    return lambda env: None if (a := inner(env)) is None else made(as_text(a))


@_of(exp.Left)
def _left(node: exp.Left, scope: Scope) -> Function:
    inner, count = scope.compile(node.this), scope.number(node.expression)

    def value(env: Env) -> Value:
        text, most = inner(env), count(env)
        return None if text is None or most is None else as_text(text)[: max(0, to_integer(most))]

    return value


@_of(exp.Least)
@_of(exp.Greatest)
def _extreme(node: exp.Least | exp.Greatest, scope: Scope) -> Function:
    parts, least = [scope.compile(each) for each in (node.this, *node.expressions)], isinstance(node, exp.Least)
    by = scope.kind(node)

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
def _abs(node: exp.Abs, scope: Scope) -> Function:
    inner, absolute = scope.number(node.this), checked(node, scope, abs)
    return lambda env: None if (a := inner(env)) is None else absolute(a)


@_of(exp.Anonymous)
def _named(node: exp.Anonymous, scope: Scope) -> Function:
    name = node.name.upper()
    if name in _OF_SESSION and not node.expressions:
        of_session = _OF_SESSION[name]
        return lambda env: of_session(env.session)
    if name == "LAST_INSERT_ID":
        return _remembered(node.expressions[0], scope)
    if name == "VALUES":
        target = Scope(scope.tables[:1])  # whatever else is read
        at = target.column(exp.column(node.expressions[0].name))[1]
        return lambda env: env.inserted[at]
    if name == "DEFAULT" and len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Column):
        return _default(node.expressions[0], scope)
    if name == "GET_LOCK":
        number = id(node)
        return lambda env: env.found[number]  # it may wait: it was asked for beforehand
    if name in _ADVISORY:
        parts = [scope.compile(each) for each in node.expressions]
        return lambda env: env.session.advisory(name, [part(env) for part in parts])
    raise unsupported(f"function {name}()")


def _remembered(node: exp.Expr, scope: Scope) -> Function:
    inner = scope.compile(node)

    def value(env: Env) -> Value:
        found: Value = inner(env)
        env.session.named_insert_id = env.session.last_insert_id = 0 if found is None else int(as_number(found))
        return found

    return value


def _default(node: exp.Column, scope: Scope) -> Function:
    at, number = scope.column(node)
    column = scope.tables[at][1].columns[number]
    if not column.has_default:
        raise database_error(1364, f"Field '{column.name}' doesn't have a default value")
    return lambda _: column.default() if callable(column.default) else column.default


def _nothing(_: Env) -> None:
    return None
