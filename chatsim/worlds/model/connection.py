"""A connection to the database server of the model: requests that cross the network, are executed, and are answered.

A request that has arrived is executed to its end, with the commit that is in it, whatever becomes of the connection and
of the client. So does MySQL: it looks at a connection again when it has something to send.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from chatsim.db.mysql import database_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatsim.innodb.server.commit_log import Commit
    from chatsim.innodb.server.session import EngineSession
    from chatsim.innodb.sql.executor.execution import Answer
    from chatsim.worlds.model.network import ModelNetwork
    from chatsim.worlds.model.server import ModelServer

__all__ = ["HOST", "Connection"]

HOST = "mysql"
"""The server's host."""


class Connection:
    """One connection, from a host to the server.

    Args:
        server: the server.
        network: what lies between.
        session: the server's end.
        host: the client's host.

    Attributes:
        session: as given.
    """

    def __init__(self, server: ModelServer, network: ModelNetwork, session: EngineSession, host: str) -> None:
        self.session = session
        self._server = server
        self._network = network
        self._host = host
        self._requests = 0  # on their way to the server, or being executed
        self._lost = False  # nobody waits for answers any more
        self._cut = False  # and nothing more comes through
        self._waiting: asyncio.Future[list[Answer]] | None = None  # the client, for an answer
        network.opened(host, HOST, self)

    @property
    def closed(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._lost or self.session.closed

    async def ask(
        self, sql: str, args: Sequence[object], heard: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        """Have statements executed in one round trip.

        Args:
            sql: the statements.
            args: their arguments.
            heard: is called when the answer to a statement has come, except for the last one.

        Raises:
            DatabaseError: a statement failed, or the connection is lost.
            NotImplementedError: the model does not understand one; the message names the construct.
        """
        if self._lost:
            raise database_error(2006, "MySQL server has gone away")
        self._server.round_trips += 1
        self._requests += 1
        waiting: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._network.send(self._host, HOST, self._arrived, sql, args, waiting, heard)
        return await waiting

    def cut(self) -> None:
        """Break it: what is under way is lost, and both ends notice it at once."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(database_error(2013, "Lost connection to MySQL server during query"))
        self._cut = True
        self.close()

    def close(self) -> None:
        """The client has gone. The server notices it when it has executed what it was asked."""
        self._lost = True
        self._network.closed(self._host, HOST, self)
        if not self._requests:
            self.session.close()

    # -- at the server

    def _arrived(
        self,
        sql: str,
        args: Sequence[object],
        waiting: asyncio.Future[list[Answer]],
        heard: Callable[[Answer], None] | None,
    ) -> None:
        if not self._cut:
            asyncio.get_running_loop().create_task(self._serve(sql, args, waiting, heard))
            return
        self._requests -= 1
        self.session.close()

    async def _serve(
        self,
        sql: str,
        args: Sequence[object],
        waiting: asyncio.Future[list[Answer]],
        heard: Callable[[Answer], None] | None,
    ) -> None:
        outcome: list[Answer] | Exception
        answered = None if heard is None else partial(self._network.send, HOST, self._host, heard)
        try:
            outcome = await self._server.execute(self.session, sql, args, answered)
        except Exception as error:  # noqa: BLE001 - it is the client's
            outcome = error
        self._requests -= 1
        commits, self.session.unanswered = self.session.unanswered, []
        if self._lost:
            self._server.engine.log.lost(commits)
            self.session.close()
            return
        self._server.engine.log.answered(commits)
        self._network.send(HOST, self._host, self._answered, waiting, outcome, commits)

    # -- at the client

    def _answered(
        self, waiting: asyncio.Future[list[Answer]], outcome: list[Answer] | Exception, commits: Sequence[Commit]
    ) -> None:
        if waiting.done():  # the client has gone, or the connection was cut meanwhile
            self._server.engine.log.fates.unanswered += len(commits)
        elif isinstance(outcome, Exception):
            waiting.set_exception(outcome)
        else:
            waiting.set_result(outcome)
