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
        self._error: DatabaseError | None = None

    @contextmanager
    def possible(self) -> Iterator[None]:
        """Run the block as a wait that KILL ends. Raises a `DatabaseError` if it does (1317, 2013)."""
        self._task = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            if self._error is not None and self._task is not None and not self._task.uncancel():
                raise self._error from None
            raise
        finally:
            self._task = self._error = None

    def error(self) -> DatabaseError:
        """The error of a statement that is killed."""
        if self.ends_session:
            return database_error(2013, "Lost connection to MySQL server during query")
        return database_error(1317, "Query execution was interrupted")

    def come(self, error: DatabaseError) -> None:
        """End the wait, if there is one, with an error."""
        if self._task is not None and self._error is None:
            self._error = error
            self._task.cancel()
