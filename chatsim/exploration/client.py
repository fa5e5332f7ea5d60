"""A caller's end of its connection, of which somebody else says when its statements are executed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from chatsim.db.errors import ConnectionLostError, DatabaseError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation, Rows, Session
from chatsim.db.text import arguments, placeholders, statements
from chatsim.exploration.callers import RETRIED, Caller, Ended, Status
from chatsim.exploration.independence import concerns_nobody
from chatsim.exploration.state import Form, session_form
from chatsim.exploration.stepped_loop import SteppedLoop
from chatsim.exploration.suspended import UnknownPartError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.executor.execution import Answer

__all__ = ["Client", "Past", "Served", "alone"]


class Served(Protocol):
    """What a client needs of the execution that it is in."""

    def connect(self, caller: int, isolation: Isolation) -> EngineSession:
        """A new connection of a caller."""
        ...

    def disconnect(self, caller: int, session: EngineSession) -> None:
        """End a connection of a caller."""
        ...

    def note(self, caller: int, answer: Sequence[Rows] | DatabaseError) -> None:
        """Note that a caller's statement has ended."""
        ...


@dataclass(frozen=True, slots=True)
class _Answered:
    answer: list[Rows] | DatabaseError
    under_way: bool  # whether a transaction was open then


@dataclass(frozen=True)
class Past:
    """What a caller has been through whose statement is not under way: with the program, it tells where it is.

    Attributes:
        answers: what it was answered, in all its tries.
        session: the number of its connection, if it has one.
        died: whether its connection is gone, and so is it.
        unknown: whether a reply of a try that could have taken effect was lost.
    """

    answers: Sequence[_Answered]
    session: int | None
    died: bool
    unknown: bool


class Client:
    """A caller's end of its connection: it runs the program, and tries again after a refusal.

    Args:
        number: the caller's.
        caller: what it does.
        execution: gives it connections.
        retries: how often it tries again.

    Attributes:
        number, caller: as given.
        request: the statements that it asks for, or that are under way, with their arguments.
        status: where it is.
        loses: whether the reply to the statement under way is lost.
        asked: how many times it has asked for something that was executed.
    """

    def __init__(self, number: int, caller: Caller, execution: Served, retries: int) -> None:
        self.number = number
        self.caller = caller
        self.request: tuple[str, Sequence[object]] | None = None
        self.status = Status.WAITS
        self.loses = False
        self.asked = 0
        self._execution = execution
        self._retries = retries
        self._turn: asyncio.Future[None] | None = None
        self._known: list[object] = []  # the answers to this try: with the program, they tell where it is
        self._statement: Coroutine[Any, Any, list[Answer]] | None = None  # the one under way
        self._seen: list[bytes] = []  # what it has found the server like
        self._refusals: list[DatabaseError] = []
        self._unknown = False
        self._refused = False
        self._value: object = None
        self._answers: list[_Answered] = []  # to all tries
        self._again: deque[_Answered] = deque()  # what the program is answered at once, since it was already
        self._was_under_way = False
        self._session: EngineSession | None = None
        self._task: asyncio.Task[None] | None = None

    # -- for the execution

    def start(self, loop: SteppedLoop) -> None:
        """Begin the program, up to its first statement."""
        self._task = loop.start(self.number, self._run())

    def go(self) -> None:
        """Have the statement executed that it asks for, or the one that pauses go on."""
        assert self._turn is not None
        self._turn.set_result(None)

    def die(self) -> None:
        """Be gone, with the connection."""
        self.status = Status.DIED
        self._known = []
        self.close()

    def close(self) -> None:
        """Give up the program, and end the connection."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
        if self._session is not None:
            self._session.close()
            self._session = None

    @property
    def past(self) -> Past | None:
        """What it has been through; None if its statement is under way."""
        if self.status in (Status.WAITS, Status.PAUSES):
            return None
        number = None if self._session is None else self._session.connection_id
        return Past([*self._answers], number, died=self.status is Status.DIED, unknown=self._unknown)

    def resume(self, loop: SteppedLoop, past: Past, session: EngineSession | None) -> None:
        """Begin the program, up to where it was, with its connection."""
        self._again.extend(past.answers)
        self.start(loop)
        loop.run(self.number)
        assert not self._again, "the program does something else when it is answered the same"
        self._session, self._was_under_way, self._unknown = session, False, past.unknown
        if past.died:
            self.die()
            loop.run(self.number)

    @property
    def under_way(self) -> bool:
        """Whether a transaction is open."""
        return self._was_under_way if self._session is None else self._session.under_way

    @property
    def sleeps(self) -> bool:
        """Whether its statement is in SLEEP()."""
        return self._session is not None and self._session.sleeps

    def concerns_nobody(self, engine: Engine) -> bool:
        """Whether the statement that it asks for concerns nobody else."""
        return self.request is not None and concerns_nobody(self.request[0], engine, self._session)

    def found(self, server: bytes) -> None:
        """Note what the server was like when the caller went on. A statement that waits has known nothing else."""
        if self.status in (Status.WAITS, Status.PAUSES):
            self._seen.append(server)

    def form(self) -> tuple[Any, ...]:
        """What decides about what it does next, beside the server and what its statement under way knows."""
        session = None if self._session is None else session_form(self._session)
        request = None if self.request is None else (self.request[0], tuple(map(repr, self.request[1])))
        kinds = tuple(type(each).__name__ for each in self._refusals)
        return (
            *(self.status.value, request, tuple(map(repr, self._known)), kinds),
            *(repr(self._value), self._refused, self._unknown, self.loses, self.asked > 0, session),
        )

    def knowledge(self, server: Form) -> object:
        """What its statement under way knows: its variables, or else what it has found the server like."""
        if self._statement is None or self.request is None:
            return None
        try:
            return server.knowledge(self._statement, self.request[0])
        except UnknownPartError:
            return tuple(self._seen)

    def ended(self) -> Ended:
        """What has become of the caller so far."""
        return Ended(
            *(self.caller.name, self._value, tuple(self._refusals)),
            refused=self._refused,
            died=self.status is Status.DIED,
            unknown=self._unknown,
        )

    # -- the caller's work

    async def _run(self) -> None:
        left = self._retries
        with suppress(asyncio.CancelledError):
            while True:
                self._known = []
                try:
                    self._value = await self.caller.program(_ClientSession(self))
                    break
                except DatabaseError as error:
                    self._refusals.append(error)
                    if not left or not isinstance(error, RETRIED):
                        self._refused = True
                        break
                    left -= 1
                    if isinstance(error, ConnectionLostError) or self.under_way:
                        self._disconnect()
                except Exception as error:  # noqa: BLE001 - the program is broken: whoever explores raises it
                    asyncio.get_running_loop().call_exception_handler({"exception": error})
                    break
            self.status = Status.ENDED
            self._known, self.request = [], None
            self._disconnect()

    def _disconnect(self) -> None:
        self._was_under_way = False  # of the connection that a program had which is run again
        if self._session is not None:
            self._execution.disconnect(self.number, self._session)
            self._session = None

    @property
    def session(self) -> EngineSession:
        """The server's end of the connection; a new one if it has none."""
        if self._session is None:
            self._session = self._execution.connect(self.number, self.caller.isolation)
        return self._session

    async def pause(self) -> None:
        """Let others go on, within a statement."""
        self._turn = asyncio.get_running_loop().create_future()
        self.status = Status.PAUSES
        await self._turn
        self._turn = None
        self.status = Status.WAITS

    async def ask(self, sql: str, args: Sequence[object]) -> list[Rows]:
        """Execute statements, each when it is the caller's turn: others may go between them. Raises `DatabaseError`."""
        args = arguments(sql, args)
        left, found = list(args), []
        for each in statements(sql):
            own = placeholders(each)
            found += await self._ask_one(each, left[:own])
            left = left[own:]
        return found

    async def _ask_one(self, sql: str, args: Sequence[object]) -> list[Rows]:
        self.request = (sql, args)
        self.status = Status.ASKS
        if self._again:
            self.asked += 1
            answered = self._again.popleft()
            self._was_under_way = answered.under_way
            return self._reply(answered.answer)
        self._turn = asyncio.get_running_loop().create_future()
        await self._turn
        self._turn = None
        self.status = Status.WAITS
        self.asked += 1
        answer: list[Rows] | DatabaseError
        try:
            self._statement = self.session.run(sql, args)
            answer = [_rows(each) for each in await self._statement]
        except DatabaseError as error:
            error.statement = sql
            answer = error
        finally:
            self._statement = None
        if self.loses:
            self.loses = False
            self._unknown = True
            self._disconnect()
            answer = database_error(2013, "Lost connection to MySQL server during query")
        self._seen = []
        self._execution.note(self.number, answer)
        return self._reply(answer)

    def _reply(self, answer: list[Rows] | DatabaseError) -> list[Rows]:
        """Give the program an answer. Raises `DatabaseError`."""
        self._answers.append(_Answered(answer, self.under_way))
        self.request = None
        self._known.append(_known(answer))
        if isinstance(answer, DatabaseError):
            raise answer.with_traceback(None)
        return [*answer]


class _Alone:
    """A connection whose statements are executed at once."""

    def __init__(self, session: EngineSession) -> None:
        self.session = session

    @property
    def under_way(self) -> bool:
        return self.session.under_way

    async def ask(self, sql: str, args: Sequence[object]) -> list[Rows]:
        args = arguments(sql, args)
        return [_rows(each) for each in await self.session.run(sql, args)]


def alone(session: EngineSession) -> Session:
    """A `Session` on a connection whose statements are executed at once."""
    return _ClientSession(_Alone(session))


class _ClientSession:
    """The `Session` of a caller."""

    def __init__(self, client: Client | _Alone) -> None:
        self._client = client

    @property
    def in_transaction(self) -> bool:
        return self._client.under_way

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        return (await self._client.ask(sql, args))[0]

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        return await self._client.ask(sql, args)

    async def begin(self, isolation: Isolation | None = None) -> None:
        await self.script("BEGIN" if isolation is None else f"SET TRANSACTION ISOLATION LEVEL {isolation.value}; BEGIN")

    async def commit(self) -> None:
        await self.script("COMMIT")

    async def rollback(self) -> None:
        await self.script("ROLLBACK")


def _known(answer: Sequence[Rows] | DatabaseError) -> object:
    if isinstance(answer, DatabaseError):
        return (answer.errno, answer.message)
    return [(each.rows, each.affected, each.last_id) for each in answer]


def _rows(answer: Answer) -> Rows:
    return Rows(answer.rows or (), answer.affected, answer.insert_id)
