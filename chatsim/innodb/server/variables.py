"""Session variables: what ``SET`` sets and ``@@name`` reads (MySQL manual, "SET Syntax for Variable Assignment")."""

from __future__ import annotations

from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.innodb.server.transactions import SessionTransaction
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["set_system_variable", "system_variable"]

_SWITCH = {"1": True, "on": True, "true": True, "0": False, "off": False, "false": False}


def system_variable(session: SessionTransaction, name: str) -> Value:
    """The value of ``@@name``. Raises a `DatabaseError`."""
    durability = session.engine.log.durability
    known: dict[str, Value] = {
        "autocommit": int(session.autocommit),
        "transaction_isolation": session.isolation.replace(" ", "-"),
        "innodb_lock_wait_timeout": int(session.lock_wait_timeout),
        "innodb_autoinc_lock_mode": session.engine.autoinc_lock_mode,
        "innodb_flush_log_at_trx_commit": durability.flush_log_at_trx_commit,
        "log_bin": durability.log_bin,
        "sync_binlog": durability.sync_binlog,
    }
    if name not in known:
        raise database_error(1193, f"Unknown system variable '{name}'")
    return known[name]


async def set_system_variable(session: SessionTransaction, name: str, value: Value, *, once: bool) -> None:
    """Set a system variable of a session.

    Args:
        session: the session.
        name: in lower case.
        value: its new value.
        once: for the next transaction only: so does ``SET @@transaction_isolation``.

    Raises:
        DatabaseError: there is no such variable, or it can't have that value.
    """
    refusal = f"Variable '{name}' can't be set to the value of '{'NULL' if value is None else as_text(value)}'"
    match name:
        case "autocommit":
            on = _SWITCH.get(as_text(value).lower())
            if on is None:
                raise database_error(1231, refusal)
            if on and not session.autocommit:
                await session.commit()
            session.autocommit = on
        case "transaction_isolation":
            words = as_text(value).upper()
            level = next((each for each in Isolation if each.value.replace(" ", "-") == words), None)
            if level is None:
                raise database_error(1231, refusal)
            session.set_isolation(level, once=once)
        case "innodb_lock_wait_timeout":
            if not isinstance(value, int):
                raise database_error(1232, f"Incorrect argument type to variable '{name}'")
            session.lock_wait_timeout = float(value)
        case "sql_mode":
            session.strict = "STRICT_" in as_text(value).upper() or as_text(value).upper() == "TRADITIONAL"
        case "time_zone" | "character_set_client":
            pass  # the model has one of each
        case _:
            raise database_error(1193, f"Unknown system variable '{name}'")
