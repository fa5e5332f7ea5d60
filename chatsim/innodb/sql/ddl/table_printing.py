"""SHOW CREATE TABLE: manual, "SHOW CREATE TABLE Statement". The form is that of MySQL 9.7 (``store_create_info``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from chatsim.innodb.sql import syntax
from chatsim.innodb.sql.ddl.column_printing import printed_type
from chatsim.innodb.sql.ddl.column_types import collation_of
from chatsim.innodb.sql.ddl.expression_printing import printed_expression
from chatsim.innodb.sql.ddl.keys import named_checks
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.collations import DEFAULT, Collation
from chatsim.innodb.storage.column_types import Binary, Bits, Decimals, Json, Moment, Text
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["printed_table"]

_OPTIONS = (
    *("MIN_ROWS", "MAX_ROWS", "AVG_ROW_LENGTH", "PACK_KEYS", "STATS_PERSISTENT", "STATS_AUTO_RECALC"),
    *("STATS_SAMPLE_PAGES", "CHECKSUM", "DELAY_KEY_WRITE", "ROW_FORMAT", "KEY_BLOCK_SIZE", "COMPRESSION", "COMMENT"),
)
_QUOTED = ("COMPRESSION", "COMMENT")


def printed_table(table: Table) -> str:
    """The CREATE TABLE of a table. Raises `NotImplementedError` for what the model can't print."""
    declared: syntax.TableSyntax = table.declared
    collation = collation_of(declared.options.get("CHARSET", ""), declared.options.get("COLLATE", ""), DEFAULT)
    lines = [*_columns(table, collation), *_keys(table), *_foreign_keys(table), *_checks(table)]
    word = "CREATE TEMPORARY TABLE" if table.temporary else "CREATE TABLE"
    body = ",\n".join(f"  {line}" for line in lines)
    return f"{word} {_name(table.name)} (\n{body}\n){_options(table, collation)}{_partitions(declared)}"


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"


# -- columns


def _columns(table: Table, collation: Collation) -> Iterator[str]:
    for said in table.declared.items:
        if isinstance(said, syntax.ColumnSyntax):
            yield " ".join(_column(table.columns[table.numbers[said.name.lower()]], said, collation))


def _column(column: Column, said: syntax.ColumnSyntax, collation: Collation) -> Iterator[str]:
    yield _name(column.name)
    yield printed_type(said.type)
    yield from _collation(column, said, collation)
    if said.generated is not None:
        kind = "STORED" if said.stored else "VIRTUAL"
        yield f"GENERATED ALWAYS AS ({printed_expression(said.generated)}) {kind}"
    if not column.nullable:
        yield "NOT NULL"
    elif said.type.name == "TIMESTAMP":
        yield "NULL"
    if (default := _default(column, said)) is not None:
        yield f"DEFAULT {default}"
    if said.on_update is not None:
        yield f"ON UPDATE {_now(column)}"
    if said.auto_increment:
        yield "AUTO_INCREMENT"
    if not said.visible:
        yield "/*!80023 INVISIBLE */"
    if said.comment:
        yield f"COMMENT {_quoted(said.comment)}"


def _collation(column: Column, said: syntax.ColumnSyntax, collation: Collation) -> Iterator[str]:
    own = getattr(column.type, "collation", None)
    if not isinstance(own, Collation) or isinstance(column.type, Binary):
        return
    differs = bool(said.type.charset or said.type.collation or said.type.binary) or own != collation
    if differs:
        yield f"CHARACTER SET {own.charset}"
    if differs or own != collation_of(own.charset, "", DEFAULT):
        yield f"COLLATE {own.name}"


def _now(column: Column) -> str:
    digits = column.type.digits if isinstance(column.type, Moment) else None
    return f"CURRENT_TIMESTAMP({digits})" if digits else "CURRENT_TIMESTAMP"


def _default(column: Column, said: syntax.ColumnSyntax) -> str | None:
    """The default as it is printed; None if none is."""
    default = said.default
    if default is None or isinstance(default, exp.Null):
        long = isinstance(column.type, Text | Binary) and column.type.long and not isinstance(column.type, Json)
        has_none = said.generated is not None or said.auto_increment or not column.nullable or long
        return None if has_none else "NULL"
    if isinstance(default, exp.Paren):
        return f"({printed_expression(default)})"
    return _now(column) if callable(column.default) else _value(column, said, column.default)


def _value(column: Column, said: syntax.ColumnSyntax, value: Value) -> str:
    if isinstance(column.type, Bits):
        return f"b'{int.from_bytes(value):b}'" if isinstance(value, bytes) else f"b'{value:b}'"
    if isinstance(value, bytes):
        return _quoted(value.decode("latin1"))
    text = as_text(value)
    if said.type.zerofill and isinstance(column.type, Decimals):
        whole, scale = (*said.type.numbers, 10, 0)[:2] if said.type.numbers else (10, 0)
        text = text.zfill(whole + bool(scale))
    return _quoted(text)


# -- keys and constraints


def _keys(table: Table) -> Iterator[str]:
    keys = [each for each in table.declared.items if isinstance(each, syntax.KeySyntax)]
    nullable = {each.name.lower() for each in table.columns if each.nullable}

    def order(key: syntax.KeySyntax) -> tuple[bool, ...]:
        unique = key.kind == "UNIQUE"
        solid = all(part.column and part.column.lower() not in nullable for part in key.parts)
        functional = any(part.expression is not None for part in key.parts)
        return key.kind != "PRIMARY", not (unique and solid), not unique, key.kind == "FULLTEXT", functional

    for key in sorted(keys, key=order):
        yield _key(key)


def _key(key: syntax.KeySyntax) -> str:
    words = {"PRIMARY": "PRIMARY KEY", "UNIQUE": "UNIQUE KEY", "FULLTEXT": "FULLTEXT KEY"}
    called = "" if key.kind == "PRIMARY" else f"{_name(key.name)} "
    comment = f" COMMENT {_quoted(key.comment)}" if key.comment else ""
    hidden = "" if key.visible else " /*!80000 INVISIBLE */"
    using = " USING BTREE" if key.using == "BTREE" else ""
    return f"{words.get(key.kind, 'KEY')} {called}({','.join(map(_part, key.parts))}){using}{comment}{hidden}"


def _part(part: syntax.KeyPart) -> str:
    shown = _name(part.column) if part.expression is None else f"({printed_expression(part.expression)})"
    length = f"({part.length})" if part.length else ""
    return f"{shown}{length}{' DESC' if part.descending else ''}"


def _foreign_keys(table: Table) -> Iterator[str]:
    said = [each for each in table.declared.items if isinstance(each, syntax.ForeignKeySyntax)]
    named = {each.name or f"{table.name}_ibfk_{number}": each for number, each in enumerate(said, start=1)}
    parents = {each.name: each.parent for each in table.parents}
    for name, each in sorted(named.items()):
        parent = parents.get(name)
        columns = each.parent_columns or ((_primary_key(parent)) if parent is not None else ())
        rules = {"DELETE": each.on_delete, "UPDATE": each.on_update}
        shown = "".join(f" ON {event} {rule}" for event, rule in rules.items() if rule != "NO ACTION")
        yield (
            f"CONSTRAINT {_name(name)} FOREIGN KEY ({_names(each.columns)}) REFERENCES"
            f" {_name(parent.name if parent is not None else each.table)} ({_names(columns)}){shown}"
        )


def _primary_key(table: Table) -> tuple[str, ...]:
    return tuple(table.columns[at].name for at in table.clustered.definition.columns)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(map(_name, names)) if len(names) > 1 else _name(names[0]) if names else ""


def _checks(table: Table) -> Iterator[str]:
    for name, each in sorted(named_checks(table.name, table.declared.items).items()):
        enforced = "" if each.enforced else " /*!80016 NOT ENFORCED */"
        yield f"CONSTRAINT {_name(name)} CHECK ({printed_expression(each.condition)}){enforced}"


# -- options and partitions


def _options(table: Table, collation: Collation) -> str:
    options: Mapping[str, str] = table.declared.options
    engine = {"memory": "MEMORY"}.get(options.get("ENGINE", "").lower(), "InnoDB")
    found = [f" ENGINE={engine}"]
    if table.auto is not None and table.next_number > 1:
        found.append(f"AUTO_INCREMENT={table.next_number}")
    found.append(f"DEFAULT CHARSET={collation.charset}")
    if collation == DEFAULT or collation != collation_of(collation.charset, "", DEFAULT):
        found.append(f"COLLATE={collation.name}")
    found += [
        f"{name}={_quoted(options[name]) if name in _QUOTED else options[name].upper()}"
        for name in _OPTIONS
        if name in options
    ]
    return " ".join(found)


def _partitions(declared: syntax.TableSyntax) -> str:
    said = declared.partitioning
    if said is None:
        return ""
    columns = said.kind != "KEY" and bool(said.columns)
    kind = f"{said.kind}  COLUMNS" if columns else f"{'LINEAR ' * said.linear}{said.kind} "
    by = printed_expression(said.expression) if said.expression is not None else ",".join(said.columns)
    head = f"\n/*!{50500 if columns else 50100} PARTITION BY {kind}({by})"
    if not said.partitions:
        return f"{head}\nPARTITIONS {said.count or 1} */"
    if said.kind in ("HASH", "KEY"):
        raise unsupported("SHOW CREATE TABLE of partitions by HASH or KEY that have names")
    parts = ",\n ".join(
        f"PARTITION {each.name} VALUES {_range(each, columns)} ENGINE = InnoDB" for each in said.partitions
    )
    return f"{head}\n({parts}) */"


def _range(part: syntax.PartitionSyntax, columns: bool) -> str:  # noqa: FBT001
    if part.values:
        rows = [[_bound(each) for each in row] for row in part.values]
        values = [row[0] if len(row) == 1 else f"({','.join(row)})" for row in rows]
        return f"IN ({','.join(sorted(values, key=lambda each: each != 'NULL'))})"
    bounds = ",".join("MAXVALUE" if each is None else _bound(each) for each in part.less_than)
    return f"LESS THAN {bounds}" if bounds == "MAXVALUE" and not columns else f"LESS THAN ({bounds})"


def _bound(node: exp.Expr) -> str:
    if isinstance(node, exp.Literal) and node.is_string:
        return _quoted(node.name)
    return printed_expression(node)
