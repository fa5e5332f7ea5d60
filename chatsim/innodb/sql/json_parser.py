"""Parsing the functions of JSON documents that have a syntax of their own: JSON_VALUE and JSON_TABLE."""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from chatsim.innodb.sql.json_syntax import JsonColumn, NestedColumns, Otherwise

__all__ = ["columns_of", "parse_json_objects", "parse_json_table", "parse_json_value", "place_json_tables"]

_COLUMNS = "columns"
"""Where a call of JSON_TABLE has what it says of its columns."""


def columns_of(call: exp.Expr) -> tuple[JsonColumn | NestedColumns, ...] | None:
    """The columns of a call of JSON_TABLE; None of anything else."""
    found: tuple[JsonColumn | NestedColumns, ...] | None = call.meta.get(_COLUMNS)
    return found


def place_json_tables(statement: exp.Expr) -> None:
    """Put a lateral table in the place of each JSON_TABLE, since its document may be one of the tables before it."""
    for table in list(statement.find_all(exp.Table)):
        if columns_of(table.this) is not None:
            made = exp.Lateral(this=table.this, alias=table.args.get("alias"))
            if table.args.get("joins"):
                made.set("joins", table.args["joins"])
            table.replace(made)


def parse_json_value(parser: Any) -> exp.Expr:
    """Parse what is in the parentheses of JSON_VALUE."""
    document = parser._parse_bitwise()  # noqa: SLF001
    parser._match(TokenType.COMMA)  # noqa: SLF001
    path = parser._parse_bitwise()  # noqa: SLF001
    node = exp.JSONValue(this=document, path=path)
    if parser._match(TokenType.RETURNING):  # noqa: SLF001
        node.set("returning", parser._parse_types())  # noqa: SLF001
    node.set("on_condition", parser._parse_on_condition())  # noqa: SLF001
    return node


def parse_json_objects(parser: Any) -> exp.Expr:
    """Parse what is in the parentheses of JSON_OBJECTAGG."""
    return exp.JSONObjectAgg(expressions=parser._parse_csv(parser._parse_assignment))  # noqa: SLF001


def parse_json_table(parser: Any) -> exp.Expr:
    """Parse what is in the parentheses of JSON_TABLE."""
    document = parser._parse_bitwise()  # noqa: SLF001
    parser._match(TokenType.COMMA)  # noqa: SLF001
    call = exp.Anonymous(this="JSON_TABLE", expressions=[document, exp.Literal.string(_path(parser))])
    call.meta[_COLUMNS] = _columns(parser)
    return call


def _columns(parser: Any) -> tuple[JsonColumn | NestedColumns, ...]:
    if not parser._match_text_seq("COLUMNS"):  # noqa: SLF001
        parser.raise_error("JSON_TABLE without COLUMNS")
    parser._match_l_paren()  # noqa: SLF001
    found = parser._parse_csv(lambda: _column(parser))  # noqa: SLF001
    parser._match_r_paren()  # noqa: SLF001
    return tuple(found)


def _column(parser: Any) -> JsonColumn | NestedColumns:
    if parser._match_text_seq("NESTED"):  # noqa: SLF001
        parser._match_text_seq("PATH")  # noqa: SLF001
        return NestedColumns(_path(parser), _columns(parser))
    name = parser._parse_id_var().name  # noqa: SLF001
    if parser._match_text_seq("FOR", "ORDINALITY"):  # noqa: SLF001
        return JsonColumn(name)
    kind = parser._parse_types()  # noqa: SLF001
    if parser._match_text_seq("COLLATE") or parser._match_text_seq("CHARACTER", "SET"):  # noqa: SLF001
        raise NotImplementedError("the model's SQL has no COLLATE in JSON_TABLE()")
    exists = bool(parser._match_text_seq("EXISTS"))  # noqa: SLF001
    if kind is None or not parser._match_text_seq("PATH"):  # noqa: SLF001
        parser.raise_error("a column of JSON_TABLE without PATH")
    path = _path(parser)
    condition = parser._parse_on_condition()  # noqa: SLF001
    said = condition.args if condition is not None else {}
    return JsonColumn(name, kind, path, exists, _otherwise(said.get("empty")), _otherwise(said.get("error")))


def _path(parser: Any) -> str:
    node = parser._parse_primary()  # noqa: SLF001
    if not isinstance(node, exp.Literal) or not node.is_string:
        parser.raise_error("a path that is no text")
    return node.name if isinstance(node, exp.Literal) else ""


def _otherwise(said: Any) -> Otherwise:
    """What is given in place of a value: NULL, a text, or an error."""
    if isinstance(said, exp.Literal):
        return Otherwise(default=said.name)
    return Otherwise(fails=isinstance(said, str) and said.startswith("ERROR"))
