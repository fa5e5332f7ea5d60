"""Tables from the text that declares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Context, Env, Scope, is_true, unsupported
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.rows import DuplicateError
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import ForeignKey, Table
from chatsim.innodb.storage.values import (
    NULL,
    BadValueError,
    Binary,
    ColumnType,
    Decimals,
    Doubles,
    Enumeration,
    Integer,
    Moment,
    Text,
    Value,
)

__all__ = ["Change", "add_columns", "create_index", "create_table", "drop_tables", "truncate"]

Change: TypeAlias = "Callable[[], None]"
"""What a definition does: whether it can be done has been looked at."""

_D = exp.DataType.Type

_INTEGERS = {
    _D.TINYINT: (1, True),
    _D.UTINYINT: (1, False),
    _D.SMALLINT: (2, True),
    _D.USMALLINT: (2, False),
    _D.MEDIUMINT: (3, True),
    _D.UMEDIUMINT: (3, False),
    _D.INT: (4, True),
    _D.UINT: (4, False),
    _D.BIGINT: (8, True),
    _D.UBIGINT: (8, False),
    _D.BOOLEAN: (1, True),
}
_LENGTHS = {
    _D.TINYTEXT: 255,
    _D.TEXT: 65_535,
    _D.MEDIUMTEXT: 16_777_215,
    _D.LONGTEXT: 4_294_967_295,
    _D.TINYBLOB: 255,
    _D.BLOB: 65_535,
    _D.MEDIUMBLOB: 16_777_215,
    _D.LONGBLOB: 4_294_967_295,
}
_TEXTS = {_D.CHAR, _D.VARCHAR, _D.TINYTEXT, _D.TEXT, _D.MEDIUMTEXT, _D.LONGTEXT}
_BINARIES = {_D.BINARY, _D.VARBINARY, _D.TINYBLOB, _D.BLOB, _D.MEDIUMBLOB, _D.LONGBLOB}
_MOMENTS = {_D.DATE: 3, _D.DATETIME: 5, _D.TIMESTAMP: 4, _D.TIMESTAMPTZ: 4}
_HARMLESS = (
    *(exp.NotNullColumnConstraint, exp.CollateColumnConstraint),
    *(exp.CommentColumnConstraint, exp.CharacterSetColumnConstraint),
)
_HARMLESS_PROPERTIES = (
    *(exp.CollateProperty, exp.AutoIncrementProperty, exp.EngineProperty),
    *(exp.CharacterSetProperty, exp.SchemaCommentProperty, exp.RowFormatProperty),
)
_TYPICAL_TEXT = 30  # bytes of a text whose declaration allows many

Now = Callable[[], Value]


@dataclass
class _Key:
    """An index, as a declaration says it."""

    name: str
    columns: list[str]
    unique: bool = False
    primary: bool = False


@dataclass
class _Reference:
    """A foreign key, as a declaration says it."""

    name: str
    columns: list[str]
    node: exp.Reference


@dataclass
class _Declared:
    """What a CREATE TABLE has said so far."""

    columns: list[Column] = field(default_factory=list)
    keys: list[_Key] = field(default_factory=list)
    references: list[_Reference] = field(default_factory=list)
    checks: list[tuple[str, exp.Expr]] = field(default_factory=list)


def create_table(node: exp.Create, tables: MutableMapping[str, Table], context: Context) -> Change:
    """CREATE TABLE.

    Args:
        node: the statement.
        tables: those that there are, by their names in lower case.
        context: the session, for defaults.

    Raises:
        NotImplementedError: the model has not what it declares.
        DatabaseError: the declaration is wrong.
    """
    schema = node.this
    if not isinstance(schema, exp.Schema):
        raise unsupported(node)
    name = schema.this.name
    if name.lower() in tables:
        raise database_error(1050, f"Table '{name}' already exists")
    collation, start = _properties(node)
    declared = _Declared()
    for item in schema.expressions:
        _declare(declared, item, collation, context)
    table = _table(name, declared)
    table.next_number = start
    for number, reference in enumerate(declared.references, start=1):
        _refer(table, reference, tables, f"{name}_ibfk_{number}")
    for number, (called, condition) in enumerate(declared.checks, start=1):
        holds = Scope([(name, table)]).compile(condition)
        table.checks[called or f"{name}_chk_{number}"] = _check(holds, context)

    def change() -> None:
        tables[name.lower()] = table
        for constraint in table.parents:
            constraint.parent.children.append(constraint)

    return change


def _properties(node: exp.Create) -> tuple[str, int]:
    """The collation of a table, and the first number of its AUTO_INCREMENT column."""
    collation, start = "utf8mb4_0900_ai_ci", 1
    for each in node.args["properties"].expressions if node.args.get("properties") else ():
        if isinstance(each, exp.CollateProperty):
            collation = each.this.name
        elif isinstance(each, exp.AutoIncrementProperty):
            start = int(each.this.name)
        elif isinstance(each, exp.EngineProperty) and each.this.name.lower() != "innodb":
            raise unsupported(f"engine {each.this.name}")
        elif not isinstance(each, _HARMLESS_PROPERTIES):
            raise unsupported(each)
    return collation, start


def create_index(table: Table, node: exp.Create) -> Change:
    """CREATE INDEX: the index has entries for the rows that there are."""
    index = node.this
    columns = [_column_name(each) for each in index.args["params"].args["columns"]]
    key = _Key(index.name, columns, unique=bool(node.args.get("unique")))
    if any(each.definition.name.lower() == key.name.lower() for each in table.indexes):
        raise database_error(1061, f"Duplicate key name '{key.name}'")
    _check_columns(key, table.columns)
    definition = _definition(table, key)

    def change() -> None:
        made = Index(definition, table.columns)
        for record in table.clustered:
            if not record.deleted:
                _enter(table, made, record.row)
        at = next(
            (at for at, each in enumerate(table.indexes) if at and definition.unique and not each.definition.unique),
            len(table.indexes),
        )
        table.indexes.insert(at, made)

    return change


def _enter(table: Table, index: Index, row: Sequence[Value]) -> None:
    """Put a row's entry in an index. Raises a `DatabaseError` (1062)."""
    key, width = index.key_of(row), len(index.definition.columns)
    if index.definition.unique and NULL not in key[:width]:
        other = index.at_or_after(key[:width])
        if other.key[:width] == key[:width]:
            values = [row[at] for at in index.definition.columns]
            raise database_error(1062, str(DuplicateError(table, index, key[:width], values)))
    index.insert(key, index.entry_of(row), None)


def add_columns(table: Table, node: exp.Alter, context: Context) -> Change:
    """ALTER TABLE … ADD COLUMN, at the end; the rows that there are have its default."""
    declared = _Declared()
    for each in node.args["actions"]:
        if not isinstance(each, exp.ColumnDef) or each.args.get("position"):
            raise unsupported(node)
        _declare(declared, each, "utf8mb4_0900_ai_ci", context)
    if declared.keys or declared.references or declared.checks or table.hidden is not None:
        raise unsupported(node, "with a key")
    if any(each.auto_increment for each in declared.columns):
        raise unsupported(node, "with AUTO_INCREMENT")
    _check_names([*table.columns, *declared.columns])

    def change() -> None:
        values = tuple(_given_at_once(each) for each in declared.columns)
        table.columns += declared.columns
        table.numbers = {each.name.lower(): at for at, each in enumerate(table.columns)}
        for record in table.clustered:
            record.row = (*record.row, *values)

    return change


def _given_at_once(column: Column) -> Value:
    """What a row that is there already has in a new column."""
    if not column.has_default:
        return column.type.zero
    return column.default() if callable(column.default) else column.default


def drop_tables(names: Sequence[str], tables: MutableMapping[str, Table], *, exists: bool) -> Change:
    """DROP TABLE, all of them or none; with ``exists``, those that there are."""
    unknown = [name for name in names if name.lower() not in tables]
    if unknown and not exists:
        raise database_error(1051, f"Unknown table '{','.join(unknown)}'")
    found = [tables[name.lower()] for name in names if name.lower() in tables]
    for table in found:
        for constraint in table.children:
            if constraint.child not in found:
                by = f"foreign key constraint '{constraint.name}' on table '{constraint.child.name}'"
                raise database_error(3730, f"Cannot drop table '{table.name}' referenced by a {by}.")

    def change() -> None:
        for table in found:
            for constraint in table.parents:
                constraint.parent.children.remove(constraint)
            del tables[table.name.lower()]

    return change


def truncate(table: Table) -> Change:
    """TRUNCATE TABLE."""
    for constraint in table.children:
        if constraint.child is not table:
            by = f"(`{constraint.child.name}`, CONSTRAINT `{constraint.name}`)"
            raise database_error(1701, f"Cannot truncate a table referenced in a foreign key constraint {by}")
    return table.empty


def _declare(declared: _Declared, item: exp.Expr, collation: str, context: Context) -> None:
    if isinstance(item, exp.ColumnDef):
        _declare_column(declared, item, collation, context)
        return
    name = ""
    if isinstance(item, exp.Constraint):
        name, (item, *_) = item.name, item.expressions
    match item:
        case exp.PrimaryKey():
            declared.keys.append(
                _Key("PRIMARY", [_column_name(each) for each in item.expressions], primary=True, unique=True)
            )
        case exp.IndexColumnConstraint() if not item.args.get("kind") and not _is_invisible(item):
            declared.keys.append(_Key(item.name, [_column_name(each) for each in item.expressions]))
        case exp.UniqueColumnConstraint():
            columns = item.this.expressions if isinstance(item.this, exp.Schema) else [item.this]
            called = item.this.this.name if isinstance(item.this, exp.Schema) and item.this.this else name
            declared.keys.append(_Key(called, [_column_name(each) for each in columns], unique=True))
        case exp.ForeignKey():
            columns = [each.name for each in item.expressions]
            declared.references.append(_Reference(name, columns, item.args["reference"]))
        case exp.CheckColumnConstraint():
            declared.checks.append((name, item.this))
        case _:
            raise unsupported(item)


def _is_invisible(node: exp.IndexColumnConstraint) -> bool:
    return any(each.args.get("visible") is False for each in node.args.get("options") or ())


def _declare_column(declared: _Declared, node: exp.ColumnDef, collation: str, context: Context) -> None:
    name, kind = node.name, node.args.get("kind")
    if kind is None:
        raise unsupported(node)
    column = Column(name, _type(kind, collation), nullable=True)
    for constraint in node.args.get("constraints") or ():
        column = _constrained(declared, column, constraint.kind, context)
        if isinstance(constraint.kind, exp.CollateColumnConstraint):
            column = replace(column, type=_type(kind, constraint.kind.this.name))
    declared.columns.append(column)


def _constrained(declared: _Declared, column: Column, constraint: exp.Expr, context: Context) -> Column:
    match constraint:
        case exp.NotNullColumnConstraint() if not constraint.args.get("allow_null"):
            return _not_null(column)
        case exp.AutoIncrementColumnConstraint():
            return replace(column, auto_increment=True, nullable=False)
        case exp.PrimaryKeyColumnConstraint():
            declared.keys.insert(0, _Key("PRIMARY", [column.name], unique=True, primary=True))
            return _not_null(column)
        case exp.UniqueColumnConstraint():
            declared.keys.append(_Key(column.name, [column.name], unique=True))
        case exp.DefaultColumnConstraint():
            return replace(column, default=_default(column, constraint.this, context), has_default=True)
        case exp.OnUpdateColumnConstraint():
            return replace(column, on_update=_moment(column, context))
        case exp.CheckColumnConstraint():
            declared.checks.append(("", constraint.this))
        case _ if not isinstance(constraint, _HARMLESS):
            raise unsupported(constraint)
    return column


def _not_null(column: Column) -> Column:
    default = column.default
    if default is None and isinstance(column.type, Enumeration):
        default = column.type.zero  # that is its implicit default
    return replace(column, nullable=False, default=default, has_default=default is not None)


def _type(kind: exp.DataType, collation: str) -> ColumnType:
    wanted = kind.this
    numbers = [int(each.this.name) for each in kind.expressions if isinstance(each, exp.DataTypeParam)]
    length = _LENGTHS.get(wanted) or (numbers or [1])[0]
    made: ColumnType | None = None
    if wanted in _INTEGERS:
        size, signed = _INTEGERS[wanted]
        made = Integer(size, -(1 << 8 * size - 1) if signed else 0, (1 << 8 * size - signed) - 1)
    elif wanted in _TEXTS:
        binary, padded = collation.endswith("_bin"), "_0900_" not in collation
        made = Text(min(length, _TYPICAL_TEXT), length, binary, padded, wanted == _D.CHAR, wanted in _LENGTHS)
    elif wanted in _BINARIES:
        made = Binary(min(length, _TYPICAL_TEXT), length, wanted in _LENGTHS)
    elif wanted in _MOMENTS:
        made = Moment(_MOMENTS[wanted], None if wanted == _D.DATE else (numbers or [0])[0])
    elif wanted == _D.DECIMAL:
        digits, scale = [*numbers, *(10, 0)[len(numbers) :]][:2]
        made = Decimals(digits // 2 + 1, digits, scale)
    elif wanted in (_D.FLOAT, _D.DOUBLE):
        made = Doubles(8)
    elif wanted == _D.ENUM:
        made = Enumeration(1, tuple(each.name for each in kind.expressions))
    if made is None:
        raise unsupported(kind)
    return made


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


def _check(holds: Callable[[Env], object], context: Context) -> Callable[[Sequence[Value]], bool]:
    def check(row: Sequence[Value]) -> bool:
        found = holds(Env(context, (), [row]))
        return found is None or is_true(found)

    return check


def _column_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Ordered):
        if node.args.get("desc"):
            raise unsupported(node, "an index in descending order")
        return _column_name(node.this)
    if isinstance(node, exp.Column | exp.Identifier):
        return node.name
    raise unsupported(node, "in an index")


def _table(name: str, declared: _Declared) -> Table:
    columns, keys = declared.columns, declared.keys
    numbers = {column.name.lower(): at for at, column in enumerate(columns)}
    _check_names(columns)
    _check_keys(declared)
    for each in (each for key in keys if key.primary for each in key.columns):
        columns[numbers[each.lower()]] = _not_null(columns[numbers[each.lower()]])
    _complete_keys(declared)
    solid = {id(key): all(not columns[numbers[each.lower()]].nullable for each in key.columns) for key in keys}
    keys.sort(key=lambda key: (not key.primary, not (key.unique and solid[id(key)]), not key.unique))
    hidden = None
    if not keys or not (keys[0].primary or (keys[0].unique and solid[id(keys[0])])):
        hidden = len(columns)
        columns.append(Column("DB_ROW_ID", Integer(6, 0, (1 << 48) - 1), nullable=False))
        keys.insert(0, _Key("GEN_CLUST_INDEX", ["DB_ROW_ID"], unique=True, primary=True))
    table = Table(name, columns, [], hidden=hidden)
    if hidden is not None:
        table.numbers = numbers
    for key in keys:
        table.indexes.append(Index(_definition(table, key), table.columns))
    return table


def _check_names(columns: Sequence[Column]) -> None:
    """Refuse two columns of one name."""
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise database_error(1060, f"Duplicate column name '{column.name}'")
        seen.add(column.name.lower())


def _check_keys(declared: _Declared) -> None:
    """Refuse keys that can't be, or an AUTO_INCREMENT column without one."""
    if sum(key.primary for key in declared.keys) > 1:
        raise database_error(1068, "Multiple primary key defined")
    for key in declared.keys:
        _check_columns(key, declared.columns)
    for reference in declared.references:
        _check_columns(_Key(reference.name, reference.columns), declared.columns)
    names = [key.name.lower() for key in declared.keys if key.name]
    for at, name in enumerate(names):
        if name in names[:at]:
            shown = [key.name for key in declared.keys if key.name][at]
            raise database_error(1061, f"Duplicate key name '{shown}'")
    numbered = [each.name.lower() for each in declared.columns if each.auto_increment]
    firsts = {key.columns[0].lower() for key in declared.keys}
    if len(numbered) > 1 or not firsts.issuperset(numbered):
        message = "there can be only one auto column and it must be defined as a key"
        raise database_error(1075, f"Incorrect table definition; {message}")


def _check_columns(key: _Key, columns: Sequence[Column]) -> None:
    """Refuse a key of what is not there, is there twice, or is too long."""
    known = {column.name.lower(): column for column in columns}
    seen: set[str] = set()
    for name in key.columns:
        column = known.get(name.lower())
        if column is None:
            raise database_error(1072, f"Key column '{name}' doesn't exist in table")
        if name.lower() in seen:
            raise database_error(1060, f"Duplicate column name '{name}'")
        seen.add(name.lower())
        if isinstance(column.type, Text | Binary) and column.type.long:
            message = f"BLOB/TEXT column '{name}' used in key specification without a key length"
            raise database_error(1170, message)


def _complete_keys(declared: _Declared) -> None:
    """Give each foreign key an index, and each index a name."""
    keys = declared.keys
    for reference in declared.references:
        wanted = [each.lower() for each in reference.columns]
        if not any([each.lower() for each in key.columns[: len(wanted)]] == wanted for key in keys):
            keys.append(_Key(reference.name, list(reference.columns)))
    taken = {key.name.lower() for key in keys if key.name}
    for key in keys:
        if not key.name:
            base, number = key.columns[0], 2
            key.name = base
            while key.name.lower() in taken:
                key.name, number = f"{base}_{number}", number + 1
            taken.add(key.name.lower())


def _definition(table: Table, key: _Key) -> IndexDefinition:
    numbers = {column.name.lower(): at for at, column in enumerate(table.columns)}
    columns = tuple(numbers[each.lower()] for each in key.columns)
    if not table.indexes:
        return IndexDefinition(key.name, columns, key.unique, True, columns, table.name, table.hidden)  # noqa: FBT003
    rest = tuple(at for at in table.clustered.definition.columns if at not in columns)
    return IndexDefinition(key.name, columns, key.unique, False, (*columns, *rest), table.name, table.hidden)  # noqa: FBT003


def _refer(table: Table, reference: _Reference, tables: Mapping[str, Table], name: str) -> None:
    target = reference.node.this
    parent = table if target.this.name.lower() == table.name.lower() else tables.get(target.this.name.lower())
    if parent is None:
        raise database_error(1824, f"Failed to open the referenced table '{target.this.name}'")
    columns = tuple(table.numbers[each.lower()] for each in reference.columns)
    for each in target.expressions:
        if each.name.lower() not in parent.numbers:
            missing = f"Missing column '{each.name}' for constraint '{reference.name or name}'"
            where = f"in the referenced table '{parent.name}'"
            raise database_error(3734, f"Failed to add the foreign key constraint. {missing} {where}")
    parent_columns = tuple(parent.numbers[each.name.lower()] for each in target.expressions)
    called = reference.name or name
    parent_index = next(
        (each for each in parent.indexes if each.definition.place[: len(columns)] == parent_columns), None
    )
    if parent_index is None:
        missing = f"Missing index for constraint '{called}' in the referenced table '{parent.name}'"
        raise database_error(1822, f"Failed to add the foreign key constraint. {missing}")
    index = next(each for each in table.indexes if each.definition.columns[: len(columns)] == columns)
    rules = {"DELETE": "RESTRICT", "UPDATE": "RESTRICT"}
    for option in reference.node.args.get("options") or ():
        words = str(option).upper().split()
        if words[:1] == ["ON"]:
            rule = " ".join(words[2:])
            rules[words[1]] = "RESTRICT" if rule == "NO ACTION" else rule
    if unknown := set(rules.values()) - {"RESTRICT", "CASCADE", "SET NULL"}:
        raise unsupported(f"rule {unknown.pop()} of a foreign key")
    rule_names = cast("dict[str, Literal['RESTRICT', 'CASCADE', 'SET NULL']]", rules)
    constraint = ForeignKey(
        *(called, table, columns, index, parent, parent_columns, parent_index),
        on_delete=rule_names["DELETE"],
        on_update=rule_names["UPDATE"],
    )
    table.parents.append(constraint)
