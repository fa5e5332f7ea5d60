"""System variables: what ``SET`` sets and ``@@name`` reads (MySQL manual, "Server System Variables").

A variable is obeyed (`_SETTERS`), or it changes nothing that the model shows (`_HARMLESS`), or it may only keep the
value that it has (`_FIXED`). Any other one that the server has is refused by its name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.innodb.server import sql_mode
from chatsim.innodb.server.transactions import SessionTransaction
from chatsim.innodb.server.variable_names import NAMES, OPTIMIZER_SWITCH
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["set_global_variable", "set_system_variable", "system_variable", "system_variables"]

_SWITCHES = {"1": 1, "on": 1, "true": 1, "0": 0, "off": 0, "false": 0}

_LONGEST_WAIT = 31_536_000  # seconds: a year

_FIXED: Mapping[str, Value] = {
    "big_tables": 0,
    "character_set_client": "utf8mb4",
    "character_set_connection": "utf8mb4",
    "character_set_database": "utf8mb4",
    "character_set_results": "utf8mb4",
    "character_set_server": "utf8mb4",
    "collation_connection": "utf8mb4_0900_ai_ci",
    "collation_database": "utf8mb4_0900_ai_ci",
    "collation_server": "utf8mb4_0900_ai_ci",
    "completion_type": "NO_CHAIN",
    "default_storage_engine": "InnoDB",
    "div_precision_increment": 4,
    "explicit_defaults_for_timestamp": 1,
    "innodb_strict_mode": 1,
    "innodb_table_locks": 1,
    "max_join_size": 2**64 - 1,
    "optimizer_prune_level": 1,
    "optimizer_search_depth": 62,
    "sql_auto_is_null": 0,
    "sql_big_selects": 1,
    "sql_generate_invisible_primary_key": 0,
    "sql_require_primary_key": 0,
    "sql_safe_updates": 0,
    "sql_select_limit": 2**64 - 1,
}
"""Variables that the model has with one value, their default."""

_HARMLESS: Mapping[str, Value] = {
    "group_concat_max_len": 1024,
    "information_schema_stats_expiry": 86400,
    "innodb_ft_enable_stopword": 1,
    "interactive_timeout": 28800,
    "lc_messages": "en_US",
    "lc_time_names": "en_US",
    "long_query_time": Decimal("10.000000"),
    "max_allowed_packet": 67_108_864,
    "max_error_count": 1024,
    "max_heap_table_size": 16_777_216,
    "max_sort_length": 1024,
    "min_examined_row_limit": 0,
    "net_read_timeout": 30,
    "net_write_timeout": 60,
    "profiling": 0,
    "read_buffer_size": 131_072,
    "read_rnd_buffer_size": 262_144,
    "session_track_gtids": "OFF",
    "session_track_schema": 1,
    "session_track_state_change": 0,
    "sort_buffer_size": 262_144,
    "sql_log_bin": 1,
    "sql_log_off": 0,
    "sql_notes": 1,
    "sql_quote_show_create": 1,
    "sql_warnings": 0,
    "tmp_table_size": 16_777_216,
    "unique_checks": 1,
    "updatable_views_with_limit": "YES",
    "wait_timeout": 28800,
}
"""Variables that may be set to anything, with their defaults: what they do shows nowhere in the model."""

_OF_SERVER: Mapping[str, Value] = {
    "innodb_buffer_pool_size": 134_217_728,
    "innodb_deadlock_detect": 1,
    "innodb_page_size": 16_384,
    "innodb_print_all_deadlocks": 0,
    "innodb_rollback_on_timeout": 0,
    "innodb_status_output_locks": 0,
    "lower_case_table_names": 0,
    "max_connections": 151,
    "read_only": 0,
    "super_read_only": 0,
    "system_time_zone": "UTC",
    "version": "9.7.4",
    "version_comment": "the model of chatsim",
    "version_compile_os": "Linux",
}
"""Variables of the server, which a session can't set."""

_PRINTED = ("innodb_print_all_deadlocks", "innodb_status_output", "innodb_status_output_locks", "general_log")
"""Variables of the server that say what is written into files which the model does not have."""


def system_variable(session: SessionTransaction, name: str) -> Value:
    """The value of ``@@name``. Raises a `DatabaseError` (1193); `NotImplementedError` for one that the model lacks."""
    found = _state(session)
    if name in found:
        return found[name]
    if name in NAMES:
        raise unsupported(f"@@{name}")
    raise database_error(1193, f"Unknown system variable '{name}'")


def system_variables(session: SessionTransaction) -> dict[str, Value]:
    """All variables that the model has, by their names in order; switches are ON or OFF."""
    found = {name: value for name, value in _state(session).items() if name != "database"}
    return {name: ("OFF", "ON")[int(str(found[name]))] if name in _SWITCHED else found[name] for name in sorted(found)}


_SWITCHED = {
    *(
        "autocommit",
        "foreign_key_checks",
        "unique_checks",
        "transaction_read_only",
        "log_bin",
        "big_tables",
        "profiling",
    ),
    *("innodb_deadlock_detect", "innodb_rollback_on_timeout", "innodb_print_all_deadlocks", "read_only"),
    *("innodb_status_output_locks", "super_read_only", "innodb_strict_mode", "innodb_table_locks"),
    *(name for name in (*_FIXED, *_HARMLESS) if name.startswith(("sql_", "session_track_s", "explicit"))),
} - {"sql_mode", "sql_select_limit"}


def _state(session: SessionTransaction) -> dict[str, Value]:
    durability = session.engine.log.durability
    return {
        **_OF_SERVER,
        **_FIXED,
        **_HARMLESS,
        **session.settings,
        "autocommit": int(session.autocommit),
        "database": session.database,
        "foreign_key_checks": int(session.checks_foreign_keys),
        "max_execution_time": session.max_execution_time,
        "identity": session.last_insert_id,
        "innodb_autoinc_lock_mode": session.engine.autoinc_lock_mode,
        "innodb_flush_log_at_trx_commit": durability.flush_log_at_trx_commit,
        "innodb_lock_wait_timeout": int(session.lock_wait_timeout),
        "last_insert_id": session.last_insert_id,
        "lock_wait_timeout": int(session.metadata_lock_timeout),
        "log_bin": durability.log_bin,
        "optimizer_switch": ",".join(OPTIMIZER_SWITCH),
        "pseudo_thread_id": session.connection_id,
        "sql_mode": session.sql_mode,
        "sync_binlog": durability.sync_binlog,
        "time_zone": session.settings.get("time_zone", "SYSTEM"),
        "timestamp": session.clock(),
        "transaction_isolation": session.isolation.replace(" ", "-"),
        "transaction_read_only": int(session.reads_only),
    }


async def set_system_variable(session: SessionTransaction, name: str, value: Value, *, once: bool) -> None:
    """Set a system variable of a session.

    Args:
        session: the session.
        name: in lower case.
        value: its new value.
        once: for the next transaction only: so does ``SET @@transaction_isolation``.

    Raises:
        DatabaseError: there is no such variable, or it can't have that value.
        NotImplementedError: the model does not have the variable, or has another value of it.
    """
    default = isinstance(value, str) and value.upper() == "DEFAULT"
    if name in _SETTERS:
        await _SETTERS[name](session, name, _DEFAULTS[name] if default else value, once)
    elif name in _FIXED or name in _HARMLESS:
        usual = _FIXED.get(name, _HARMLESS.get(name))
        wanted = usual if default else _like(name, usual, value)
        if name in _FIXED and as_text(wanted).lower() != as_text(_FIXED[name]).lower():
            _check_charset(name, as_text(wanted))
        session.settings[name] = wanted
    elif name in ("version", "version_comment", "hostname", "log_bin", "innodb_page_size", "innodb_autoinc_lock_mode"):
        raise database_error(1238, f"Variable '{name}' is a read only variable")
    elif name in _OF_SERVER or name in ("innodb_flush_log_at_trx_commit", "sync_binlog"):
        raise database_error(1229, f"Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL")
    elif name in NAMES or name == "password":
        raise unsupported(f"SET {name}")
    else:
        raise database_error(1193, f"Unknown system variable '{name}'")


def set_global_variable(name: str) -> None:
    """SET GLOBAL: what is written into files may be set; the model shows none. Raises as `set_system_variable`."""
    if name in _PRINTED:
        return
    if name in NAMES:
        raise unsupported(f"SET GLOBAL {name}")
    raise database_error(1193, f"Unknown system variable '{name}'")


def _check_charset(name: str, value: str) -> None:
    """Raise `NotImplementedError` for a value that the model does not have; texts of UTF-8 are all alike to it."""
    if name.startswith("character_set_") and value.lower() in ("utf8mb4", "utf8mb3", "utf8", "null", "binary"):
        return
    raise unsupported(f"{name} = {value}")


def _like(name: str, default: Value, value: Value) -> Value:
    """A value, converted as the variable's default is."""
    if name in _SWITCHED:
        return _switch(name, value)
    if isinstance(default, int) and not isinstance(value, int):
        raise database_error(1232, f"Incorrect argument type to variable '{name}'")
    return "NULL" if value is None else value


def _switch(name: str, value: Value) -> int:
    on = _SWITCHES.get("NULL" if value is None else as_text(value).lower())
    if on is None:
        raise _unsettable(name, value)
    return on


def _unsettable(name: str, value: Value) -> Exception:
    shown = "NULL" if value is None else as_text(value)
    return database_error(1231, f"Variable '{name}' can't be set to the value of '{shown}'")


def _number(name: str, value: Value) -> int:
    if not isinstance(value, int):
        raise database_error(1232, f"Incorrect argument type to variable '{name}'")
    return value


async def _set_autocommit(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    on = bool(_switch(name, value))
    if on and not session.autocommit:
        await session.commit()
    session.autocommit = on


async def _set_isolation(session: SessionTransaction, name: str, value: Value, once: bool) -> None:  # noqa: FBT001
    words = as_text(value).upper()
    level = next((each for each in Isolation if each.value.replace(" ", "-") == words), None)
    if level is None:
        raise _unsettable(name, value)
    session.set_isolation(level, once=once)


async def _set_read_only(session: SessionTransaction, name: str, value: Value, once: bool) -> None:  # noqa: FBT001
    session.set_read_only(bool(_switch(name, value)), once=once)


async def _set_lock_wait(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    session.lock_wait_timeout = float(min(max(_number(name, value), 1), 1_073_741_824))


async def _set_metadata_wait(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    session.metadata_lock_timeout = float(min(max(_number(name, value), 1), _LONGEST_WAIT))


async def _set_foreign_keys(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    session.checks_foreign_keys = bool(_switch(name, value))


async def _set_execution_time(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    session.max_execution_time = min(max(_number(name, value), 0), 4_294_967_295)


async def _set_timestamp(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    if not isinstance(value, int | float | Decimal):
        raise database_error(1232, f"Incorrect argument type to variable '{name}'")
    if value < 0:
        raise _unsettable(name, value)
    session.fixed_time = timedelta(microseconds=int(Decimal(str(value)) * 10**6)) if value else None


async def _set_mode(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    if value is None:
        raise _unsettable(name, value)
    session.sql_mode = sql_mode.normalized(value)
    session.strict = sql_mode.is_strict(session.sql_mode)
    if sql_mode.is_mixed(session.sql_mode):
        session.note(3135, "'NO_ZERO_DATE', 'NO_ZERO_IN_DATE' and 'ERROR_FOR_DIVISION_BY_ZERO' go with strict mode.")


async def _set_time_zone(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    if as_text(value).upper() not in ("SYSTEM", "UTC", "+00:00", "-00:00"):
        raise unsupported(f"{name} = '{as_text(value)}'")
    session.settings[name] = value


async def _set_optimizer_switch(_: SessionTransaction, name: str, value: Value, __: bool) -> None:  # noqa: FBT001
    for each in as_text(value).lower().replace(" ", "").split(","):
        if each not in (*OPTIMIZER_SWITCH, "default") and not each.endswith("=default"):
            raise unsupported(f"{name} = '{each}'")


async def _set_log_bin(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    if session.under_way:
        raise database_error(1694, f"Cannot modify @@session.{name} inside a transaction")
    session.settings[name] = _switch(name, value)


async def _set_last_id(session: SessionTransaction, name: str, value: Value, _: bool) -> None:  # noqa: FBT001
    session.last_insert_id = _number(name, value)


_Setter: TypeAlias = Callable[[SessionTransaction, str, Value, bool], Awaitable[None]]

_SETTERS: Mapping[str, _Setter] = {
    "autocommit": _set_autocommit,
    "foreign_key_checks": _set_foreign_keys,
    "identity": _set_last_id,
    "innodb_lock_wait_timeout": _set_lock_wait,
    "last_insert_id": _set_last_id,
    "lock_wait_timeout": _set_metadata_wait,
    "max_execution_time": _set_execution_time,
    "optimizer_switch": _set_optimizer_switch,
    "sql_log_bin": _set_log_bin,
    "sql_mode": _set_mode,
    "time_zone": _set_time_zone,
    "timestamp": _set_timestamp,
    "transaction_isolation": _set_isolation,
    "transaction_read_only": _set_read_only,
}
"""The variables that are obeyed."""

_DEFAULTS: Mapping[str, Value] = {
    "autocommit": 1,
    "foreign_key_checks": 1,
    "identity": 0,
    "innodb_lock_wait_timeout": 50,
    "last_insert_id": 0,
    "lock_wait_timeout": _LONGEST_WAIT,
    "max_execution_time": 0,
    "optimizer_switch": "default",
    "sql_log_bin": 1,
    "sql_mode": sql_mode.DEFAULT,
    "time_zone": "SYSTEM",
    "timestamp": 0,
    "transaction_isolation": "REPEATABLE-READ",
    "transaction_read_only": 0,
}
