"""Parsing definitions: CREATE TABLE, CREATE INDEX, ALTER TABLE, RENAME TABLE, DROP TABLE, DROP INDEX.

Source: manual, "Data Definition Statements".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlglot import exp

from chatsim.innodb.sql import syntax
from chatsim.innodb.sql.declaration_parser import DeclarationParser

__all__ = ["DefinitionParser"]

_ACTIONS = (
    *("ADD", "DROP", "MODIFY", "CHANGE", "RENAME", "ALTER", "CONVERT", "ORDER BY", "FORCE"),
    *("DISABLE KEYS", "ENABLE KEYS"),
)
"""The first words of the actions of ALTER TABLE."""

_REFUSED = (
    *("DISCARD", "IMPORT", "COALESCE", "EXCHANGE", "ANALYZE", "CHECK", "OPTIMIZE"),
    *("REBUILD", "REPAIR", "UPGRADE", "SECONDARY_LOAD", "SECONDARY_UNLOAD", "WITH", "WITHOUT"),
)
"""Actions of ALTER TABLE that the model does not have."""


class DefinitionParser(DeclarationParser):
    """The part of the model's parser that reads statements about tables and indexes."""

    def create_table(self, *, temporary: bool = False) -> exp.Expr:
        """CREATE TABLE, from the name on."""
        exists = self._say("IF", "NOT", "EXISTS")
        name = self._table_named()
        declared = syntax.TableSyntax(exists=exists, temporary=temporary)
        if self._say("LIKE"):
            return self._created(name, replace(declared, like=self._table_named()))
        if self._curr and self._curr.text == "(":
            if self._next and self._next.text.upper() == "LIKE":
                self._advance(2)
                declared = replace(declared, like=self._table_named())
                self._need(")")
                return self._created(name, declared)
            if not (self._next and self._next.text.upper() in ("SELECT", "WITH")):
                declared = replace(declared, items=self._list(self._item))
        declared = replace(declared, options=self._options(), partitioning=self._partitioning())
        declared = replace(declared, duplicates=self._one_of("IGNORE", "REPLACE"))
        self._say("AS")
        query = self._parse_statement() if self._curr else None
        return self._created(name, declared, query)

    def _created(self, name: str, declared: syntax.TableSyntax, query: exp.Expr | None = None) -> exp.Expr:
        return syntax.CreateTable(this=self._table_node(name), declared=declared, expression=query)

    def create_view(self, *, replaces: bool = False) -> exp.Expr:
        """CREATE VIEW, from the word before this one on, or behind OR REPLACE."""
        if not replaces:
            self._retreat(self._index - 1)
        algorithm = ""
        while not self._say("VIEW"):
            if self._say("ALGORITHM"):
                self._say("=")
                algorithm = self._one_of("UNDEFINED", "MERGE", "TEMPTABLE")
            elif self._say("SQL", "SECURITY"):
                self._one_of("DEFINER", "INVOKER")
            elif self._say("DEFINER"):
                self._say("=")
                while self._curr and self._curr.text.upper() not in ("SQL", "VIEW"):
                    self._advance()
            else:
                self.raise_error("Expecting VIEW")
        exists = self._say("IF", "NOT", "EXISTS")
        if exists:
            raise NotImplementedError("the model's SQL has no CREATE VIEW IF NOT EXISTS")
        name = self._table_named()
        names = self._list(self._named) if self._curr and self._curr.text == "(" else ()
        self._need("AS")
        query = self._parse_statement()
        checks = False
        if self._say("WITH"):
            self._one_of("CASCADED", "LOCAL")
            self._need("CHECK")
            self._need("OPTION")
            checks = True
        return syntax.CreateView(
            this=self._table_node(name),
            names=tuple(names),
            expression=query,
            replace=replaces,
            algorithm=algorithm,
            checks=checks,
        )

    def alter_view(self) -> exp.Expr:
        """ALTER VIEW, from the word before this one on."""
        view = self.create_view()
        view.set("alters", True)  # noqa: FBT003
        return view

    def drop_views(self) -> exp.Expr:
        """DROP VIEW, from the names on."""
        exists = self._say("IF", "EXISTS")
        names = [self._table_named()]
        while self._say(","):
            names.append(self._table_named())
        self._one_of("RESTRICT", "CASCADE")
        return syntax.DropViews(names=names, exists=exists)

    def create_index(self, kind: str = "INDEX") -> exp.Expr:
        """CREATE INDEX, from the name on."""
        name = self._named()
        self._using()
        self._need("ON")
        table = self._table_named()
        key = self._key_options(syntax.KeySyntax(kind, name, self._list(self._part)))
        options = self._options(())
        return syntax.AlterTable(this=self._table_node(table), actions=[syntax.AddItem(key)], options=options)

    def drop_index(self) -> exp.Expr:
        """DROP INDEX, from the name on."""
        name = self._named()
        self._need("ON")
        table = self._table_named()
        options, dropped = self._options(()), syntax.DropItem("INDEX", name)
        return syntax.AlterTable(this=self._table_node(table), actions=[dropped], options=options)

    def drop_tables(self, *, temporary: bool = False) -> exp.Expr:
        """DROP TABLE, from the names on."""
        exists = self._say("IF", "EXISTS")
        names = [self._table_named()]
        while self._say(","):
            names.append(self._table_named())
        self._one_of("RESTRICT", "CASCADE")
        return syntax.DropTables(names=names, exists=exists, temporary=temporary)

    def rename_tables(self) -> exp.Expr:
        """RENAME TABLE, from the names on."""
        pairs = []
        while True:
            name = self._table_named()
            self._need("TO")
            pairs.append((name, self._table_named()))
            if not self._say(","):
                return syntax.RenameTables(pairs=pairs)

    def alter_table(self) -> exp.Expr:
        """ALTER TABLE, from the name on."""
        name = self._table_named()
        actions: list[Any] = []
        options: dict[str, str] = {}
        more = bool(self._curr)
        while more:
            found = self._actions()
            if found:
                actions += found
            else:
                options |= self._options((",", "PARTITION", "PARTITION BY"))
            more = self._say(",")
            if more and not self._curr:
                self.raise_error("Expecting an action")
            if self._curr and not more:
                raise NotImplementedError(f"the model's SQL has no ALTER TABLE … {self._curr.text.upper()}")
        return syntax.AlterTable(this=self._table_node(name), actions=actions, options=options)

    def _table_node(self, name: str) -> exp.Table:
        return exp.Table(this=exp.to_identifier(name, quoted=True))

    def _actions(self) -> list[Any]:
        """The action of ALTER TABLE that comes next; several for ADD of several columns; none for a table option."""
        if (partitions := self._changed_partitions()) is not None:
            return [partitions]
        if word := self._one_of(*_REFUSED):
            raise NotImplementedError(f"the model's SQL has no ALTER TABLE … {word}")
        word = self._one_of(*_ACTIONS)
        match word:
            case "ADD":
                return self._added()
            case "CONVERT" | "ORDER BY":
                raise NotImplementedError(f"the model's SQL has no ALTER TABLE … {word}")
            case "FORCE" | "":  # or a table option
                return []
        one: dict[str, Callable[[], Any]] = {
            "DROP": self._dropped,
            "MODIFY": lambda: self._modified(renames=False),
            "CHANGE": lambda: self._modified(renames=True),
            "RENAME": self._renamed,
            "ALTER": self._changed,
        }
        return [one.get(word, syntax.SwitchKeys)()]

    def _changed_partitions(self) -> syntax.ChangePartitions | None:
        """The action about partitions that comes next, if one does."""
        if (partitioning := self._partitioning()) is not None:
            return syntax.ChangePartitions("BY", partitioning=partitioning)
        if self._say("REMOVE", "PARTITIONING"):
            return syntax.ChangePartitions("REMOVE")
        if self._say("ADD", "PARTITION"):
            if not self._curr or self._curr.text != "(":
                raise NotImplementedError("the model's SQL has no ALTER TABLE … ADD PARTITION PARTITIONS")
            return syntax.ChangePartitions("ADD", partitions=self._list(self._partition))
        for how in ("DROP", "TRUNCATE", "REORGANIZE"):
            if self._say(how, "PARTITION"):
                names = self._partition_names()
                if how != "REORGANIZE":
                    return syntax.ChangePartitions(how, names)
                self._need("INTO")
                return syntax.ChangePartitions(how, names, self._list(self._partition))
        return None

    def _partition_names(self) -> tuple[str, ...]:
        """Names of partitions; none for ALL."""
        if self._say("ALL"):
            return ()
        names = [self._named()]
        while self._say(","):
            names.append(self._named())
        return tuple(names)

    def _modified(self, *, renames: bool) -> syntax.ChangeColumn:
        self._say("COLUMN")
        name = self._named()
        column = self._column_definition() if renames else self._column_named(name)
        return syntax.ChangeColumn(name, column, self._place())

    def _added(self) -> list[Any]:
        if (item := self._key_or_constraint()) is not None:
            return [syntax.AddItem(item)]
        self._say("COLUMN")
        if self._curr and self._curr.text == "(":
            items = self._list(self._item)
            return [
                syntax.AddColumn(each) if isinstance(each, syntax.ColumnSyntax) else syntax.AddItem(each)
                for each in items
            ]
        return [syntax.AddColumn(self._column_definition(), self._place())]

    def _place(self) -> str | None:
        if self._say("FIRST"):
            return ""
        return self._named() if self._say("AFTER") else None

    def _dropped(self) -> Any:
        if self._say("PRIMARY", "KEY"):
            return syntax.DropItem("PRIMARY")
        if self._say("FOREIGN", "KEY"):
            return syntax.DropItem("FOREIGN", self._named())
        kind = self._one_of("INDEX", "KEY", "CHECK", "CONSTRAINT")
        if kind:
            return syntax.DropItem("INDEX" if kind == "KEY" else kind, self._named())
        self._say("COLUMN")
        return syntax.DropColumn(self._named())

    def _renamed(self) -> Any:
        if kind := self._one_of("COLUMN", "INDEX", "KEY"):
            name = self._named()
            self._need("TO")
            return (syntax.RenameColumn if kind == "COLUMN" else syntax.RenameIndex)(name, self._named())
        self._one_of("TO", "AS")
        return syntax.RenameTable(self._table_named())

    def _changed(self) -> Any:
        kind = self._one_of("INDEX", "CHECK", "CONSTRAINT")
        if not kind:
            self._say("COLUMN")
        name = self._named()
        if kind in ("CHECK", "CONSTRAINT"):
            raise NotImplementedError(f"the model's SQL has no ALTER TABLE … ALTER {kind}")
        if self._say("DROP", "DEFAULT"):
            return syntax.SetDefault(name, None)
        if not kind and self._say("SET", "DEFAULT"):
            return syntax.SetDefault(name, self._default_value())
        self._say("SET")
        return syntax.SetVisible(kind or "COLUMN", name, visible=self._one_of("VISIBLE", "INVISIBLE") == "VISIBLE")
