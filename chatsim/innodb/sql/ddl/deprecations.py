"""The warnings of definitions about what the server will not have for ever: manual, "Numeric Type Syntax"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chatsim.innodb.sql.syntax import AddColumn, ChangeColumn, ColumnSyntax, KeySyntax, TypeSyntax

__all__ = ["deprecations", "of_characters"]

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
_OF_UTF8 = (
    "is a collation of the deprecated character set UTF8MB3. Please consider using UTF8MB4 with an appropriate"
    " collation instead."
)
_HASH = "This storage engine does not support the HASH index algorithm, storage engine default was used instead."


def deprecations(items: Iterable[object], options: Mapping[str, str] | None = None) -> list[tuple[int, str]]:
    """The warnings about the columns, keys and options of a table, or about the actions of ALTER TABLE."""
    found: list[tuple[int, str]] = []
    for each in items:
        item = each.column if isinstance(each, AddColumn | ChangeColumn) else each
        if isinstance(item, ColumnSyntax):
            found += _of_type(item.type)
        elif isinstance(item, KeySyntax) and item.using == "HASH":
            found.append((3502, _HASH))
    given = options or {}
    return [*found, *of_characters(given.get("CHARSET", ""), given.get("COLLATE", ""))]


def of_characters(charset: str, collation: str) -> Iterator[tuple[int, str]]:
    """The warnings about a character set and a collation."""
    if charset.lower() == "utf8":
        yield 3719, _UTF8
    if charset.lower() == "utf8mb3":
        yield 1287, "'utf8mb3' is deprecated and will be removed in a future release. Please use utf8mb4 instead"
    if (name := collation.lower()).startswith(("utf8_", "utf8mb3_")):
        yield 3778, f"'{name.replace('utf8_', 'utf8mb3_')}' {_OF_UTF8}"


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
    yield from of_characters(kind.charset, kind.collation)
