"""Migrating a schema with the source's tables to the hardened ones, with all rows.

MySQL commits each DDL statement by itself. Therefore each statement that was applied is noted in a table, and an
interrupted run goes on where it has stopped. If the server dies between a statement and its note, the next run stops at
this statement, because its result exists already, and the error names it.
"""

from __future__ import annotations

from collections.abc import Callable

from chatsim.chat import schema as schemas
from chatsim.db.errors import DatabaseError
from chatsim.db.session import Session

__all__ = ["MigrationError", "migrate"]

_NOTES = "schema_migration"
_MAKE_NOTES = f"""
    CREATE TABLE IF NOT EXISTS {_NOTES} (
      name VARCHAR(64) NOT NULL, statement INT NOT NULL, PRIMARY KEY (name, statement)) ENGINE=InnoDB"""
_LOCK = "SELECT GET_LOCK(CONCAT('chatsim:', DATABASE()), 0)"
_UNLOCK = "DO RELEASE_LOCK(CONCAT('chatsim:', DATABASE()))"


class MigrationError(Exception):
    """A schema can't be migrated. The message has the reason. Statements that were applied before stay applied."""


async def migrate(session: Session, report: Callable[[str], None]) -> int:
    """Apply all migrations that have not been applied to the session's schema. Returns the number of statements.

    Args:
        session: a session in the schema.
        report: called with the name of each migration that is applied.

    Raises:
        MigrationError: the schema does not have the source's tables, or was created hardened; another migration is
            running; or a statement failed, for instance because a row refers to a missing one.
    """
    if (await session.execute(_LOCK)).scalar() != 1:
        raise MigrationError("somebody else is migrating this schema")
    try:
        await _check(session)
        await session.execute(_MAKE_NOTES)
        done = {(str(name), at) for name, at in (await session.execute(f"SELECT * FROM {_NOTES}")).rows}  # noqa: S608
        count = 0
        for name, statements in schemas.migrations().items():
            left = [(at, each) for at, each in enumerate(statements, start=1) if (name, at) not in done]
            if left:
                report(name)
            for at, statement in left:
                await _apply(session, name, at, statement)
                count += 1
        return count
    finally:
        await session.execute(_UNLOCK)


async def _check(session: Session) -> None:
    tables = {str(name) for (name,) in (await session.execute("SHOW TABLES")).rows}
    if _NOTES in tables:
        return
    if "user_thread" in tables:
        raise MigrationError("the schema was made of the hardened tables: there is nothing to migrate")
    if missing := {statement.split()[2] for statement in schemas.statements("source")} - tables:
        raise MigrationError(f"the schema has not the source's tables; missing: {', '.join(sorted(missing))}")


async def _apply(session: Session, name: str, at: int, statement: str) -> None:
    try:
        await session.execute(statement)
        await session.execute(f"INSERT INTO {_NOTES} VALUES (?, ?)", (name, at))  # noqa: S608
    except DatabaseError as error:
        raise MigrationError(f"{name}, statement {at}: {error}") from error
