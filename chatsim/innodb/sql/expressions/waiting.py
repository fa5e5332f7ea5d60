"""What an expression has to wait for. An expression is a plain function and can't wait itself.

Its function raises `Needed`. Whoever evaluates the expression gets what is needed, and evaluates it again
(`chatsim.innodb.sql.executor.subqueries.evaluated`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatsim.innodb.sql.expressions.environment import Env
from chatsim.innodb.storage.values import Value

__all__ = ["Needed", "WaitNeeded"]


class Needed(Exception):  # noqa: N818 - nothing has gone wrong
    """Something is needed that takes time."""

    async def answer(self, run: Any) -> None:
        """Get it, in the run of a statement."""
        raise NotImplementedError

    def forget(self) -> None:
        """The expression has its value: for the next row, it may be needed again."""


class WaitNeeded(Needed):
    """GET_LOCK or SLEEP is to be called, which takes time.

    Args:
        name: which of them.
        key: where its value is put.
        env: the environment of the expression.
        arguments: the values of its arguments.
    """

    def __init__(self, name: str, key: int, env: Env, arguments: Sequence[Value]) -> None:
        super().__init__()
        self._name = name
        self._key = key
        self._env = env
        self._arguments = arguments

    async def answer(self, run: Any) -> None:
        """Call it. Raises a `DatabaseError`."""
        self._env.found[self._key] = await run.session.waiting_function(self._name, self._arguments)

    def forget(self) -> None:
        """The next row calls it again."""
        self._env.found.pop(self._key, None)
