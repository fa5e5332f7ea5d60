"""Expressions as SHOW CREATE TABLE shows them: the server prints them anew from what it has understood."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from sqlglot import exp

from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.expressions.printing import OPERATORS, printed

__all__ = ["printed_expression"]

_WORDS: dict[type[exp.Expr], str] = {exp.And: "and", exp.Or: "or", exp.Like: "like"}
_OTHER_NAMES = {"current_date": "curdate", "current_time": "curtime", "ceil": "ceiling", "power": "pow"}


@singledispatch
def printed_expression(node: exp.Expr) -> str:
    """An expression of a definition. Raises `NotImplementedError` for a kind of which the form is not known."""
    raise unsupported(node, "in SHOW CREATE TABLE")


_of = printed_expression.register


@_of(exp.Paren | exp.Alias)
def _inner(node: exp.Expr) -> str:
    return printed_expression(node.this)


@_of(exp.Column | exp.Null | exp.Boolean)
def _plain(node: exp.Expr) -> str:
    return printed(node)


@_of
def _literal(node: exp.Literal) -> str:
    return f"_utf8mb4'{_escaped(node.name)}'" if node.is_string else node.name


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


@_of
def _introducer(node: exp.Introducer) -> str:
    return printed_expression(node.expression)


@_of
def _negative(node: exp.Neg) -> str:
    return f"-{node.this.name}" if isinstance(node.this, exp.Literal) else f"-({printed_expression(node.this)})"


@_of
def _infix(node: exp.Binary) -> str:
    symbol = OPERATORS.get(type(node)) or _WORDS.get(type(node))
    if symbol is None:
        raise unsupported(node, "in SHOW CREATE TABLE")
    return f"({printed_expression(node.left)} {symbol} {printed_expression(node.right)})"


@_of
def _collated(node: exp.Collate) -> str:
    return f"({printed_expression(node.this)} collate {node.expression.name.lower()})"


@_of
def _in(node: exp.In) -> str:
    if node.args.get("query") is not None:
        raise unsupported(node, "in SHOW CREATE TABLE")
    return f"({printed_expression(node.this)} in ({_several(node.expressions)}))"


@_of
def _between(node: exp.Between) -> str:
    bounds = f"{printed_expression(node.args['low'])} and {printed_expression(node.args['high'])}"
    return f"({printed_expression(node.this)} between {bounds})"


@_of
def _is(node: exp.Is) -> str:
    return f"({printed_expression(node.this)} is {_truth(node)})"


def _truth(node: exp.Is) -> str:
    return "null" if isinstance(node.expression, exp.Null) else printed(node.expression).lower()


@_of
def _not(node: exp.Not) -> str:
    """NOT IN, NOT LIKE, NOT BETWEEN and IS NOT, which are one operator each."""
    inner = node.this.unnest()
    for kind, word in ((exp.In, " in "), (exp.Like, " like "), (exp.Between, " between ")):
        if isinstance(inner, kind):
            return printed_expression(inner).replace(word, f" not{word}", 1)
    if isinstance(inner, exp.Is):
        return f"({printed_expression(inner.this)} is not {_truth(inner)})"
    raise unsupported(node, "in SHOW CREATE TABLE")


@_of
def _case(node: exp.Case) -> str:
    value = f" {printed_expression(node.this)}" if node.this is not None else ""
    branches = [(printed_expression(each.this), printed_expression(each.args["true"])) for each in node.args["ifs"]]
    shown = "".join(f" when {condition} then {result}" for condition, result in branches)
    default = node.args.get("default")
    return f"(case{value}{shown}{f' else {printed_expression(default)}' if default is not None else ''} end)"


@_of
def _extracted(node: exp.JSONExtract) -> str:
    return f"json_extract({printed_expression(node.this)},{_path(node.expression)})"


@_of
def _extracted_text(node: exp.JSONExtractScalar) -> str:
    return f"json_unquote(json_extract({printed_expression(node.this)},{_path(node.expression)}))"


def _path(node: exp.Expr) -> str:
    if isinstance(node, exp.Literal):
        return printed_expression(node)
    return f"_utf8mb4'{_escaped(node.sql('mysql').strip(chr(39)))}'"


@_of
def _json_value(node: exp.JSONValue) -> str:
    if node.args.get("on_condition") is not None:
        raise unsupported(node, "in SHOW CREATE TABLE")
    returning = node.args.get("returning")
    kind = returning.sql("mysql").lower() if returning else "char(512)"
    kind = {"bigint": "signed", "bigint unsigned": "unsigned", "ubigint": "unsigned"}.get(kind, kind)
    return f"json_value({printed_expression(node.this)}, {_path(node.args['path'])} returning {kind})"


@_of
def _today(_: exp.CurrentDate) -> str:
    return "curdate()"


@_of
def _named(node: exp.Anonymous) -> str:
    name = node.name.lower()
    return _call(_OTHER_NAMES.get(name, name), node.expressions)


@_of
def _if(node: exp.If) -> str:
    return _call("if", [node.this, node.args["true"], node.args["false"]])


@_of
def _cast(node: exp.Cast) -> str:
    array = node.to.this is exp.DataType.Type.ARRAY
    kind = _element(node.to.expressions[0]) if array else _integer(node.to)
    if not kind:
        raise unsupported(node, "in SHOW CREATE TABLE")
    return f"cast({printed_expression(node.this)} as {kind}{' array' if array else ''})"


def _integer(kind: exp.DataType) -> str:
    if kind.this in exp.DataType.UNSIGNED_INTEGER_TYPES:
        return "unsigned"
    return "signed" if kind.this in exp.DataType.SIGNED_INTEGER_TYPES else ""


def _element(kind: exp.DataType) -> str:
    """The type of the elements of an array."""
    numbers = ", ".join(each.name for each in kind.expressions)
    if kind.this is exp.DataType.Type.DECIMAL:
        numbers = {0: "10, 0", 1: f"{numbers}, 0"}.get(len(kind.expressions), numbers)
    return _integer(kind) or kind.this.name.lower() + (f"({numbers})" if numbers else "")


@_of
def _coalesce(node: exp.Coalesce) -> str:
    return _call("ifnull" if node.meta.get("ifnull") else "coalesce", [node.this, *node.expressions])


@_of(exp.Lower | exp.Upper | exp.Length | exp.Abs | exp.Least | exp.Greatest)
def _function(node: exp.Func) -> str:
    return _call(node.key, [node.this, *node.expressions])


@_of
def _concat(node: exp.Concat) -> str:
    return _call("concat", node.expressions)


def _call(name: str, arguments: Iterable[exp.Expr]) -> str:
    return f"{name}({_several(arguments)})"


def _several(nodes: Iterable[exp.Expr]) -> str:
    return ",".join(printed_expression(each) for each in nodes)
