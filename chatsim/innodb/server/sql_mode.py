"""``sql_mode``: what the server lets pass (MySQL manual, "Server SQL Modes")."""

from __future__ import annotations

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["DEFAULT", "is_mixed", "is_strict", "normalized"]

_TAKEN = (
    *("IGNORE_SPACE", "ONLY_FULL_GROUP_BY", "NO_DIR_IN_CREATE", "NO_AUTO_VALUE_ON_ZERO", "STRICT_TRANS_TABLES"),
    *("STRICT_ALL_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE", "ERROR_FOR_DIVISION_BY_ZERO", "TRADITIONAL"),
    "NO_ENGINE_SUBSTITUTION",
)
"""The modes that the model has, or which change nothing in it, in the server's order."""

_REFUSED = (
    *("ALLOW_INVALID_DATES", "ANSI", "ANSI_QUOTES", "HIGH_NOT_PRECEDENCE", "NO_BACKSLASH_ESCAPES"),
    *("NO_UNSIGNED_SUBTRACTION", "PAD_CHAR_TO_FULL_LENGTH", "PIPES_AS_CONCAT", "REAL_AS_FLOAT"),
    "TIME_TRUNCATE_FRACTIONAL",
)

_TRADITIONAL = (
    *("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE", "ERROR_FOR_DIVISION_BY_ZERO"),
    "NO_ENGINE_SUBSTITUTION",
)

DEFAULT = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
"""The server's own."""


def normalized(value: Value) -> str:
    """A mode as the server shows it.

    Raises:
        DatabaseError: there is no such mode (1231).
        NotImplementedError: the model does not have it.
    """
    words = [each.strip().upper() for each in as_text(value).split(",") if each.strip()]
    for each in words:
        if each in _REFUSED:
            raise unsupported(f"sql_mode {each}")
        if each not in _TAKEN:
            raise database_error(1231, f"Variable 'sql_mode' can't be set to the value of '{each}'")
    found = {*words, *(_TRADITIONAL if "TRADITIONAL" in words else ())}
    return ",".join(each for each in _TAKEN if each in found)


def is_mixed(mode: str) -> bool:
    """Whether a mode has checks that belong to a strict mode without it, or the other way round: then SET warns."""
    checks = [each in mode for each in ("NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ERROR_FOR_DIVISION_BY_ZERO")]
    return not all(checks) if is_strict(mode) else any(checks)


def is_strict(mode: str) -> bool:
    """Whether a value that a column can't store is an error."""
    return "STRICT_" in mode
