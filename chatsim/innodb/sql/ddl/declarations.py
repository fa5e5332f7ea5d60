"""The declarations of a table, checked: columns, keys, foreign keys, CHECK constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.column_types import column_type
from chatsim.innodb.sql.expressions import Context, Env, Scope, unsupported
from chatsim.innodb.sql.syntax import CheckSyntax, ColumnSyntax, ForeignKeySyntax, Item, KeyPart, KeySyntax
from chatsim.innodb.storage.collations import Collation
from chatsim.innodb.storage.column_types import BadValueError, Binary, Enumeration, Integer, Json, Moment, Text
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.values import Value

__all__ = ["TableDeclaration", "check_primary_key", "declare", "not_null", "plain_key"]

Now: TypeAlias = "Callable[[Context], Value]"


@dataclass
class TableDeclaration:
    """The declarations of a table so far.

    Attributes:
        columns: its columns.
        keys: its keys.
        references: its foreign keys.
        checks: its CHECK constraints.
        generated: the expressions of generated columns, by the number of the column.
    """

    columns: list[Column] = field(default_factory=list)
    keys: list[KeySyntax] = field(default_factory=list)
    references: list[ForeignKeySyntax] = field(default_factory=list)
    checks: list[CheckSyntax] = field(default_factory=list)
    generated: dict[int, exp.Expr] = field(default_factory=dict)


def declare(items: Sequence[Item], collation: Collation, context: Context) -> TableDeclaration:
    """The declarations of a table.

    Args:
        items: what CREATE TABLE says.
        collation: the collation of texts that declare none.
        context: the session, for defaults.

    Raises:
        NotImplementedError: the model does not have what one declares.
        DatabaseError: one is not valid.
    """
    declared = TableDeclaration()
    for item in items:
        match item:
            case ColumnSyntax():
                _declare_column(declared, item, collation, context)
            case KeySyntax(kind="SPATIAL"):
                raise unsupported("SPATIAL index")
            case KeySyntax():
                declared.keys.append(item)
            case ForeignKeySyntax():
                declared.references.append(item)
            case CheckSyntax():
                declared.checks.append(item)
    return declared


def check_primary_key(items: Iterable[Item], said: Iterable[ColumnSyntax]) -> None:
    """Refuse NULL, and NULL as a default value, for columns of the primary key.

    Args:
        items: the columns and keys of a table.
        said: the columns that the statement declares.

    Raises:
        DatabaseError: it is said of one (1171).
    """
    names = set[str]()
    for each in items:
        if isinstance(each, KeySyntax) and each.kind == "PRIMARY":
            names |= {part.column.lower() for part in each.parts}
    for column in said:
        allowed = column.nullable or (column.name.lower() in names and isinstance(column.default, exp.Null))
        if allowed and (column.name.lower() in names or column.key == "PRIMARY"):
            message = "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use UNIQUE instead"
            raise database_error(1171, message)


def plain_key(kind: str, name: str, *columns: str) -> KeySyntax:
    """A key of columns."""
    return KeySyntax(kind, name, tuple(KeyPart(each) for each in columns))


def _declare_column(declared: TableDeclaration, said: ColumnSyntax, collation: Collation, context: Context) -> None:
    column = Column(said.name, column_type(said.type, collation), nullable=True, visible=said.visible)
    if said.nullable is False or said.key == "PRIMARY":
        column = not_null(column)
    if said.auto_increment:
        if not isinstance(column.type, Integer):
            raise database_error(1063, f"Incorrect column specifier for column '{said.name}'")
        column = replace(column, auto_increment=True, nullable=False, default=None, has_default=False)
    if said.default is not None:
        column = _with_default(column, said.default, context)
    if said.on_update is not None:
        column = replace(column, on_update=_moment(column))
    if said.generated is not None:
        if said.default is not None or said.auto_increment:
            raise database_error(1221, "Incorrect usage of DEFAULT and generated column")
        declared.generated[len(declared.columns)] = said.generated
        column = replace(column, virtual=not said.stored)
    _declare_key(declared, said)
    for item in said.items:
        if isinstance(item, CheckSyntax):
            declared.checks.append(item)
        else:
            declared.references.append(item)
    declared.columns.append(column)


def _declare_key(declared: TableDeclaration, said: ColumnSyntax) -> None:
    if said.key == "PRIMARY":
        declared.keys.insert(0, plain_key("PRIMARY", "PRIMARY", said.name))
    elif said.key:
        declared.keys.append(plain_key("UNIQUE", "", said.name))


def not_null(column: Column) -> Column:
    """The column with NOT NULL, and without the default NULL."""
    default = column.default
    if default is None and isinstance(column.type, Enumeration):
        default = column.type.zero  # that is its implicit default
    return replace(column, nullable=False, default=default, has_default=default is not None)


def _with_default(column: Column, node: exp.Expr, context: Context) -> Column:
    if isinstance(node, exp.Null) and not column.nullable:
        raise database_error(1067, f"Invalid default value for '{column.name}'")
    long = isinstance(column.type, Json) or (isinstance(column.type, Text | Binary) and column.type.long)
    if long and not isinstance(node, exp.Paren | exp.Null):
        message = f"BLOB, TEXT, GEOMETRY or JSON column '{column.name}' can't have a default value"
        raise database_error(1101, message)
    return replace(column, default=_default(column, node, context), has_default=True)


def _default(column: Column, node: exp.Expr, context: Context) -> Value | Now:
    if isinstance(node, exp.CurrentTimestamp) or (isinstance(node, exp.Anonymous) and node.name.upper() == "NOW"):
        return _moment(column)
    if node.find(exp.Column) is not None:
        raise unsupported(node, "a default that names columns")
    compiled = Scope().compile(node)
    if isinstance(node, exp.Paren):
        return lambda session: column.type.store(compiled(Env(session, ())))
    value = cast("Value", compiled(Env(context, ())))
    try:
        return None if value is None else column.type.store(value)
    except BadValueError as error:
        if error.harmless:
            return error.kept
        raise database_error(1067, f"Invalid default value for '{column.name}'") from None


def _moment(column: Column) -> Now:
    digits = column.type.digits or 0 if isinstance(column.type, Moment) else 0
    return lambda session: column.type.store(session.now(digits))
