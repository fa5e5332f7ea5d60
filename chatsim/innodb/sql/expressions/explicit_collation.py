"""COLLATE in expressions: the collation that it names wins over those of columns (manual, "Collation Coercibility")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.collations import CONNECTION, Collation, collation_named
from chatsim.innodb.storage.column_types import Binary, ColumnType, Text

__all__ = ["check_collation", "explicit_type", "is_collated_as", "is_found_by_codes"]

_PLAIN = (exp.Column, exp.Literal, exp.Placeholder)
"""The most frequent operands: there is no COLLATE in them."""

_TYPICAL_TEXT = 30

_CHARSETS = frozenset(
    """armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 dec8 eucjpms euckr gb18030 gb2312
    gbk geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1 latin2 latin5 latin7 macce macroman sjis swe7 tis620 ucs2
    ujis utf16 utf16le utf32 utf8mb3 utf8mb4""".split()  # noqa: SIM905
)
"""The character sets of the server: a collation begins with the name of one."""


def explicit_type(*nodes: exp.Expr) -> Text | Binary | None:
    """A type with the collation that is named in expressions; None if there is none.

    Raises:
        NotImplementedError: the model does not have the collation.
        DatabaseError: there is no such collation (1273), or two different ones are named (1267).
    """
    found = {each.name: each for node in nodes if not isinstance(node, _PLAIN) for each in _named_in(node)}
    if not found:
        return None
    if len(found) > 1:
        first, second = list(found)[:2]
        raise database_error(1267, f"Illegal mix of collations ({first},EXPLICIT) and ({second},EXPLICIT)")
    (collation,) = found.values()
    if collation.charset == "binary":
        return Binary(_TYPICAL_TEXT, 255)
    return Text(_TYPICAL_TEXT, 255, collation)


def check_collation(node: exp.Collate, kind: ColumnType | None) -> None:
    """Check that a COLLATE belongs to the character set of what it stands behind.

    Args:
        node: the COLLATE.
        kind: the type of what it stands behind.

    Raises:
        NotImplementedError: the model does not have the collation.
        DatabaseError: there is no such collation (1273), or it is one of another character set (1253).
    """
    wanted = _collation(node)
    charset = CONNECTION.charset
    if isinstance(node.this, exp.Introducer):
        charset = node.this.name.lower().removeprefix("_")
    elif isinstance(kind, Text):
        charset = kind.collation.charset
    elif isinstance(kind, Binary):
        charset = "binary"
    if wanted.charset != charset:
        raise database_error(1253, f"COLLATION '{wanted.name}' is not valid for CHARACTER SET '{charset}'")


def is_collated_as(own: ColumnType, explicit: ColumnType) -> bool:
    """Whether a column has the collation that COLLATE names."""
    return isinstance(own, Text) and isinstance(explicit, Text) and own.collation == explicit.collation


def is_found_by_codes(explicit: ColumnType | None, operator: str) -> bool:
    """Whether ranges of any index have what a comparison by COLLATE finds.

    What has the same codes is equal by every collation (in the server: ``MY_CS_BINSORT``).
    """
    return isinstance(explicit, Text) and explicit.collation.binary and operator in ("=", "<=>", "in")


def _named_in(node: exp.Expr) -> Iterator[Collation]:
    """The collations that decide about an expression's value, if it is a text."""
    if isinstance(node, exp.Collate):
        yield _collation(node)
    elif isinstance(node, exp.Paren | exp.Alias | exp.Func) and not isinstance(node, exp.Connector | exp.Cast):
        yield from _named_in_all(node.iter_expressions())


def _named_in_all(nodes: Iterable[exp.Expr]) -> Iterator[Collation]:
    for each in nodes:
        yield from _named_in(each)


def _collation(node: exp.Collate) -> Collation:
    name = node.expression.name.lower()
    found = collation_named(name) if "_" in name or name == "binary" else None
    if found is None:
        if name.partition("_")[0] in _CHARSETS and "_" in name:
            raise NotImplementedError(f"the model's SQL has no collation {name}")
        raise database_error(1273, f"Unknown collation: '{node.expression.name}'")
    return found
