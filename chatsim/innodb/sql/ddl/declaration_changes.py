"""The declaration of a table after the actions of an ALTER TABLE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import TypeVar

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql import syntax
from chatsim.innodb.sql.ddl.declarations import check_primary_key
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.tables import ForeignKey, OrphanedKey, Table

__all__ = ["Edited", "edit"]

T = TypeVar("T")

_WITH_COLUMN = (syntax.AddColumn, syntax.ChangeColumn)

_OPERATION = ("ALGORITHM", "LOCK")
"""How the change is made, which says nothing about the table."""


@dataclass
class Edited:
    """A declaration that is being changed.

    Attributes:
        table: the table that has it.
        declared: the declaration.
        sources: the old names of columns, by the new ones, in lower case.
        rename: the table's new name, or "".
        checks_rows: whether rows have to be checked anew.
        emptied: the names of the partitions whose rows go, in lower case.
        counts_rows: whether the server says how many rows it has copied.
        adds_reference: whether the table gets a foreign key.
        dropped: the columns that are dropped, in lower case.
        renamed: the old names of columns that have others, in lower case.
    """

    table: Table
    declared: syntax.TableSyntax
    sources: dict[str, str] = field(default_factory=dict)
    rename: str = ""
    checks_rows: bool = False
    emptied: frozenset[str] = frozenset()
    counts_rows: bool = False
    adds_reference: bool = False
    dropped: set[str] = field(default_factory=set)
    renamed: set[str] = field(default_factory=set)

    @property
    def items(self) -> list[syntax.Item]:
        """The columns, keys and constraints."""
        return list(self.declared.items)

    @items.setter
    def items(self, items: Sequence[syntax.Item]) -> None:
        self.declared = replace(self.declared, items=tuple(items))

    def columns(self) -> list[syntax.ColumnSyntax]:
        """The columns."""
        return [each for each in self.items if isinstance(each, syntax.ColumnSyntax)]

    def column(self, name: str) -> syntax.ColumnSyntax | None:
        """The column of a name."""
        return next((each for each in self.columns() if each.name.lower() == name.lower()), None)

    def key(self, name: str) -> syntax.KeySyntax | None:
        """The key of a name."""
        keys = (each for each in self.items if isinstance(each, syntax.KeySyntax))
        return next((each for each in keys if each.name.lower() == name.lower()), None)

    def is_computed(self, name: str) -> bool:
        """Whether rows get the value of an added column one by one: a stored generated one, or a default expression."""
        column = self.column(name)
        return column is not None and (column.stored or isinstance(column.default, exp.Paren))

    def replaced(self, old: syntax.Item, new: syntax.Item) -> None:
        """Put one item in the place of another one."""
        self.items = [new if each is old else each for each in self.items]


def edit(table: Table, actions: Sequence[object], options: Mapping[str, str]) -> Edited:
    """The declaration of a table after an ALTER TABLE.

    Raises:
        NotImplementedError: the model can't do it.
        DatabaseError: there is no such column or key, or there is one already.
    """
    kept = {name: value for name, value in options.items() if name not in _OPERATION}
    before = table.declared
    edited = Edited(table, replace(before, options={**before.options, **kept}))
    edited.sources = {each.name.lower(): each.name.lower() for each in edited.columns()}
    for action in sorted(actions, key=lambda each: not isinstance(each, syntax.DropColumn | syntax.DropItem)):
        apply(action, edited)
    check_primary_key(edited.items, (each.column for each in actions if isinstance(each, _WITH_COLUMN)))
    _drop_checks(edited)
    _check_dependents(edited)
    return edited


def _drop_checks(edited: Edited) -> None:
    """Drop the CHECK constraints that name nothing but one column, which is dropped."""
    edited.items = [
        each
        for each in edited.items
        if not isinstance(each, syntax.CheckSyntax) or _names(each.condition) not in [{name} for name in edited.dropped]
    ]


def _check_dependents(edited: Edited) -> None:
    """Refuse to drop or rename columns that expressions name. Raises a `DatabaseError` (3108, 3837, 3959)."""
    gone = edited.dropped | edited.renamed
    for each in sorted(edited.items, key=lambda item: not isinstance(item, syntax.CheckSyntax)) if gone else ():
        match each:
            case syntax.ColumnSyntax() if each.generated is not None and (name := _first(each.generated, gone)):
                raise database_error(3108, f"Column '{name}' has a generated column dependency.")
            case syntax.CheckSyntax() if name := _first(each.condition, gone):
                called = _name_of(edited, each)
                message = (
                    f"Check constraint '{called}' uses column '{name}', hence column cannot be dropped or renamed."
                )
                raise database_error(3959, message)
            case syntax.KeySyntax():
                expressions = [part.expression for part in each.parts if part.expression is not None]
                if name := next(filter(None, (_first(part, gone) for part in expressions)), ""):
                    message = f"Column '{name}' has a functional index dependency and cannot be dropped or renamed."
                    raise database_error(3837, message)


def _names(node: exp.Expr) -> set[str]:
    return {each.name.lower() for each in node.find_all(exp.Column)}


def _first(node: exp.Expr, wanted: set[str]) -> str:
    """The first of some columns that an expression names, or ""."""
    return next((each.name for each in node.find_all(exp.Column) if each.name.lower() in wanted), "")


def _missing(name: str) -> DatabaseError:
    return database_error(1091, f"Can't DROP '{name}'; check that column/key exists")


def _missing_constraint(kind: str, name: str) -> DatabaseError:
    if kind == "CHECK":
        return database_error(3821, f"Check constraint '{name}' is not found in the table.")
    if kind == "CONSTRAINT":
        return database_error(3940, f"Constraint '{name}' does not exist.")
    return _missing(name)


def _unknown(name: str, table: Table) -> DatabaseError:
    return database_error(1054, f"Unknown column '{name}' in '{table.name}'")


@singledispatch
def apply(action: object, _: Edited) -> None:
    """Change a declaration as one action says."""
    raise unsupported(f"ALTER TABLE with {type(action).__name__}")


@apply.register
def _add_column(action: syntax.AddColumn, edited: Edited) -> None:
    name = action.column.name.lower()
    if edited.column(name) is not None:
        raise database_error(1060, f"Duplicate column name '{action.column.name}'")
    edited.sources.pop(name, None)
    for each in action.column.items:
        _note_constraint(edited, each)
    _place(edited, action.column, action.after)


def _place(edited: Edited, column: syntax.ColumnSyntax, after: str | None) -> None:
    """Put a column into its place."""
    items = edited.items
    if after == "":
        edited.items = [column, *items]
        return
    at = len(edited.columns())
    if after is not None:
        found = edited.column(after)
        if found is None:
            raise _unknown(after, edited.table)
        at = items.index(found) + 1
    edited.items = [*items[:at], column, *items[at:]]


@apply.register
def _change_column(action: syntax.ChangeColumn, edited: Edited) -> None:
    old = edited.column(action.name)
    if old is None:
        raise _unknown(action.name, edited.table)
    _rename(edited, action.name, action.column.name)
    old = edited.column(action.column.name)
    assert old is not None
    column = replace(action.column, items=(*old.items, *action.column.items))
    if action.after is None:
        edited.replaced(old, column)
        return
    edited.items = [each for each in edited.items if each is not old]
    _place(edited, column, action.after)


@apply.register
def _rename_column(action: syntax.RenameColumn, edited: Edited) -> None:
    if edited.column(action.name) is None:
        raise _unknown(action.name, edited.table)
    _rename(edited, action.name, action.to)


def _rename(edited: Edited, name: str, to: str) -> None:
    """Give a column another name, also in keys."""
    if name == to:
        return
    if name.lower() != to.lower() and edited.column(to) is not None:
        raise database_error(1060, f"Duplicate column name '{to}'")
    old = edited.column(name)
    assert old is not None
    edited.renamed.add(name.lower())
    source = edited.sources.pop(name.lower(), None)
    if source is not None:
        edited.sources[to.lower()] = source
    items: list[syntax.Item] = []
    for each in edited.items:
        match each:
            case syntax.ColumnSyntax() if each is old:
                items.append(replace(each, name=to))
            case syntax.KeySyntax():
                parts = tuple(
                    replace(part, column=to) if part.column.lower() == name.lower() else part for part in each.parts
                )
                items.append(replace(each, parts=parts))
            case syntax.ForeignKeySyntax():
                columns = tuple(to if column.lower() == name.lower() else column for column in each.columns)
                items.append(replace(each, columns=columns))
            case _:
                items.append(each)
    edited.items = items


@apply.register
def _drop_column(action: syntax.DropColumn, edited: Edited) -> None:
    column = edited.column(action.name)
    if column is None:
        raise _missing(action.name)
    name = column.name.lower()
    number = edited.table.numbers[name]
    constraints: list[ForeignKey | OrphanedKey] = [*edited.table.parents, *edited.table.orphaned]
    for constraint in constraints:
        if number in constraint.columns:
            message = f"Cannot drop column '{column.name}': needed in a foreign key constraint '{constraint.name}'"
            raise database_error(1828, message)
    edited.sources.pop(name, None)
    edited.dropped.add(name)
    items: list[syntax.Item] = []
    for each in edited.items:
        if isinstance(each, syntax.KeySyntax):
            parts = tuple(part for part in each.parts if part.column.lower() != name)
            if parts:
                items.append(replace(each, parts=parts))
        elif each is not column:
            items.append(each)
    if not any(isinstance(each, syntax.ColumnSyntax) for each in items):
        raise database_error(1090, "You can't delete all columns with ALTER TABLE; use DROP TABLE instead")
    edited.items = items


@apply.register
def _add_item(action: syntax.AddItem, edited: Edited) -> None:
    item = action.item
    if isinstance(item, syntax.KeySyntax):
        if item.kind == "PRIMARY" and edited.key("PRIMARY") is not None:
            raise database_error(1068, "Multiple primary key defined")
        if item.name and edited.key(item.name) is not None:
            raise database_error(1061, f"Duplicate key name '{item.name}'")
    _note_constraint(edited, item)
    edited.items = [*edited.items, item]


def _note_constraint(edited: Edited, item: syntax.Item) -> None:
    """Note that rows have to be looked at, if an added constraint is about them."""
    edited.checks_rows = edited.checks_rows or isinstance(item, syntax.CheckSyntax)
    edited.adds_reference = edited.adds_reference or isinstance(item, syntax.ForeignKeySyntax)


@apply.register
def _drop_item(action: syntax.DropItem, edited: Edited) -> None:
    kinds: dict[str, tuple[type[syntax.Item], ...]] = {
        "PRIMARY": (syntax.KeySyntax,),
        "INDEX": (syntax.KeySyntax,),
        "FOREIGN": (syntax.ForeignKeySyntax,),
        "CHECK": (syntax.CheckSyntax,),
        "CONSTRAINT": (syntax.KeySyntax, syntax.ForeignKeySyntax, syntax.CheckSyntax),
    }
    name = "PRIMARY" if action.kind == "PRIMARY" else action.name
    found = _named(edited, name, lambda item: isinstance(item, kinds[action.kind]))
    if found is None:
        raise _missing_constraint(action.kind, name)
    if isinstance(found, syntax.KeySyntax):
        _check_not_needed(edited, found)
    edited.items = [each for each in edited.items if each is not found]


def _named(edited: Edited, name: str, wanted: Callable[[syntax.Item], bool]) -> syntax.Item | None:
    """The key or constraint of a name, which the server may have given it."""
    found = (each for each in edited.items if wanted(each) and _name_of(edited, each).lower() == name.lower())
    return next(found, None)


def _name_of(edited: Edited, item: syntax.Item) -> str:
    """The name of a key or constraint; the one that the server has given it, if the declaration has none."""
    if isinstance(item, syntax.ColumnSyntax):
        return ""
    if item.name or isinstance(item, syntax.KeySyntax):
        return item.name
    alike = [each for each in edited.items if isinstance(each, type(item)) and not each.name]
    middle = "ibfk" if isinstance(item, syntax.ForeignKeySyntax) else "chk"
    number = next(at for at, each in enumerate(alike, start=1) if each is item)
    return f"{edited.table.name}_{middle}_{number}"


def _check_not_needed(edited: Edited, key: syntax.KeySyntax) -> None:
    """Refuse to drop an index that a foreign key needs."""
    others = [each for each in edited.items if isinstance(each, syntax.KeySyntax) and each is not key]
    for item in edited.items:
        if isinstance(item, syntax.ForeignKeySyntax):
            wanted = [each.lower() for each in item.columns]
            begins = [[part.column.lower() for part in each.parts[: len(wanted)]] == wanted for each in (key, *others)]
            if begins[0] and not any(begins[1:]):
                raise database_error(1553, f"Cannot drop index '{key.name}': needed in a foreign key constraint")


@apply.register
def _rename_index(action: syntax.RenameIndex, edited: Edited) -> None:
    key = edited.key(action.name)
    if key is None:
        raise database_error(1176, f"Key '{action.name}' doesn't exist in table '{edited.table.name}'")
    if action.name.lower() != action.to.lower() and edited.key(action.to) is not None:
        raise database_error(1061, f"Duplicate key name '{action.to}'")
    edited.replaced(key, replace(key, name=action.to))


@apply.register
def _rename_table(action: syntax.RenameTable, edited: Edited) -> None:
    edited.rename = action.to


@apply.register
def _switch_keys(_: syntax.SwitchKeys, __: Edited) -> None:
    """Nothing changes."""


@apply.register
def _set_default(action: syntax.SetDefault, edited: Edited) -> None:
    column = edited.column(action.column)
    if column is None:
        raise _unknown(action.column, edited.table)
    edited.replaced(column, replace(column, default=action.default))


@apply.register
def _set_visible(action: syntax.SetVisible, edited: Edited) -> None:
    if action.kind == "INDEX":
        key = edited.key(action.name)
        if key is None:
            raise database_error(1176, f"Key '{action.name}' doesn't exist in table '{edited.table.name}'")
        edited.replaced(key, replace(key, visible=action.visible))
        return
    column = edited.column(action.name)
    if column is None:
        raise _unknown(action.name, edited.table)
    edited.replaced(column, replace(column, visible=action.visible))
