"""The shapes that drawn tables have: kinds of keys, of columns and of partitions."""

from __future__ import annotations

from typing import Any

from chatsim.conformance.generation.columns import (
    AMOUNT,
    BINARY_TEXT,
    DAY,
    DOCUMENT,
    FIXED_TEXT,
    LABEL,
    LONG_TEXT,
    MANY_NUMBERS,
    MOMENT,
    TEXT,
    ColumnType,
    Draw,
    DrawnColumn,
    one_in,
    pick,
)
from chatsim.conformance.generation.tables import DrawnKey, DrawnTable, TableShape

__all__ = ["RARE_SHAPES", "SHAPES", "draw_tables"]


def _never_null(name: str, kind: ColumnType | None = None) -> DrawnColumn:
    return DrawnColumn(name, kind, nullable=False) if kind else DrawnColumn(name, nullable=False)


def _primary(*columns: DrawnColumn) -> DrawnKey:
    return DrawnKey(columns, unique=True, name="PRIMARY")


def _key(*columns: DrawnColumn, parts: tuple[str, ...] = ()) -> DrawnKey:
    return DrawnKey(columns, parts=parts)


def _unique(*columns: DrawnColumn, parts: tuple[str, ...] = ()) -> DrawnKey:
    return DrawnKey(columns, unique=True, parts=parts)


ID, A, B, N, W = (_never_null(name) for name in ("id", "a", "b", "n", "w"))
U, K, M, C, P, V = (DrawnColumn(name) for name in "ukmcpv")
K_NOT_NULL, U_NOT_NULL, AUTO_ID = _never_null("k"), _never_null("u"), DrawnColumn("id", nullable=False, auto=True)
WIDE = DrawnColumn("w")

_KEYS_OF_NUMBERS = (
    TableShape((ID, U, K, V), (_primary(ID), _unique(U), _key(K))),
    TableShape((A, B, C, V), (_primary(A, B), _key(C, B))),
    TableShape((ID, U_NOT_NULL, WIDE, V), (_primary(ID), _unique(U_NOT_NULL), _unique(WIDE, U_NOT_NULL))),
    TableShape((K, U, V), (_key(K), _unique(U))),
    TableShape((ID, K, M, V), (_primary(ID), _key(K), _key(M))),
    TableShape((ID, K_NOT_NULL, N, V), (_primary(ID), _key(K_NOT_NULL), _unique(K_NOT_NULL, N))),
    TableShape((AUTO_ID, U, V), (_primary(AUTO_ID), _unique(U))),
    TableShape((ID, K, U, V), (_primary(ID), _key(K, U, parts=("k DESC", "u")), _unique(U, parts=("u DESC",)))),
)
_TEXT_KEY, _TEXT = _never_null("n", TEXT), DrawnColumn("m", TEXT)
_BINARY, _FIXED = DrawnColumn("n", BINARY_TEXT), DrawnColumn("m", FIXED_TEXT)
_LABEL, _AMOUNT = DrawnColumn("e", LABEL), DrawnColumn("d", AMOUNT)
_DAY, _MOMENT = _never_null("day", DAY), DrawnColumn("at", MOMENT)
_VIRTUAL, _STORED = DrawnColumn("g", generated="(v % 3)"), DrawnColumn("h", generated="(k + 1) STORED")
_SUM = DrawnColumn("({0}k + {0}v)")
_DOCUMENT = DrawnColumn("j", DOCUMENT)
_OF_DOCUMENT = DrawnColumn("CAST({0}j->>'$.a' AS SIGNED)")
_KINDS_OF_COLUMNS = (
    TableShape((_TEXT_KEY, _TEXT, U, V), (_primary(_TEXT_KEY), _key(_TEXT), _unique(U))),
    TableShape((ID, _BINARY, _FIXED, V), (_primary(ID), _key(_BINARY, parts=("n(1)",)), _unique(_FIXED))),
    TableShape((ID, _LABEL, _AMOUNT, V), (_primary(ID), _key(_LABEL), _unique(_AMOUNT))),
    TableShape((_DAY, _MOMENT, K, V), (_primary(_DAY), _key(_MOMENT, K))),
    TableShape((ID, K, _VIRTUAL, _STORED, V), (_primary(ID), _key(_VIRTUAL), _key(_STORED))),
)
_WITH_EXPRESSIONS = (
    TableShape((ID, K, V), (_primary(ID), DrawnKey((_SUM,), name="by_sum", parts=("(k + v)",)))),
    TableShape(
        (ID, _DOCUMENT, V),
        (_primary(ID), DrawnKey((_OF_DOCUMENT,), name="by_a", parts=("(CAST(j->>'$.a' AS SIGNED))",))),
    ),
)
_RANGES = (
    " PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (4), PARTITION mid VALUES LESS THAN (7),"
    " PARTITION top VALUES LESS THAN MAXVALUE)"
)
_PARTITIONED = (
    TableShape((ID, K, V), (_primary(ID), _key(K)), partitions=" PARTITION BY HASH (id) PARTITIONS 3"),
    TableShape((ID, K, V), (_primary(ID), _key(K)), partitions=_RANGES),
)
_NUMBER_OF_MANY, _KEY_OF_MANY = _never_null("id", MANY_NUMBERS), DrawnColumn("k", MANY_NUMBERS)
_OF_SEVERAL_PAGES = (
    TableShape(
        (_NUMBER_OF_MANY, _KEY_OF_MANY, DrawnColumn("f", LONG_TEXT), V),
        (_primary(_NUMBER_OF_MANY), _key(_KEY_OF_MANY)),
        long=True,
    ),
)
SHAPES = (*_KEYS_OF_NUMBERS, *_KINDS_OF_COLUMNS, *_OF_SEVERAL_PAGES)
RARE_SHAPES = (*_PARTITIONED, *_WITH_EXPRESSIONS)
"""Those whose plans the model is known to choose otherwise sometimes (docs/statements.md)."""

_PARENT = TableShape((ID, V), (_primary(ID),))
_REFERENCE = "CONSTRAINT of_{name} FOREIGN KEY (p) REFERENCES {parent} (id){action}"
_ACTIONS = ("", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON UPDATE CASCADE", " ON UPDATE SET NULL")


def draw_tables(draw: Draw[Any], *, foreign_keys: bool) -> list[DrawnTable]:
    """One or two tables; a parent and its child, with ``foreign_keys`` always, and without it sometimes."""
    if foreign_keys or one_in(draw, 12):
        more = _REFERENCE.format(name="s", parent="t", action=pick(draw, *_ACTIONS))
        child = TableShape((ID, P, V), (_primary(ID), _key(P)), (more,))
        return [DrawnTable("t", _PARENT), DrawnTable("s", child)]
    names = "ts" if not one_in(draw, 3) else "t"
    return [DrawnTable(name, pick(draw, *(RARE_SHAPES if one_in(draw, 20) else SHAPES))) for name in names]
