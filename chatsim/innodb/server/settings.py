"""What a session's system variables have set."""

from __future__ import annotations

from datetime import datetime, timedelta

from chatsim.innodb.server import sql_mode
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.storage.values import Value

__all__ = ["SessionSettings"]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a column has no time zone


class SessionSettings:
    """The settings of a session, as they are at first.

    Args:
        engine: the server.

    Attributes:
        engine: the server.
        autocommit: a statement outside of a transaction is one of its own.
        reads_only: the session's transactions are READ ONLY unless they say otherwise.
        lock_wait_timeout: the longest wait for a lock on rows, in seconds.
        metadata_lock_timeout: the longest wait for a lock on a table's definition, in seconds.
        checks_foreign_keys: ``foreign_key_checks``.
        max_execution_time: after how many milliseconds a SELECT is interrupted; 0 is never.
        sql_mode: the modes, as the server shows them.
        strict: whether a value that a column can't store is an error.
        database: the name of the current schema, of which the model has one.
        fixed_time: what ``timestamp`` was set to, since the epoch; None if the clock goes.
        settings: other variables that have been set.
        last_insert_id: what LAST_INSERT_ID() gives.
        noted: the warnings of the current statement so far, but for those about rows.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.autocommit = True
        self.reads_only = False
        self.lock_wait_timeout = 50.0
        self.metadata_lock_timeout = 31_536_000.0
        self.checks_foreign_keys = True
        self.max_execution_time = 0
        self.sql_mode = sql_mode.DEFAULT
        self.strict = True
        self.database = "chatsim"
        self.fixed_time: timedelta | None = None
        self.settings: dict[str, Value] = {}
        self.last_insert_id = 0
        self.noted: list[tuple[int, str]] = []

    def note(self, errno: int, message: str) -> None:
        """Note a warning of the current statement."""
        self.noted.append((errno, message))

    @property
    def zero_is_a_number(self) -> bool:
        """Whether 0 in an AUTO_INCREMENT column is no request for a new value."""
        return "NO_AUTO_VALUE_ON_ZERO" in self.sql_mode

    @property
    def groups_fully(self) -> bool:
        """Whether a query may name only what its groups determine."""
        return "ONLY_FULL_GROUP_BY" in self.sql_mode

    @property
    def warns_of_zero_divisors(self) -> bool:
        """Whether a division by 0 is a warning, and in a strict mode an error."""
        return "ERROR_FOR_DIVISION_BY_ZERO" in self.sql_mode

    def now(self, digits: int = 0) -> datetime:
        """The moment, in UTC, with some digits of a second."""
        moment = self.engine.now(exact=digits > 0) if self.fixed_time is None else _EPOCH + self.fixed_time
        unit = 10 ** (6 - digits)
        return moment.replace(microsecond=moment.microsecond // unit * unit)

    def clock(self) -> float:
        """Seconds since the epoch, as ``@@timestamp`` shows them."""
        moment = self.engine.now(exact=True) if self.fixed_time is None else _EPOCH + self.fixed_time
        return (moment - _EPOCH) / timedelta(seconds=1)
