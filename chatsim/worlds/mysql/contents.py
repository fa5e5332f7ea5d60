"""What is in the tables of a schema: their definitions and their rows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chatsim.db.session import Session
from chatsim.worlds.world import TableContents

__all__ = ["contents"]

_NEXT_NUMBER = re.compile(r" AUTO_INCREMENT=\d+")


async def contents(session: Session) -> Mapping[str, TableContents]:
    """The tables, views and triggers of the session's schema, by name. Triggers are called ``trigger …``."""
    tables, triggers = await session.script("SHOW FULL TABLES; SHOW TRIGGERS")
    found: dict[str, TableContents] = {}
    kinds = {str(name): str(kind) for name, kind in tables.rows}
    if kinds:
        shown = await session.script("; ".join(f"SHOW CREATE TABLE {_quoted(name)}" for name in kinds))
        texts = {name: str(rows.rows[0][1]) for name, rows in zip(kinds, shown, strict=True)}
        for name, kind in kinds.items():
            rows = (await session.execute(f"SELECT * FROM {_quoted(name)}")).rows if kind == "BASE TABLE" else ()  # noqa: S608
            found[name] = TableContents(_lines(texts[name]), rows)
    for row in triggers.rows:
        found[f"trigger {row[0]}"] = TableContents((" ".join(map(str, row[1:5])),))
    return found


def _lines(text: str) -> tuple[str, ...]:
    """The lines of a definition, without the next number of its AUTO_INCREMENT column."""
    return tuple(line.strip().rstrip(",") for line in _NEXT_NUMBER.sub("", text).splitlines())


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
