"""Leading a schema with the source's tables to the hardened ones, rows in place.

MySQL commits each definition by itself, so what has been done is noted statement by statement; a run that was broken
off goes on where it stopped. Only if the server dies between a definition and its note does the next run stop there,
at what is there already; it says where.
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
    """A schema can't be migrated, for the reason in the message; what was done before stays done."""


async def migrate(session: Session, said: Callable[[str], None]) -> int:
    """Apply what has not been applied yet to the session's schema; returns how many statements that were.

    Args:
        session: in the schema.
        said: told the name of each migration that is applied.

    Raises:
        MigrationError: the schema has not the source's tables, or is hardened by birth; somebody else is at it; or a
            statement failed, for instance at a row that refers to nothing.
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
                said(name)
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
    if missing := {statement.split()[2] for statement in schemas.statements("seed")} - tables:
        raise MigrationError(f"the schema has not the source's tables; missing: {', '.join(sorted(missing))}")


async def _apply(session: Session, name: str, at: int, statement: str) -> None:
    try:
        await session.execute(statement)
        await session.execute(f"INSERT INTO {_NOTES} VALUES (?, ?)", (name, at))  # noqa: S608
    except DatabaseError as error:
        raise MigrationError(f"{name}, statement {at}: {error}") from error
