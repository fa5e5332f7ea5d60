"""The declarations of CREATE TABLE and ALTER TABLE: columns, keys, foreign keys, checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.column_types import column_type
from chatsim.innodb.sql.expressions import Context, Env, Scope, unsupported
from chatsim.innodb.storage.column_types import BadValueError, Enumeration
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.values import Value

__all__ = ["KeyDeclaration", "ReferenceDeclaration", "TableDeclaration", "column_name", "declare", "not_null"]

_HARMLESS = (
    *(exp.NotNullColumnConstraint, exp.CollateColumnConstraint),
    *(exp.CommentColumnConstraint, exp.CharacterSetColumnConstraint),
)

Now: TypeAlias = "Callable[[], Value]"


@dataclass
class KeyDeclaration:
    """The declaration of an index."""

    name: str
    columns: list[str]
    unique: bool = False
    primary: bool = False


@dataclass
class ReferenceDeclaration:
    """The declaration of a foreign key."""

    name: str
    columns: list[str]
    node: exp.Reference


@dataclass
class TableDeclaration:
    """The declarations of a table so far."""

    columns: list[Column] = field(default_factory=list)
    keys: list[KeyDeclaration] = field(default_factory=list)
    references: list[ReferenceDeclaration] = field(default_factory=list)
    checks: list[tuple[str, exp.Expr]] = field(default_factory=list)


def declare(declared: TableDeclaration, item: exp.Expr, collation: str, context: Context) -> None:
    """Add one item of a declaration: a column, a key, a foreign key or a check.

    Args:
        declared: the declarations so far.
        item: the item.
        collation: the collation of texts, if the item has none.
        context: the session, for defaults.

    Raises:
        NotImplementedError: the model does not have what it declares.
        DatabaseError: a column can't store its default (1067).
    """
    if isinstance(item, exp.ColumnDef):
        _declare_column(declared, item, collation, context)
        return
    name = ""
    if isinstance(item, exp.Constraint):
        name, (item, *_) = item.name, item.expressions
    match item:
        case exp.PrimaryKey():
            declared.keys.append(
                KeyDeclaration("PRIMARY", [column_name(each) for each in item.expressions], primary=True, unique=True)
            )
        case exp.IndexColumnConstraint() if not item.args.get("kind") and not _is_invisible(item):
            declared.keys.append(KeyDeclaration(item.name, [column_name(each) for each in item.expressions]))
        case exp.UniqueColumnConstraint():
            columns = item.this.expressions if isinstance(item.this, exp.Schema) else [item.this]
            called = item.this.this.name if isinstance(item.this, exp.Schema) and item.this.this else name
            declared.keys.append(KeyDeclaration(called, [column_name(each) for each in columns], unique=True))
        case exp.ForeignKey():
            columns = [each.name for each in item.expressions]
            declared.references.append(ReferenceDeclaration(name, columns, item.args["reference"]))
        case exp.CheckColumnConstraint():
            declared.checks.append((name, item.this))
        case _:
            raise unsupported(item)


def _is_invisible(node: exp.IndexColumnConstraint) -> bool:
    return any(each.args.get("visible") is False for each in node.args.get("options") or ())


def _declare_column(declared: TableDeclaration, node: exp.ColumnDef, collation: str, context: Context) -> None:
    name, kind = node.name, node.args.get("kind")
    if kind is None:
        raise unsupported(node)
    column = Column(name, column_type(kind, collation), nullable=True)
    for constraint in node.args.get("constraints") or ():
        column = _constrained(declared, column, constraint.kind, context)
        if isinstance(constraint.kind, exp.CollateColumnConstraint):
            column = replace(column, type=column_type(kind, constraint.kind.this.name))
    declared.columns.append(column)


def _constrained(declared: TableDeclaration, column: Column, constraint: exp.Expr, context: Context) -> Column:
    match constraint:
        case exp.NotNullColumnConstraint() if not constraint.args.get("allow_null"):
            return not_null(column)
        case exp.AutoIncrementColumnConstraint():
            return replace(column, auto_increment=True, nullable=False)
        case exp.PrimaryKeyColumnConstraint():
            declared.keys.insert(0, KeyDeclaration("PRIMARY", [column.name], unique=True, primary=True))
            return not_null(column)
        case exp.UniqueColumnConstraint():
            declared.keys.append(KeyDeclaration(column.name, [column.name], unique=True))
        case exp.DefaultColumnConstraint():
            return replace(column, default=_default(column, constraint.this, context), has_default=True)
        case exp.OnUpdateColumnConstraint():
            return replace(column, on_update=_moment(column, context))
        case exp.CheckColumnConstraint():
            declared.checks.append(("", constraint.this))
        case _ if not isinstance(constraint, _HARMLESS):
            raise unsupported(constraint)
    return column


def not_null(column: Column) -> Column:
    """The column with NOT NULL, and without the default NULL."""
    default = column.default
    if default is None and isinstance(column.type, Enumeration):
        default = column.type.zero  # that is its implicit default
    return replace(column, nullable=False, default=default, has_default=default is not None)


def _default(column: Column, node: exp.Expr, context: Context) -> Value | Now:
    if isinstance(node, exp.CurrentTimestamp) or (isinstance(node, exp.Anonymous) and node.name.upper() == "NOW"):
        return _moment(column, context)
    value = cast("Value", Scope().compile(node)(Env(context, ())))
    try:
        return None if value is None else column.type.store(value)
    except BadValueError:
        raise database_error(1067, f"Invalid default value for '{column.name}'") from None


def _moment(column: Column, context: Context) -> Now:
    return lambda: column.type.store(context.now())


def column_name(node: exp.Expr) -> str:
    """The column of a key part. Raises `NotImplementedError` if the part is more than a column."""
    if isinstance(node, exp.Ordered):
        if node.args.get("desc"):
            raise unsupported(node, "an index in descending order")
        return column_name(node.this)
    if isinstance(node, exp.Column | exp.Identifier):
        return node.name
    raise unsupported(node, "in an index")
