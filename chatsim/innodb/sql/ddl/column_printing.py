"""Columns as DESCRIBE shows them: their types and their defaults."""

from __future__ import annotations

from sqlglot import exp

from chatsim.innodb.sql.syntax import ColumnSyntax, TypeSyntax

__all__ = ["printed_default", "printed_type"]

_NAMES = {
    "INTEGER": "int",
    "DEC": "decimal",
    "NUMERIC": "decimal",
    "FIXED": "decimal",
    "REAL": "double",
    "BOOL": "tinyint",
    "BOOLEAN": "tinyint",
    "CHARACTER": "char",
    "SERIAL": "bigint",
}
_WIDTHS = {"tinyint": 3, "smallint": 5, "mediumint": 8, "int": 10, "bigint": 20}
_WITHOUT_WIDTH = ("smallint", "mediumint", "int", "bigint", "year")


def printed_type(said: TypeSyntax) -> str:
    """A type in small letters, as the server writes it."""
    name = _NAMES.get(said.name, said.name.lower())
    numbers: tuple[int | str, ...] = said.numbers
    if said.name in ("BOOL", "BOOLEAN"):
        numbers = (1,)
    elif name == "decimal":
        numbers = (*said.numbers, 10, 0)[:2] if not said.numbers else (*said.numbers, 0)[:2]
    elif name in ("char", "binary", "bit") and not numbers:
        numbers = (1,)
    if said.zerofill and name in _WIDTHS:
        numbers = said.numbers or (_WIDTHS[name],)
    elif name in _WITHOUT_WIDTH or (name == "tinyint" and numbers != (1,)):
        numbers = ()
    if said.members:
        numbers = tuple("'" + each.replace("'", "''") + "'" for each in said.members)
    shown = f"{name}({','.join(map(str, numbers))})" if numbers else name
    if said.zerofill:
        return f"{shown} unsigned zerofill"
    return f"{shown} unsigned" if said.unsigned or said.name == "SERIAL" else shown


def printed_default(said: ColumnSyntax) -> str | None:
    """A default as the server writes it; None for NULL, and for none."""
    default = said.default
    if default is None or isinstance(default, exp.Null):
        return None
    if isinstance(default, exp.Literal):
        return default.name
    return default.sql("mysql").removesuffix("()")
