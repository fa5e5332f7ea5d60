"""The context of a session's statements: its transaction, its variables, its user-level locks (MySQL's THD)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.transactions import SessionTransaction
from chatsim.innodb.server.variables import system_variable
from chatsim.innodb.storage.values import Value

__all__ = ["StatementContext"]


class StatementContext(SessionTransaction):
    """What statements may ask of the session that runs them.

    Args:
        engine: the server.
        connection_id: the number of the session.
        waits: whether its commits take time; those of other sessions are on disk at once.

    Attributes:
        variables: its ``@variables``.
        last_insert_id: what LAST_INSERT_ID() gives.
        named_insert_id: what the current statement has said LAST_INSERT_ID() is to give.
    """

    def __init__(self, engine: Engine, connection_id: int, *, waits: bool) -> None:
        super().__init__(engine, connection_id, waits=waits)
        self.variables: dict[str, Value] = {}
        self.last_insert_id = 0
        self.named_insert_id: int | None = None

    @property
    def reads_whole_rows(self) -> bool:
        """Whether a row that is written is read whole before: the binary log has it so (row format, full images)."""
        return bool(self.engine.log.durability.log_bin)

    @property
    def numbers_ahead(self) -> bool:
        """Whether AUTO_INCREMENT values are reserved before the rows are inserted."""
        return self.engine.autoinc_lock_mode != 0

    def now(self) -> datetime:
        """The moment."""
        return self.engine.now()

    def system_variable(self, name: str) -> Value:
        """The value of ``@@name``. Raises a `DatabaseError`."""
        return system_variable(self, name)

    async def get_lock(self, name: Value, seconds: Value) -> Value:
        """GET_LOCK. Raises a `DatabaseError`."""
        return await self.engine.user_locks.get_lock(self.connection_id, name, seconds)

    def advisory(self, function: str, arguments: Sequence[Value]) -> Value:
        """RELEASE_LOCK, RELEASE_ALL_LOCKS, IS_FREE_LOCK, IS_USED_LOCK. Raises a `DatabaseError`."""
        return self.engine.user_locks.function(self.connection_id, function, arguments)
