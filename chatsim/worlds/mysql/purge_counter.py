"""The server's counter ``purge_invoked``: switched on for a while, and everything put back afterwards.

It is the one global setting that chatsim changes on a server that a user has named. The server has one purge, so that
only one session at a time may use the counter; the others wait for an advisory lock.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chatsim.db.errors import DatabaseError
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.driver import MySQLSession

__all__ = ["COUNTER", "counting_purges"]

COUNTER = "purge_invoked"
"""Counts how often the purge has begun. (MySQL manual, "InnoDB INFORMATION_SCHEMA Metrics Table")"""

_log = logging.getLogger(__name__)
_WAIT_FOR_LOCK = "DO GET_LOCK('chatsim_purge', -1)"
_VARIABLES = ("innodb_monitor_enable", "innodb_monitor_disable")


@dataclass(frozen=True)
class _MonitorSettings:
    """What ``innodb_monitor_enable`` and ``innodb_monitor_disable`` say, and which counters are on."""

    enable: str | None
    disable: str | None
    counters: frozenset[str]


@asynccontextmanager
async def counting_purges(session: MySQLSession, url: str) -> AsyncIterator[None]:
    """Have the server count for the block; then put its settings back, also after an error or a cancellation.

    A counter that is on already is left alone.

    Args:
        session: its user needs PROCESS and SYSTEM_VARIABLES_ADMIN.
        url: of the server. A new connection puts the settings back if a cancellation has cost the session its own.

    Raises:
        DatabaseError: a right is missing, or the connection is lost.
    """
    await session.execute(_WAIT_FOR_LOCK)
    before = await _read(session)
    if COUNTER in before.counters:
        yield
        return
    try:
        await session.execute(f"SET GLOBAL innodb_monitor_enable = '{COUNTER}'")
        yield
    finally:
        await _put_back(session, url, before)


async def _read(session: MySQLSession) -> _MonitorSettings:
    values, enabled = await session.script(
        "SELECT @@GLOBAL.innodb_monitor_enable, @@GLOBAL.innodb_monitor_disable;"
        " SELECT NAME FROM information_schema.INNODB_METRICS WHERE STATUS = 'enabled'"
    )
    enable, disable = (None if value is None else str(value) for value in values.rows[0])
    return _MonitorSettings(enable, disable, frozenset(str(name) for (name,) in enabled.rows))


async def _put_back(session: MySQLSession, url: str, before: _MonitorSettings) -> None:
    try:
        try:
            await _restore(session, before)
        except DatabaseError:
            session = await driver.connect(url)
            try:
                await session.execute(_WAIT_FOR_LOCK)  # it is free once the old connection has ended, and not before
                await _restore(session, before)
            finally:
                await session.close()
    except DatabaseError as error:
        _log.warning("the counter %s may be left enabled on the server: %s", COUNTER, error)


async def _restore(session: MySQLSession, before: _MonitorSettings) -> None:
    await session.script(f"ROLLBACK; SET GLOBAL innodb_monitor_disable = '{COUNTER}'")
    for name, value in zip(_VARIABLES, (before.enable, before.disable), strict=True):
        await _set(session, name, value)
    # to set a variable to its old text repeats an old command, which may switch counters once more
    counters = (await _read(session)).counters
    for counter in sorted(before.counters - counters):
        await _set(session, "innodb_monitor_enable", counter)
    for counter in sorted(counters - before.counters):
        await _set(session, "innodb_monitor_disable", counter)


async def _set(session: MySQLSession, name: str, value: str | None) -> None:
    await session.execute(f"SET GLOBAL {name} = {'DEFAULT' if value is None else driver.literal(value)}")
