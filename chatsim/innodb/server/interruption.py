"""KILL: the end of a wait that is not one for a row (manual, "KILL Statement")."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error

__all__ = ["Interruption"]


class Interruption:
    """What KILL does to the statement of a session.

    Attributes:
        ends_session: whether the session has to end with its statement (KILL CONNECTION).
    """

    def __init__(self) -> None:
        self.ends_session = False
        self._task: asyncio.Task[object] | None = None
        self._came = False

    @contextmanager
    def possible(self) -> Iterator[None]:
        """Run the block as a wait that KILL ends. Raises a `DatabaseError` if it does (1317, 2013)."""
        self._task = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            if self._came and self._task is not None and not self._task.uncancel():
                raise self.error() from None
            raise
        finally:
            self._task, self._came = None, False

    def error(self) -> DatabaseError:
        """The error of a statement that is killed."""
        if self.ends_session:
            return database_error(2013, "Lost connection to MySQL server during query")
        return database_error(1317, "Query execution was interrupted")

    def come(self) -> None:
        """End the wait, if there is one."""
        if self._task is not None and not self._came:
            self._came = True
            self._task.cancel()
