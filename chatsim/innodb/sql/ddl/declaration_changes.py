"""The declaration of a table after the actions of an ALTER TABLE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import TypeVar

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql import syntax
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.tables import ForeignKey, OrphanedKey, Table

__all__ = ["Edited", "edit"]

T = TypeVar("T")

_OPERATION = ("ALGORITHM", "LOCK")
"""How the change is made: here it takes effect at once in any case."""


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
    """

    table: Table
    declared: syntax.TableSyntax
    sources: dict[str, str] = field(default_factory=dict)
    rename: str = ""
    checks_rows: bool = False
    emptied: frozenset[str] = frozenset()
    counts_rows: bool = False

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

    def is_stored(self, name: str) -> bool:
        """Whether a column is a stored generated column."""
        column = self.column(name)
        return column is not None and column.stored

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
    return edited


def _missing(name: str) -> DatabaseError:
    return database_error(1091, f"Can't DROP '{name}'; check that column/key exists")


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
    elif isinstance(item, syntax.CheckSyntax):
        edited.checks_rows = True
    edited.items = [*edited.items, item]


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
        raise _missing(name)
    if isinstance(found, syntax.KeySyntax):
        _check_not_needed(edited, found)
    edited.items = [each for each in edited.items if each is not found]


def _named(edited: Edited, name: str, wanted: Callable[[syntax.Item], bool]) -> syntax.Item | None:
    """The key or constraint of a name, which the server may have given it."""
    table, numbers = edited.table.name, {syntax.ForeignKeySyntax: 0, syntax.CheckSyntax: 0}
    for item in edited.items:
        called = "" if isinstance(item, syntax.ColumnSyntax) else item.name
        if isinstance(item, syntax.ForeignKeySyntax | syntax.CheckSyntax) and not called:
            numbers[type(item)] += 1
            middle = "ibfk" if isinstance(item, syntax.ForeignKeySyntax) else "chk"
            called = f"{table}_{middle}_{numbers[type(item)]}"
        if called and called.lower() == name.lower() and wanted(item):
            return item
    return None


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
