"""Functions: manual, "Flow Control Functions", "String Functions", "Cast Functions", "Locking Functions" and others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.arithmetic import to_integer
from chatsim.innodb.sql.expressions.array_conditions import on_array
from chatsim.innodb.sql.expressions.comparison import compare, is_true
from chatsim.innodb.sql.expressions.environment import Context, Env, Function, complain, present, unsupported
from chatsim.innodb.sql.expressions.explicit_collation import explicit_type
from chatsim.innodb.sql.expressions.integer_range import checked
from chatsim.innodb.sql.expressions.intervals import moved, moving, time_between
from chatsim.innodb.sql.expressions.json_functions import TRUTHS, Truth
from chatsim.innodb.sql.expressions.native import NATIVE, Native
from chatsim.innodb.sql.expressions.number_functions import random_series
from chatsim.innodb.sql.expressions.operators import mixed_check
from chatsim.innodb.sql.expressions.result_type import one_of
from chatsim.innodb.sql.expressions.scope import Scope, compiled
from chatsim.innodb.sql.expressions.text_functions import parted, trimmed
from chatsim.innodb.sql.expressions.waiting import WaitNeeded
from chatsim.innodb.storage.column_types import Text
from chatsim.innodb.storage.values import Value, as_number, as_text

_of = compiled.register

_OF_SESSION: Mapping[str, Callable[[Context], Value]] = {
    "CONNECTION_ID": lambda session: session.connection_id,
    "LAST_INSERT_ID": lambda session: session.last_insert_id,
    "FOUND_ROWS": lambda session: session.found_rows(),
    "ROW_COUNT": lambda session: session.row_count,
    "VERSION": lambda session: session.system_variable("version"),
    "DATABASE": lambda session: session.system_variable("database"),
    "SCHEMA": lambda session: session.system_variable("database"),
    "USER": lambda _: "root@localhost",
    "CURRENT_USER": lambda _: "root@localhost",
    "SESSION_USER": lambda _: "root@localhost",
    "SYSTEM_USER": lambda _: "root@localhost",
}

_OF_TEXT: Mapping[type[exp.Expr], Callable[[str], Value]] = {
    exp.Length: lambda text: len(text.encode()),
    exp.Upper: str.upper,
    exp.Lower: str.lower,
}


@_of(exp.If)
def _if(node: exp.If, scope: Scope) -> Function:
    condition, yes = scope.truth(node.this), scope.compile(node.args["true"])
    no = scope.compile(node.args["false"]) if node.args.get("false") else _nothing
    convert = one_of([node.args["true"], node.args.get("false")], scope)
    return lambda env: convert(env, yes(env) if is_true(condition(env)) else no(env))


@_of(exp.Case)
def _case(node: exp.Case, scope: Scope) -> Function:
    subject = node.this
    branches = [
        (
            scope.compile(_equals(subject, each)) if subject else scope.truth(each.this),
            scope.compile(each.args["true"]),
        )
        for each in node.args["ifs"]
    ]
    default = scope.compile(node.args["default"]) if node.args.get("default") else _nothing
    convert = one_of([*(each.args["true"] for each in node.args["ifs"]), node.args.get("default")], scope)

    def value(env: Env) -> Value:
        then = next((then for condition, then in branches if is_true(condition(env))), default)
        return convert(env, then(env))

    return value


def _equals(subject: exp.Expr, branch: exp.If) -> exp.EQ:
    """The comparison of a CASE's subject with the value of a branch, in its place."""
    found = exp.EQ(this=subject, expression=branch.this)
    found.parent, found.arg_key = branch, "this"
    return found


@_of(exp.Coalesce)
def _coalesce(node: exp.Coalesce, scope: Scope) -> Function:
    nodes = [node.this, *node.expressions]
    parts, convert = [scope.compile(each) for each in nodes], one_of(nodes, scope)
    return lambda env: convert(env, next((a for part in parts if (a := part(env)) is not None), None))


@_of(exp.Nullif)
def _nullif(node: exp.Nullif, scope: Scope) -> Function:
    left, right = scope.compile(node.this), scope.compile(node.expression)
    compare, check = scope.comparison(node.this, node.expression), mixed_check(node.this, node.expression, scope)

    def value(env: Env) -> Value:
        a, b = left(env), right(env)
        if a is not None and b is not None:
            check(env, a, b)
        return None if a is not None and b is not None and compare(a, b) == 0 else a

    return value


@_of(exp.Concat)
def _concat(node: exp.Concat, scope: Scope) -> Function:
    parts = [scope.compile(each) for each in node.expressions]

    def value(env: Env) -> Value:
        values = present(parts, env)
        return None if values is None else "".join(as_text(each) for each in values)

    return value


@_of(exp.CurrentTimestamp)
def _now(node: exp.CurrentTimestamp, _: Scope) -> Function:
    digits = int(node.this.name) if node.this else 0
    return lambda env: env.session.now(digits)


@_of(exp.CurrentDate)
@_of(exp.CurrentTime)
@_of(exp.Localtime)
@_of(exp.Localtimestamp)
@_of(exp.CurrentUser)
def _without_parentheses(node: exp.Expr, scope: Scope) -> Function:
    return scope.compile(exp.Anonymous(this=_NAMES[type(node)], expressions=[]))


_NAMES: Mapping[type[exp.Expr], str] = {
    exp.CurrentDate: "CURDATE",
    exp.CurrentTime: "CURTIME",
    exp.Localtime: "NOW",
    exp.Localtimestamp: "NOW",
    exp.CurrentUser: "CURRENT_USER",
}


@_of(exp.Substring)
def _substring(node: exp.Substring, scope: Scope) -> Function:
    parts = [node.this, node.args["start"], *filter(None, [node.args.get("length")])]
    functions = [scope.compile(each) for each in parts]

    def value(env: Env) -> Value:
        values = [function(env) for function in functions]
        return None if None in values else parted(as_text(values[0]), *(to_integer(each) for each in values[1:]))

    return value


@_of(exp.Trim)
def _trim(node: exp.Trim, scope: Scope) -> Function:
    inner, what = scope.compile(node.this), scope.compile(node.expression or exp.Literal.string(" "))
    position = str(node.args.get("position") or "BOTH").upper()

    def value(env: Env) -> Value:
        text, removed = inner(env), what(env)
        return None if text is None or removed is None else trimmed(as_text(text), position, as_text(removed))

    return value


@_of(exp.StrPosition)
def _position(node: exp.StrPosition, scope: Scope) -> Function:
    return scope.compile(exp.Anonymous(this="LOCATE", expressions=[node.args["substr"], node.this]))


@_of(exp.Chr)
def _characters(node: exp.Chr, scope: Scope) -> Function:
    parts, charset = [scope.compile(each) for each in node.expressions], node.args.get("charset")

    def value(env: Env) -> Value:
        numbers = [to_integer(each) % 2**32 for part in parts if (each := part(env)) is not None]
        data = b"".join(each.to_bytes(max(1, (each.bit_length() + 7) // 8)) for each in numbers)
        return data.decode(errors="replace") if charset else data

    return value


@_of(exp.PropertyEQ)
def _assigned(node: exp.PropertyEQ, scope: Scope) -> Function:
    if not isinstance(node.this, exp.Parameter):
        raise unsupported(node)
    inner, name = scope.compile(node.expression), node.this.name.lower()

    def value(env: Env) -> Value:
        env.session.variables[name] = found = inner(env)
        return found  # type: ignore[no-any-return]

    return value


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
        values = present(parts, env)
        if values is None:
            return None
        if not all(isinstance(each, str) for each in values) and any(type(each) is str for each in values):
            values = [as_text(each) for each in values]
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
    made = _SPECIAL.get(name)
    if made is not None and node.expressions:
        return made(node, scope)
    if name in NATIVE:
        return on_array(node, scope, _native(node, NATIVE[name], scope))
    if name == "RELEASE_ALL_LOCKS":
        return _of_user_locks(node, scope)
    raise unsupported(f"function {name}()")


def _moved(node: exp.Anonymous, scope: Scope) -> Function:
    """DATE_ADD and DATE_SUB with an interval, ADDDATE and SUBDATE also with days."""
    if len(node.expressions) != 2:
        raise unsupported(node)
    start, by = node.expressions
    sign = -1 if node.name.upper() in ("DATE_SUB", "SUBDATE") else 1
    if isinstance(by, exp.Interval):
        return moved(start, by, scope, sign)
    if node.name.upper().startswith("DATE"):
        raise unsupported(node)
    return moving(start, by, "DAY", scope, sign)


def _timestamp(node: exp.Anonymous, scope: Scope) -> Function:
    """TIMESTAMPADD and TIMESTAMPDIFF, whose first argument is a unit."""
    if len(node.expressions) != 3:
        raise unsupported(node)
    unit, second, third = node.expressions
    word = unit.name.upper().removeprefix("SQL_TSI_")
    if node.name.upper() == "TIMESTAMPADD":
        return moving(third, second, word, scope)
    return time_between(word, second, third, scope)


def _is_null(node: exp.Anonymous, scope: Scope) -> Function:
    return scope.compile(exp.Is(this=node.expressions[0], expression=exp.Null()))


def _values(node: exp.Anonymous, scope: Scope) -> Function:
    target = Scope(scope.tables[:1])  # whatever else is read
    at = target.column(exp.column(node.expressions[0].name))[1]
    return lambda env: env.inserted[at]


def _waiting(node: exp.Anonymous, scope: Scope) -> Function:
    """A function that may take time."""
    key, name, parts = id(node), node.name.upper(), [scope.compile(each) for each in node.expressions]

    def value(env: Env) -> Value:
        if key not in env.found:
            raise WaitNeeded(name, key, env, [part(env) for part in parts])
        return env.found[key]  # type: ignore[no-any-return]

    return value


def _of_user_locks(node: exp.Anonymous, scope: Scope) -> Function:
    name, parts = node.name.upper(), [scope.compile(each) for each in node.expressions]
    return lambda env: env.session.advisory(name, [part(env) for part in parts])


def _remembered(node: exp.Anonymous, scope: Scope) -> Function:
    inner = scope.compile(node.expressions[0])

    def value(env: Env) -> Value:
        found: Value = inner(env)
        env.session.named_insert_id = env.session.last_insert_id = 0 if found is None else int(as_number(found))
        return found

    return value


def _default(node: exp.Anonymous, scope: Scope) -> Function:
    if len(node.expressions) != 1 or not isinstance(node.expressions[0], exp.Column):
        raise unsupported(node)
    at, number = scope.column(node.expressions[0])
    column = scope.tables[at][1].columns[number]
    if not column.has_default:
        raise database_error(1364, f"Field '{column.name}' doesn't have a default value")
    return lambda env: column.default(env.session) if callable(column.default) else column.default


def _random_series(node: exp.Anonymous, scope: Scope) -> Function:
    """RAND(n): a series of numbers, which begins anew with each statement, or if ``n`` varies, with each row."""
    NATIVE["RAND"].check(len(node.expressions))
    seed, again = scope.compile(node.expressions[0]), node.find(exp.Column) is not None
    key = "series", id(node)

    def value(env: Env) -> Value:
        series = env.found.get(key)
        if series is None or again:
            series = env.found[key] = random_series(0 if (first := seed(env)) is None else to_integer(first))
        return next(series)

    return value


_SPECIAL: Mapping[str, Callable[[exp.Anonymous, Scope], Function]] = {
    **dict.fromkeys(("DATE_ADD", "DATE_SUB", "ADDDATE", "SUBDATE"), _moved),
    **dict.fromkeys(("TIMESTAMPADD", "TIMESTAMPDIFF"), _timestamp),
    **dict.fromkeys(("GET_LOCK", "SLEEP"), _waiting),
    **dict.fromkeys(("RELEASE_LOCK", "IS_FREE_LOCK", "IS_USED_LOCK"), _of_user_locks),
    "DEFAULT": _default,
    "ISNULL": _is_null,
    "LAST_INSERT_ID": _remembered,
    "RAND": _random_series,
    "VALUES": _values,
}
"""Functions with arguments that are no plain values."""


_COMPARING = frozenset(
    "FIELD FIND_IN_SET INSTR LOCATE REGEXP_INSTR REGEXP_LIKE REGEXP_REPLACE REGEXP_SUBSTR STRCMP".split()  # noqa: SIM905
)
"""The functions that compare texts, by the default collation."""


def _native(node: exp.Anonymous, native: Native, scope: Scope) -> Function:
    native.check(len(node.expressions))
    if native.name in _COMPARING and explicit_type(*node.expressions) is not None:
        raise unsupported(node, "COLLATE in this function")
    if native.name.startswith("REGEXP") and any(
        isinstance(each, Text) and each.collation.binary for each in map(scope.kind, node.expressions[:2])
    ):
        raise unsupported(node, "texts of a binary collation")
    parts = [
        scope.compile(each) if letter not in "in" else scope.number(each, whole=letter == "i")
        for letter, each in zip(native.letters(len(node.expressions)), node.expressions, strict=False)
    ]
    truths = [at for at, each in enumerate(node.expressions) if isinstance(each, TRUTHS)]

    def value(env: Env) -> Value:
        values = [part(env) for part in parts]
        for at in truths:
            values[at] = None if values[at] is None else Truth(values[at])
        found = native.call(env, values)
        if found is None and native.undefined is not None and None not in values:
            complain(env, *native.undefined, strict=scope.strict)
        return found

    return value


def _nothing(_: Env) -> None:
    return None
