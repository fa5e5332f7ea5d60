"""The syntax of statements about sessions: LOCK TABLES, XA, PREPARE, SHOW and others that have no rows of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sqlglot import exp

__all__ = [
    "Deallocate",
    "Execute",
    "FlushTables",
    "LockTables",
    "Prepare",
    "Show",
    "TableToLock",
    "UnlockTables",
    "Use",
    "Xa",
    "Xid",
]


class Prepare(exp.Expression):
    """``PREPARE name FROM text``: the name, and a literal or a variable."""

    arg_types: ClassVar = {"this": True, "expression": True}


class Execute(exp.Expression):
    """``EXECUTE name USING @a, …``: the name, and the variables."""

    arg_types: ClassVar = {"this": True, "expressions": False}


class Deallocate(exp.Expression):
    """``DEALLOCATE PREPARE name``."""

    arg_types: ClassVar = {"this": True}


@dataclass(frozen=True)
class TableToLock:
    """A table of LOCK TABLES: its name, the name that statements call it by, and whether it is locked to be written."""

    name: str
    alias: str
    writes: bool


class LockTables(exp.Expression):
    """``LOCK TABLES``: the list `tables`."""

    arg_types: ClassVar = {"tables": True}


class UnlockTables(exp.Expression):
    """``UNLOCK TABLES``."""

    arg_types: ClassVar = {}


class Show(exp.Expression):
    """SHOW and DESCRIBE: what is shown (``TABLES``, ``COLUMNS``, …), of which ``target``, LIKE and WHERE."""

    arg_types: ClassVar = {"this": True, "target": False, "full": False, "like": False, "where": False}


class Kill(exp.Expression):
    """``KILL``: the number of the session, and whether its ``QUERY`` or its ``CONNECTION`` is to end."""

    arg_types: ClassVar = {"this": True, "kind": True}


class Use(exp.Expression):
    """``USE`` of a schema."""

    arg_types: ClassVar = {"this": True}


class FlushTables(exp.Expression):
    """``FLUSH TABLES``, with a read lock on all tables if ``this`` says so."""

    arg_types: ClassVar = {"this": False}


@dataclass(frozen=True)
class Xid:
    """The name of a branch of a distributed transaction."""

    gtrid: str
    bqual: str = ""
    format: int = 1


class Xa(exp.Expression):
    """A statement of XA: what it does (``START``, ``END``, …), the branch, and whether it is ONE PHASE or JOIN."""

    arg_types: ClassVar = {"this": True, "xid": False, "option": False}
