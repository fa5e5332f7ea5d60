"""The tables of a draft: made in the model, so that their columns and indexes are known."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chatsim.conformance.schedule import BadScheduleError
from chatsim.db.errors import DatabaseError
from chatsim.db.text import statements
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.storage.tables import Table
from chatsim.simulation.loop import run

__all__ = ["made", "table_statements", "without_schemas"]

_AROUND = re.compile(
    r"^(?:\*{5,}.*|\s*Table: .*|\+-[-+]*|\d+ rows? in set.*|mysql> .*|\| Table\s.*|Table\tCreate Table)$", re.MULTILINE
)
_BEFORE = re.compile(r"^(?:\s*Create Table: |\|[^|\n]*\| (?=CREATE )|\w+\t(?=CREATE ))", re.MULTILINE)
_AFTER = re.compile(r" *\| *$", re.MULTILINE)
_NOT_ABOUT_TABLES = re.compile(r"\s*(?:SET|USE|DROP|LOCK|UNLOCK|CREATE\s+(?:DATABASE|SCHEMA))\b", re.IGNORECASE)
_REFERENCES = re.compile(r"\bFOREIGN\s+KEY\b", re.IGNORECASE)
_QUALIFIED = r"('(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\")|(?:`{0}`|(?<![\w`.]){0})\s*\.\s*(?=[`\w])"


def table_statements(text: str) -> list[str]:
    """The statements of a file of tables: SQL, a dump, or what SHOW CREATE TABLE prints, also as rows or in a box.

    What a dump says besides about sessions and schemas is left out.
    """
    text = _AFTER.sub("", _BEFORE.sub("", _AROUND.sub("", text)))
    ended = re.sub(r"(?<![;\s])(\s*)^(?=CREATE\s+TABLE)", r";\1", text, flags=re.MULTILINE | re.IGNORECASE)
    found = [sql for sql in statements(ended) if not _NOT_ABOUT_TABLES.match(sql)]
    if not any(_REFERENCES.search(sql) for sql in found):
        return found
    # SHOW CREATE TABLE and dumps have the tables in any order, a child before its parent
    return ["SET foreign_key_checks = 0", *found, "SET foreign_key_checks = 1"]


def made(setup: list[str]) -> Mapping[str, Table]:
    """The tables that statements make, by name.

    Raises:
        BadScheduleError: the model can't make them. The message has its reason.
    """

    async def make() -> Mapping[str, Table]:
        engine = Engine(lambda: 0.0, purges=False)
        session = EngineSession(engine)
        for sql in setup:
            await session.run(sql)
        session.close()
        return dict(engine.tables)

    try:
        return run(make())
    except (DatabaseError, NotImplementedError) as error:
        raise BadScheduleError(f"the tables can't be made in the model: {error}") from error


def without_schemas(sql: str, schemas: set[str]) -> str:
    """A statement in which the tables are named without these schemas: a schedule has a schema of its own."""
    for schema in schemas - {""}:
        pattern = _QUALIFIED.format(re.escape(schema))
        sql = re.sub(pattern, lambda found: found[1] or "", sql)
    return sql
