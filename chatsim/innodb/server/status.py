"""The status variables of the server: manual, "Server Status Variables". Those that the model counts have a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.status_names import STATUS_NAMES

__all__ = ["status_variables"]

_COUNTED: Mapping[str, Callable[[Engine], int]] = {
    "Connections": lambda engine: engine.opened,
    "Innodb_page_size": lambda _: 16384,
    "Innodb_row_lock_current_waits": lambda engine: len(engine.locks.waits.waiting),
    "Innodb_row_lock_time": lambda engine: _milliseconds(engine.locks.waits.seconds),
    "Innodb_row_lock_time_avg": lambda engine: (
        _milliseconds(engine.locks.waits.seconds) // max(engine.locks.waits.started, 1)
    ),
    "Innodb_row_lock_time_max": lambda engine: _milliseconds(engine.locks.waits.longest),
    "Innodb_row_lock_waits": lambda engine: engine.locks.waits.started,
    "Threads_cached": lambda _: 0,
    "Threads_connected": lambda engine: len(engine.sessions),
    "Threads_created": lambda engine: engine.opened,
    "Threads_running": lambda engine: sum(each.works for each in engine.sessions.values()),
}


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def status_variables(engine: Engine) -> Iterator[tuple[str, int | None]]:
    """All status variables, with their values; None for what the model does not count."""
    for name in STATUS_NAMES:
        counted = _COUNTED.get(name)
        yield name, None if counted is None else counted(engine)
