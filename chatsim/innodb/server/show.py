"""SHOW, DESCRIBE and USE (MySQL manual, "SHOW Statements")."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from chatsim.innodb.server import control
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.innodb_status import innodb_status
from chatsim.innodb.server.status import status_variables
from chatsim.innodb.server.variables import system_variables
from chatsim.innodb.sql.ddl.column_printing import printed_default, printed_type
from chatsim.innodb.sql.ddl.expression_printing import printed_expression
from chatsim.innodb.sql.ddl.table_printing import printed_table
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.session_syntax import Show, Use
from chatsim.innodb.sql.syntax import KeySyntax
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Value, as_text

__all__: list[str] = []

Row = tuple[Value, ...]

_NOTES = (1050, 1051, 1359, 1360, 4095)
"""The warnings that are only notes."""


@control.execute.register
async def _show(node: Show, session: StatementContext, _: Sequence[Any]) -> Answer:
    if node.args.get("full") and node.this not in ("TABLES", "PROCESSLIST"):
        raise unsupported(f"SHOW FULL {node.this}")
    rows = _SHOWN[node.this](session, node)
    like, where = node.args.get("like"), node.args.get("where")
    if like is not None:
        pattern = _pattern(like.name)
        rows = [row for row in rows if re.fullmatch(pattern, as_text(row[0]).lower(), re.DOTALL)]
    if where is not None:
        named = (
            [where.expression] if isinstance(where, exp.EQ) else where.expressions if isinstance(where, exp.In) else []
        )
        of = where.this.name.lower()
        if not named or not all(isinstance(each, exp.Literal) for each in named) or of not in _NAMED:
            raise unsupported(where, "in SHOW")
        at = 2 if of == "key_name" else 0
        names = {each.name.lower() for each in named}
        rows = [row for row in rows if as_text(row[at]).lower() in names]
    if node.this == "STATUS" and (unknown := next((name for name, value in rows if value is None), None)) is not None:
        raise unsupported(f"SHOW STATUS of {as_text(unknown)}, which it does not count")
    return Answer(rows=rows, warnings=[(1287, _OLD_LIST)] if node.this == "PROCESSLIST" else [])


_NAMED = ("variable_name", "field", "key_name")
"""The columns by which WHERE may choose rows."""

_OLD_LIST = (
    "'INFORMATION_SCHEMA.PROCESSLIST' is deprecated and will be removed in a future release."
    " Please use performance_schema.processlist instead"
)


def _pattern(like: str) -> str:
    text = like.lower()
    pieces = re.finditer(r"\\(?P<plain>.)|(?P<any>[%_])|(?P<other>.)", text, re.DOTALL)
    return "".join(
        {"%": ".*", "_": "."}[each["any"]] if each["any"] else re.escape(each["plain"] or each["other"])
        for each in pieces
    )


def _tables(session: StatementContext, node: Show) -> list[Row]:
    views = session.engine.views
    names = sorted([*session.engine.tables, *views])
    return [(name, "VIEW" if name in views else "BASE TABLE") if node.args.get("full") else (name,) for name in names]


def _variables(session: StatementContext, _: Show) -> list[Row]:
    return [(name, "" if value is None else as_text(value)) for name, value in system_variables(session).items()]


def _warnings(session: StatementContext, node: Show) -> list[Row]:
    found: list[Row] = [
        (
            "Error" if session.failed and at == len(session.warnings) else "Note" if errno in _NOTES else "Warning",
            errno,
            text,
        )
        for at, (errno, text) in enumerate(session.warnings, start=1)
    ]
    if node.this.endswith("ERRORS"):
        found = [row for row in found if row[0] == "Error"]
    return [(len(found),)] if node.this.startswith("COUNT") else found


def _columns(session: StatementContext, node: Show) -> list[Row]:
    if node.args["target"] in session.engine.views:
        raise unsupported(f"SHOW COLUMNS of view {node.args['target']}")
    table = session.table(node.args["target"])
    said = {each.name.lower(): each for each in table.declared.items if hasattr(each, "auto_increment")}
    return [
        (
            column.name,
            printed_type(said[column.name.lower()].type),
            "YES" if column.nullable else "NO",
            _key(table, at),
            printed_default(said[column.name.lower()]),
            _extra(said[column.name.lower()]),
        )
        for at, column in enumerate(table.columns)
        if not column.hidden
    ]


def _key(table: Table, at: int) -> str:
    """Whether a column is in the primary key, is a unique key by itself, or begins a key."""
    definitions = [each.definition for each in table.indexes]
    if table.hidden is None and at in definitions[0].columns:
        return "PRI"
    first = [each for each in definitions if each.columns[0] == at and not each.clustered]
    if any(each.unique and len(each.columns) == 1 for each in first):
        return "UNI"
    return "MUL" if first else ""


def _extra(said: Any) -> str:
    parts = ["auto_increment"] if said.auto_increment else []
    if said.default is not None and not isinstance(said.default, exp.Literal | exp.Null | exp.Neg):
        parts.append("DEFAULT_GENERATED")
    if said.on_update is not None:
        parts.append(f"on update {said.on_update.sql('mysql')}".removesuffix("()"))
    if said.generated is not None:
        parts.append("STORED GENERATED" if said.stored else "VIRTUAL GENERATED")
    return " ".join(parts)


def _indexes(session: StatementContext, node: Show) -> list[Row]:
    table = session.table(node.args["target"])
    rows: list[Row] = []
    for index in table.indexes:
        definition = index.definition
        if table.hidden is not None and definition.clustered:
            continue
        for number, at in enumerate(definition.columns):
            column = table.columns[at]
            rows.append((
                *(table.name, int(not definition.unique), definition.name, number + 1),
                None if column.hidden else column.name,
                *("D" if at in definition.descending else "A", table.statistics.rows),
                *((definition.lengths[number] or None) if definition.lengths else None, None),
                *("YES" if column.nullable else "", "BTREE", "", "", "YES"),
                _expression(table, definition.name, number) if column.hidden else None,
            ))  # fmt: skip
    return rows


def _expression(table: Table, name: str, number: int) -> str:
    """The expression of a functional key part, as SHOW INDEX has it."""
    key = next(each for each in table.declared.items if isinstance(each, KeySyntax) and each.name == name)
    expression = key.parts[number].expression
    assert expression is not None
    return printed_expression(expression).replace("'", "\\'")


def _sessions(session: StatementContext, _: Show) -> list[Row]:
    return [
        (
            *(number, "root", "localhost", session.database, "Query" if each.works else "Sleep", 0, ""),
            each.statement if each.works else None,
        )
        for number, each in sorted(session.engine.sessions.items())
    ]


def _triggers(session: StatementContext, _: Show) -> list[Row]:
    found = [each for table in session.engine.tables.values() for each in table.triggers]
    if found:
        raise unsupported("SHOW TRIGGERS")
    return []


def _create_table(session: StatementContext, node: Show) -> list[Row]:
    name = node.args["target"]
    if name in session.engine.views:
        raise unsupported(f"SHOW CREATE TABLE of view {name}")
    return [(name, printed_table(session.table(name)))]


def _engine_status(session: StatementContext, _: Show) -> list[Row]:
    return [("InnoDB", "", innodb_status(session.engine, session.database))]


def _status(session: StatementContext, _: Show) -> list[Row]:
    return [(name, value if value is None else str(value)) for name, value in status_variables(session.engine)]


_SHOWN: Mapping[str, Callable[[StatementContext, Show], list[Row]]] = {
    "TABLES": _tables,
    "VARIABLES": _variables,
    "WARNINGS": _warnings,
    "ERRORS": _warnings,
    "COUNT WARNINGS": _warnings,
    "COUNT ERRORS": _warnings,
    "COLUMNS": _columns,
    "INDEX": _indexes,
    "CREATE TABLE": _create_table,
    "ENGINE INNODB STATUS": _engine_status,
    "STATUS": _status,
    "PROCESSLIST": _sessions,
    "TRIGGERS": _triggers,
}


@control.execute.register
async def _use(node: Use, session: StatementContext, _: Sequence[Any]) -> Answer:
    """The first name that a session uses is the name of the one schema that there is."""
    engine, name = session.engine, node.this
    if engine.schema not in ("", name):
        raise unsupported(f"USE of a second schema, {name} beside {engine.schema}")
    engine.schema = session.database = name
    return Answer()
