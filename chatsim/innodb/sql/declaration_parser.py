"""Parsing declarations: columns, keys, constraints, table options and partitions.

sqlglot's parser knows only some of what SHOW CREATE TABLE prints, so they are parsed here, into the values of
`chatsim.innodb.sql.syntax`; its tokenizer and its parser of expressions are used. Source: manual, "CREATE TABLE
Statement".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from sqlglot import exp
from sqlglot.parsers.mysql import MySQLParser
from sqlglot.tokenizer_core import TokenType

from chatsim.innodb.sql import syntax

__all__ = ["DeclarationParser"]

T = TypeVar("T")

_QUOTED = (TokenType.IDENTIFIER, TokenType.STRING)
_SHORT = {
    "DOUBLE PRECISION": "DOUBLE",
    "REAL": "DOUBLE",
    "CHARACTER VARYING": "VARCHAR",
    "CHARACTER": "CHAR",
    "INTEGER": "INT",
    "NUMERIC": "DECIMAL",
    "DEC": "DECIMAL",
    "FIXED": "DECIMAL",
    "BOOLEAN": "BOOL",
    "INT1": "TINYINT",
    "INT2": "SMALLINT",
    "INT3": "MEDIUMINT",
    "INT4": "INT",
    "INT8": "BIGINT",
    "FLOAT4": "FLOAT",
    "FLOAT8": "DOUBLE",
    "NVARCHAR": "VARCHAR",
    "NCHAR": "CHAR",
}
_WITHOUT_EFFECT = ("COLUMN_FORMAT", "STORAGE", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE")
_END_OF_OPTIONS = ("PARTITION", "PARTITION BY", "AS", "SELECT", "WITH", "TABLE", "VALUES", "IGNORE", "REPLACE", "(")


class DeclarationParser(MySQLParser):
    """The part of the model's parser that reads declarations of columns, keys, constraints, options and partitions."""

    # -- words

    def _say(self, *words: str) -> bool:
        """Whether the next words are these, in capital letters and not quoted; they are passed then."""
        start, at = self._index, 0
        while at < len(words):
            token = self._curr
            parts = tuple(token.text.upper().split()) if token and token.token_type not in _QUOTED else ()
            if not parts or parts != words[at : at + len(parts)]:
                self._retreat(start)
                return False
            at += len(parts)
            self._advance()
        return True

    def _one_of(self, *words: str) -> str:
        """The one of several words that comes next, if one does, else ""; it is passed."""
        return next((each for each in words if self._say(*each.split())), "")

    def _need(self, *words: str) -> None:
        if not self._say(*words):
            self.raise_error(f"Expecting {' '.join(words)}")

    def _named(self) -> str:
        """A name, quoted or not."""
        token = self._curr
        word = bool(token) and (token.text[:1].isalnum() or token.text[:1] in ("_", "$"))
        if not token or token.token_type is TokenType.STRING or not (word or token.token_type is TokenType.IDENTIFIER):
            self.raise_error("Expecting a name")
        self._advance()
        return str(token.text)

    def _table_named(self) -> str:
        """The name of a table; those of schemas are refused."""
        name = self._named()
        if self._say("."):
            raise NotImplementedError(f"the model's SQL has no names of schemas: {name}.{self._named()}")
        return name

    def _text(self) -> str:
        """A text in quotes, or the word that stands in its place."""
        token = self._curr
        if not token:
            self.raise_error("Expecting a value")
        self._advance()
        return str(token.text)

    def _list(self, item: Callable[[], T]) -> tuple[T, ...]:
        """Items in parentheses, separated by commas."""
        self._need("(")
        found = [item()]
        while self._say(","):
            found.append(item())
        self._need(")")
        return tuple(found)

    def _expression(self) -> exp.Expr:
        found = self._parse_assignment()
        if found is None:
            self.raise_error("Expecting an expression")
            raise AssertionError
        return found

    def _in_parentheses(self) -> exp.Expr:
        self._need("(")
        found = self._expression()
        self._need(")")
        return found

    # -- columns

    def _column_definition(self) -> syntax.ColumnSyntax:
        return self._column_named(self._named())

    def _column_named(self, name: str) -> syntax.ColumnSyntax:
        """The column of this name, whose declaration follows."""
        column = syntax.ColumnSyntax(name, self._type())
        if column.type.name == "SERIAL":
            number = syntax.TypeSyntax("BIGINT", unsigned=True)
            column = replace(column, type=number, nullable=False, auto_increment=True, key="UNIQUE")
        while (changed := self._with_attribute(column)) is not None:
            column = changed
        return column

    def _type(self) -> syntax.TypeSyntax:
        word = self._text().upper()
        if word == "LONG":
            word = "MEDIUMBLOB" if self._one_of("VARBINARY") else "MEDIUMTEXT"
            self._one_of("VARCHAR")
        if word in ("NATIONAL", "NCHAR", "NVARCHAR"):
            raise NotImplementedError(f"the model's SQL has no type {word}")
        if word in ("CHAR", "CHARACTER") and self._say("VARYING"):
            word = "VARCHAR"
        numbers: tuple[int, ...] = ()
        members: tuple[str, ...] = ()
        if self._curr and self._curr.text == "(":
            if word in ("ENUM", "SET"):
                members = self._list(self._text)
            else:
                numbers = self._list(lambda: int(self._text()))
        found = syntax.TypeSyntax(_SHORT.get(word, word), numbers, members)
        while (changed := self._with_type_attribute(found)) is not None:
            found = changed
        return found

    def _with_type_attribute(self, kind: syntax.TypeSyntax) -> syntax.TypeSyntax | None:
        """The type with the attribute that comes next; None if none does."""
        if word := self._one_of("UNSIGNED", "ZEROFILL"):
            return replace(kind, unsigned=True, zerofill=kind.zerofill or word == "ZEROFILL")
        if self._say("SIGNED"):
            return kind
        if self._say("BINARY"):
            return replace(kind, binary=True)
        if attribute := self._one_of("ASCII", "UNICODE"):
            raise NotImplementedError(f"the model's SQL has no {attribute} behind a type")
        return replace(kind, charset=self._text()) if self._one_of("CHARACTER SET", "CHARSET") else None

    def _with_attribute(self, column: syntax.ColumnSyntax) -> syntax.ColumnSyntax | None:
        """The column with the attribute that comes next; None if none does."""
        if word := self._one_of(*_FLAGS):
            return replace(column, **_FLAGS[word])
        if self._say("NOT", "SECONDARY") or self._one_of(*_WITHOUT_EFFECT):
            self._say("=")
            self._text()
            return column
        if self._say("DEFAULT"):
            return replace(column, default=self._default_value())
        if self._say("ON", "UPDATE"):
            return replace(column, on_update=self._default_value())
        if self._one_of("GENERATED ALWAYS AS", "AS"):
            generated = self._in_parentheses()
            return replace(column, generated=generated, stored=self._one_of("VIRTUAL", "STORED") == "STORED")
        return self._with_collation_or_constraint(column)

    def _with_collation_or_constraint(self, column: syntax.ColumnSyntax) -> syntax.ColumnSyntax | None:
        if self._say("COMMENT"):
            return replace(column, comment=self._text())
        if self._say("COLLATE"):
            return replace(column, type=replace(column.type, collation=self._text()))
        if self._one_of("CHARACTER SET", "CHARSET"):
            return replace(column, type=replace(column.type, charset=self._text()))
        constraint = self._column_constraint(column.name)
        return None if constraint is None else replace(column, items=(*column.items, constraint))

    def _column_constraint(self, column: str) -> syntax.CheckSyntax | syntax.ForeignKeySyntax | None:
        """CHECK or REFERENCES of a column, if one of them comes next."""
        if self._say("CONSTRAINT"):
            name = "" if self._curr and self._curr.text.upper() == "CHECK" else self._named()
            self._need("CHECK")
            return self._check(name)
        if self._say("CHECK"):
            return self._check("")
        return self._reference("", "", (column,)) if self._say("REFERENCES") else None

    def _default_value(self) -> exp.Expr:
        if self._curr and self._curr.text == "(":
            return exp.Paren(this=self._in_parentheses())
        sign = self._one_of("-", "+")
        found = self._parse_function() or self._parse_primary()
        if found is None:
            found = exp.CurrentTimestamp() if self._one_of("NOW", "LOCALTIME", "LOCALTIMESTAMP") else None
        if found is None:
            self.raise_error("Expecting a default value")
            raise AssertionError
        return exp.Neg(this=found) if sign == "-" else found

    # -- keys and constraints

    def _item(self) -> syntax.Item:
        """A column, a key, or a constraint."""
        return self._key_or_constraint() or self._column_definition()

    def _key_or_constraint(self) -> syntax.KeySyntax | syntax.ForeignKeySyntax | syntax.CheckSyntax | None:
        name = ""
        constraint = self._say("CONSTRAINT")
        if (constraint and not (self._curr and self._curr.text.upper() in _CONSTRAINTS)) or (
            constraint and self._curr and self._curr.token_type is TokenType.IDENTIFIER
        ):
            name = self._named()
        if self._say("PRIMARY", "KEY"):
            return replace(self._key("PRIMARY"), name="PRIMARY")
        if self._say("FOREIGN", "KEY"):
            return self._foreign_key(name)
        if self._say("CHECK"):
            return self._check(name)
        if self._say("UNIQUE"):
            self._one_of("INDEX", "KEY")
            key = self._key("UNIQUE")
            return replace(key, name=key.name or name)
        if constraint:
            self.raise_error("Expecting a constraint")
        if kind := self._one_of("FULLTEXT", "SPATIAL"):
            self._one_of("INDEX", "KEY")
            return self._key(kind)
        return self._key("INDEX") if self._one_of("INDEX", "KEY") else None

    def _key(self, kind: str) -> syntax.KeySyntax:
        """A key, from its name on."""
        name = ""
        if self._curr and self._curr.text != "(" and not self._is_using():
            name = self._named()
        using = self._using()
        return self._key_options(syntax.KeySyntax(kind, name, self._list(self._part), using=using))

    def _is_using(self) -> bool:
        return bool(self._curr and self._curr.token_type not in _QUOTED and self._curr.text.upper() == "USING")

    def _using(self) -> str:
        """The kind of index that is asked for. InnoDB makes a B-tree of it anyway."""
        if not self._say("USING"):
            return ""
        if not (word := self._one_of("BTREE", "HASH", "RTREE")):
            self.raise_error("Expecting BTREE or HASH")
        return word

    def _key_options(self, key: syntax.KeySyntax) -> syntax.KeySyntax:
        while True:
            key = replace(key, using=self._using() or key.using)
            if self._one_of("KEY_BLOCK_SIZE", "WITH PARSER", *_WITHOUT_EFFECT):
                self._say("=")
                self._text()
            elif self._say("COMMENT"):
                key = replace(key, comment=self._text())
            elif word := self._one_of("VISIBLE", "INVISIBLE"):
                key = replace(key, visible=word == "VISIBLE")
            elif not self._is_using():
                return key

    def _part(self) -> syntax.KeyPart:
        if self._curr and self._curr.text == "(" and self._curr.token_type not in _QUOTED:
            part = syntax.KeyPart(expression=self._in_parentheses())
        else:
            name = self._named()
            length = int(self._list(self._text)[0]) if self._curr and self._curr.text == "(" else 0
            part = syntax.KeyPart(name, length)
        return replace(part, descending=self._one_of("ASC", "DESC") == "DESC")

    def _check(self, name: str) -> syntax.CheckSyntax:
        condition = self._in_parentheses()
        if self._say("NOT", "ENFORCED"):
            return syntax.CheckSyntax(name, condition, enforced=False)
        self._say("ENFORCED")
        return syntax.CheckSyntax(name, condition)

    def _foreign_key(self, name: str) -> syntax.ForeignKeySyntax:
        index = self._named() if self._curr and self._curr.text != "(" else ""
        columns = self._list(self._named)
        self._need("REFERENCES")
        return self._reference(name, index, columns)

    def _reference(self, name: str, index: str, columns: tuple[str, ...]) -> syntax.ForeignKeySyntax:
        """What is referred to, behind REFERENCES."""
        table = self._table_named()
        parent_columns = self._list(self._named) if self._curr and self._curr.text == "(" else ()
        rules = {"DELETE": "NO ACTION", "UPDATE": "NO ACTION"}
        while True:
            if self._say("MATCH"):
                self._named()  # the server parses it and does not obey it
            elif self._say("ON"):
                event = self._one_of("DELETE", "UPDATE")
                rules[event] = self._one_of("RESTRICT", "CASCADE", "SET NULL", "NO ACTION", "SET DEFAULT")
                if not event or not rules[event]:
                    self.raise_error("Expecting a rule")
            else:
                break
        return syntax.ForeignKeySyntax(name, index, columns, table, parent_columns, rules["DELETE"], rules["UPDATE"])

    # -- options and partitions

    def _options(self, end: tuple[str, ...] = _END_OF_OPTIONS) -> dict[str, str]:
        """Table options, by their names in capital letters, up to one of the words in ``end``; a comma may be one."""
        found: dict[str, str] = {}
        while self._curr and self._curr.text.upper() not in (*end, ")"):
            self._say("DEFAULT")
            name = self._text().upper()
            if name == "CHARACTER":
                self._need("SET")
            if name in ("CHARACTER", "CHARACTER SET"):
                name = "CHARSET"
            if name in ("DATA", "INDEX"):
                self._need("DIRECTORY")
            self._say("=")
            found[name] = self._option_value()
            if "," not in end:
                self._say(",")
        return found

    def _option_value(self) -> str:
        if self._curr and self._curr.text == "(":
            return ",".join(self._list(self._named))
        return self._text()

    def _partitioning(self) -> syntax.PartitioningSyntax | None:
        """PARTITION BY, if it comes next."""
        if not self._say("PARTITION", "BY"):
            return None
        linear = self._say("LINEAR")
        kind = self._one_of("HASH", "KEY") if linear else self._one_of("HASH", "KEY", "RANGE", "LIST")
        found = syntax.PartitioningSyntax(kind, linear=linear)
        if kind == "KEY":
            if self._say("ALGORITHM"):
                self._say("=")
                found = replace(found, algorithm=int(self._text()))
            found = replace(found, columns=self._names_or_none())
        elif kind in ("RANGE", "LIST") and self._say("COLUMNS"):
            found = replace(found, columns=self._list(self._named))
        elif kind:
            found = replace(found, expression=self._in_parentheses())
        else:
            self.raise_error("Expecting HASH, KEY, RANGE or LIST")
        if self._say("PARTITIONS"):
            found = replace(found, count=int(self._text()))
        if self._say("SUBPARTITION", "BY"):
            raise NotImplementedError("the model's SQL has no SUBPARTITION BY")
        if self._curr and self._curr.text == "(":
            found = replace(found, partitions=self._list(lambda: self._partition(kind)))
        return found

    def _names_or_none(self) -> tuple[str, ...]:
        self._need("(")
        found = []
        while not self._say(")"):
            found.append(self._named())
            self._say(",")
        return tuple(found)

    def _partition(self, kind: str = "") -> syntax.PartitionSyntax:
        """A partition of a kind, which it shows itself if it is not given."""
        self._need("PARTITION")
        found = syntax.PartitionSyntax(self._named())
        if kind == "RANGE" or (not kind and self._say("VALUES", "LESS", "THAN")):
            if kind:
                self._need("VALUES", "LESS", "THAN")
            bound = (None,) if self._say("MAXVALUE") else self._list(self._bound)
            found = replace(found, less_than=bound)
        elif kind == "LIST" or (not kind and self._say("VALUES", "IN")):
            if kind:
                self._need("VALUES", "IN")
            found = replace(found, values=self._list(self._row))
        self._options((",", ")"))
        return found

    def _bound(self) -> exp.Expr | None:
        return None if self._say("MAXVALUE") else self._expression()

    def _row(self) -> tuple[exp.Expr, ...]:
        if self._curr and self._curr.text == "(":
            return self._list(self._expression)
        return (self._expression(),)


_CONSTRAINTS = ("PRIMARY KEY", "FOREIGN KEY", "UNIQUE", "CHECK", "PRIMARY", "FOREIGN")

_FLAGS: dict[str, dict[str, Any]] = {
    "NULL": {"nullable": True},
    "NOT NULL": {"nullable": False},
    "AUTO_INCREMENT": {"auto_increment": True},
    "SERIAL DEFAULT VALUE": {"nullable": False, "auto_increment": True, "key": "UNIQUE"},
    "PRIMARY KEY": {"key": "PRIMARY"},
    "UNIQUE KEY": {"key": "UNIQUE"},
    "UNIQUE": {"key": "UNIQUE"},
    "KEY": {"key": "PRIMARY"},
    "VISIBLE": {"visible": True},
    "INVISIBLE": {"visible": False},
}
"""From the words of an attribute of a column to what it says."""
