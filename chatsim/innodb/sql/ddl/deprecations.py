"""The warnings of definitions about what the server will not have for ever: manual, "Numeric Type Syntax"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chatsim.innodb.sql.syntax import AddColumn, ChangeColumn, ColumnSyntax, TypeSyntax

__all__ = ["deprecations"]

_INTEGERS = ("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT")
_ROUNDED = ("FLOAT", "DOUBLE")
_WIDTH = "Integer display width is deprecated and will be removed in a future release."
_ZEROFILL = (
    "The ZEROFILL attribute is deprecated and will be removed in a future release. Use the LPAD function to zero-pad"
    " numbers, or store the formatted numbers in a CHAR column."
)
_UNSIGNED = (
    "UNSIGNED for decimal and floating point data types is deprecated and support for it will be removed in a future"
    " release."
)
_DIGITS = (
    "Specifying number of digits for floating point data types is deprecated and will be removed in a future release."
)
_BINARY = (
    "'BINARY as attribute of a type' is deprecated and will be removed in a future release. Please use a CHARACTER SET"
    " clause with _bin collation instead"
)
_YEAR = "'YEAR(4)' is deprecated and will be removed in a future release. Please use YEAR instead"
_UTF8 = (
    "'utf8' is currently an alias for the character set UTF8MB3, but will be an alias for UTF8MB4 in a future release."
    " Please consider using UTF8MB4 in order to be unambiguous."
)


def deprecations(items: Iterable[object]) -> list[tuple[int, str]]:
    """The warnings about the types of columns among the items of a table, or the actions of ALTER TABLE."""
    columns = [each.column if isinstance(each, AddColumn | ChangeColumn) else each for each in items]
    return [each for column in columns if isinstance(column, ColumnSyntax) for each in _of_type(column.type)]


def _of_type(kind: TypeSyntax) -> Iterator[tuple[int, str]]:
    if kind.zerofill:
        yield 1681, _ZEROFILL
    if kind.name in _INTEGERS and kind.numbers:
        yield 1681, _WIDTH
    if kind.unsigned and kind.name in (*_ROUNDED, "DECIMAL"):
        yield 1681, _UNSIGNED
    if kind.name in _ROUNDED and len(kind.numbers) > 1:
        yield 1681, _DIGITS
    if kind.binary:
        yield 1287, _BINARY
    if kind.name == "YEAR" and kind.numbers:
        yield 1287, _YEAR
    if kind.charset.lower() == "utf8":
        yield 3719, _UTF8
