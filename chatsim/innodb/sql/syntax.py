"""The syntax of definitions: what CREATE TABLE, ALTER TABLE and the like have said, before anything is checked.

`definition_parser` makes these values of a text, `ddl` makes tables of them. Expressions in them are sqlglot's trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from sqlglot import exp

__all__ = [
    "AddColumn",
    "AddItem",
    "AlterTable",
    "ChangeColumn",
    "ChangePartitions",
    "CheckSyntax",
    "ColumnSyntax",
    "CreateTable",
    "Definition",
    "DropColumn",
    "DropItem",
    "DropTables",
    "ForeignKeySyntax",
    "Item",
    "KeyPart",
    "KeySyntax",
    "PartitionSyntax",
    "PartitioningSyntax",
    "RenameColumn",
    "RenameIndex",
    "RenameTable",
    "RenameTables",
    "SetDefault",
    "SetVisible",
    "SwitchKeys",
    "TableSyntax",
    "TypeSyntax",
]


@dataclass(frozen=True)
class TypeSyntax:
    """A data type.

    Attributes:
        name: its name, in upper case; of several words, the first one's short form.
        numbers: the numbers in parentheses.
        members: the texts in parentheses, of ENUM and SET.
        unsigned: UNSIGNED or ZEROFILL.
        zerofill: ZEROFILL.
        charset: its character set, or "".
        collation: its collation, or "".
        binary: BINARY behind a text: the collation is the character set's binary one.
    """

    name: str
    numbers: tuple[int, ...] = ()
    members: tuple[str, ...] = ()
    unsigned: bool = False
    zerofill: bool = False
    charset: str = ""
    collation: str = ""
    binary: bool = False


@dataclass(frozen=True)
class KeyPart:
    """A part of a key: a column, a prefix of one, or an expression."""

    column: str = ""
    length: int = 0
    expression: exp.Expr | None = None
    descending: bool = False


@dataclass(frozen=True)
class KeySyntax:
    """An index.

    Attributes:
        kind: PRIMARY, UNIQUE, INDEX, FULLTEXT or SPATIAL.
        name: its name, or "".
        parts: its parts.
        visible: whether the optimizer may use it.
        comment: its comment.
        using: BTREE if that is said, else "".
    """

    kind: str
    name: str
    parts: tuple[KeyPart, ...]
    visible: bool = True
    comment: str = ""
    using: str = ""


@dataclass(frozen=True)
class ForeignKeySyntax:
    """A foreign key. The rules are RESTRICT, CASCADE, SET NULL, NO ACTION or SET DEFAULT."""

    name: str
    index: str
    columns: tuple[str, ...]
    table: str
    parent_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


@dataclass(frozen=True)
class CheckSyntax:
    """A CHECK constraint."""

    name: str
    condition: exp.Expr
    enforced: bool = True


@dataclass(frozen=True)
class ColumnSyntax:
    """A column.

    Attributes:
        name: its name.
        type: its data type.
        nullable: whether NULL or NOT NULL was said; None if neither was.
        default: the default value; None without one.
        on_update: whether it is set to the current time by every update.
        auto_increment: whether it is AUTO_INCREMENT.
        key: PRIMARY or UNIQUE, or "".
        generated: the expression of a generated column.
        stored: whether a generated column is stored.
        visible: whether ``SELECT *`` shows it.
        comment: its comment.
        items: its CHECK constraints and its foreign keys.
    """

    name: str
    type: TypeSyntax
    nullable: bool | None = None
    default: exp.Expr | None = None
    on_update: exp.Expr | None = None
    auto_increment: bool = False
    key: str = ""
    generated: exp.Expr | None = None
    stored: bool = False
    visible: bool = True
    comment: str = ""
    items: tuple[CheckSyntax | ForeignKeySyntax, ...] = ()


Item: TypeAlias = ColumnSyntax | KeySyntax | ForeignKeySyntax | CheckSyntax


@dataclass(frozen=True)
class PartitionSyntax:
    """One partition.

    Attributes:
        name: its name.
        less_than: its upper bound, of RANGE; None for MAXVALUE, in RANGE COLUMNS for each column.
        values: its values, of LIST; in LIST COLUMNS a row of values each.
    """

    name: str
    less_than: tuple[exp.Expr | None, ...] = ()
    values: tuple[tuple[exp.Expr, ...], ...] = ()


@dataclass(frozen=True)
class PartitioningSyntax:
    """PARTITION BY.

    Attributes:
        kind: HASH, KEY, RANGE or LIST.
        expression: what is partitioned by, of HASH, and of RANGE and LIST without COLUMNS.
        columns: the columns, of KEY and of RANGE COLUMNS and LIST COLUMNS.
        count: the number of partitions, if it is given.
        partitions: the partitions that are given.
        algorithm: of KEY.
        linear: of HASH and KEY, whether a power of two takes the place of the number of partitions.
    """

    kind: str
    expression: exp.Expr | None = None
    columns: tuple[str, ...] = ()
    count: int = 0
    partitions: tuple[PartitionSyntax, ...] = ()
    algorithm: int = 2
    linear: bool = False


@dataclass(frozen=True)
class ChangePartitions:
    """An action of ALTER TABLE about partitions.

    Attributes:
        how: ADD, DROP, TRUNCATE, REORGANIZE, BY or REMOVE.
        names: the partitions that it is about; none is all of them.
        partitions: those that come in their place, or behind the others.
        partitioning: of BY, how the table is divided.
    """

    how: str
    names: tuple[str, ...] = ()
    partitions: tuple[PartitionSyntax, ...] = ()
    partitioning: PartitioningSyntax | None = None


# -- statements


class Definition(exp.Expression):
    """A statement that defines something; its parts are values, and not trees."""

    arg_types: ClassVar = {"this": True}


class CreateView(Definition):
    """CREATE VIEW and ALTER VIEW: the name, the `names` of columns, the query, and what is said about it."""

    arg_types: ClassVar = {
        "this": True,
        "names": False,
        "expression": True,
        "replace": False,
        "algorithm": False,
        "checks": False,
        "alters": False,
    }


class DropViews(Definition):
    """DROP VIEW: the `names`, and whether they may be missing."""

    arg_types: ClassVar = {"names": True, "exists": False}


class CreateTable(Definition):
    """CREATE TABLE: the name, and the value `declared`."""

    arg_types: ClassVar = {"this": True, "declared": True, "expression": False, "names": False}


class AlterTable(Definition):
    """ALTER TABLE, CREATE INDEX or DROP INDEX: the table, its `actions`, and its table `options`."""

    arg_types: ClassVar = {"this": True, "actions": True, "options": True}


class RenameTables(Definition):
    """RENAME TABLE: the list `pairs` of old and new names."""

    arg_types: ClassVar = {"pairs": True}


class DropTables(Definition):
    """DROP TABLE: the list `names`; whether only those that `exists`; only `temporary` ones."""

    arg_types: ClassVar = {"names": True, "exists": True, "temporary": True}


@dataclass(frozen=True)
class TableSyntax:
    """What CREATE TABLE has said, but for its name and its query.

    Attributes:
        items: columns, keys and constraints.
        options: the table options, by their names in capital letters.
        partitioning: PARTITION BY.
        exists: IF NOT EXISTS.
        temporary: TEMPORARY.
        like: the table of LIKE, or "".
        duplicates: IGNORE or REPLACE, before the query.
    """

    items: tuple[Item, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    partitioning: PartitioningSyntax | None = None
    exists: bool = False
    temporary: bool = False
    like: str = ""
    duplicates: str = ""


# -- the actions of ALTER TABLE


@dataclass(frozen=True)
class AddColumn:
    """ADD COLUMN. It comes at the end, first (``after`` is ""), or behind another column."""

    column: ColumnSyntax
    after: str | None = None


@dataclass(frozen=True)
class AddItem:
    """ADD of a key or a constraint."""

    item: KeySyntax | ForeignKeySyntax | CheckSyntax


@dataclass(frozen=True)
class ChangeColumn:
    """MODIFY COLUMN or CHANGE COLUMN."""

    name: str
    column: ColumnSyntax
    after: str | None = None


@dataclass(frozen=True)
class DropColumn:
    """DROP COLUMN."""

    name: str


@dataclass(frozen=True)
class DropItem:
    """DROP of something else: PRIMARY, INDEX, FOREIGN, CHECK, CONSTRAINT."""

    kind: str
    name: str = ""


@dataclass(frozen=True)
class RenameColumn:
    """RENAME COLUMN."""

    name: str
    to: str


@dataclass(frozen=True)
class RenameIndex:
    """RENAME INDEX."""

    name: str
    to: str


@dataclass(frozen=True)
class RenameTable:
    """RENAME TO."""

    to: str


@dataclass(frozen=True)
class SwitchKeys:
    """DISABLE KEYS or ENABLE KEYS, which InnoDB does not have."""


@dataclass(frozen=True)
class SetDefault:
    """ALTER COLUMN … SET DEFAULT, or DROP DEFAULT."""

    column: str
    default: exp.Expr | None


@dataclass(frozen=True)
class SetVisible:
    """ALTER INDEX or ALTER COLUMN … VISIBLE, INVISIBLE."""

    kind: Sequence[str]
    name: str
    visible: bool
