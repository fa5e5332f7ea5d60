"""One execution: callers on a modelled server, of whom somebody says who goes next."""

from __future__ import annotations

import hashlib
import itertools
import marshal
import re
from collections.abc import Awaitable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatsim.db.deadlock import Deadlock
from chatsim.db.errors import DatabaseError, DeadlockError
from chatsim.db.session import Isolation, Rows
from chatsim.exploration.callers import Caller, Ended, Program, Status
from chatsim.exploration.checkpoint import ServerCheckpoint
from chatsim.exploration.choices import Choice
from chatsim.exploration.client import Client, Past, alone
from chatsim.exploration.independence import is_at_rest
from chatsim.exploration.problem import FIRST_ID, Problem, Server
from chatsim.exploration.state import Form
from chatsim.exploration.suspended import UnknownPartError
from chatsim.innodb.server.session import EngineSession

__all__ = ["Checkpoint", "Execution", "Happened"]


@dataclass(frozen=True)
class Happened:
    """A step of an execution.

    Attributes:
        choice: what was chosen.
        sql: the statements that were executed; none for a choice without any.
        args: their arguments.
        answers: the callers whose statements ended in it, with what they were answered, in order.
        deadlocks: the deadlocks of InnoDB's locks that were resolved in it.
        unreported: how many callers were told in it that they were the victim of another deadlock.
        released: the callers whose connections ended in it with locks that others may have waited for.
    """

    choice: Choice
    sql: str = ""
    args: Sequence[object] = ()
    answers: Sequence[tuple[int, Sequence[Rows] | DatabaseError]] = ()
    deadlocks: Sequence[Deadlock] = ()
    unreported: int = 0
    released: Sequence[int] = ()


@dataclass(frozen=True)
class Checkpoint:
    """An execution between two steps, in which no statement is under way.

    Attributes:
        server: what the server has.
        callers: what each caller has been through.
        counts: how many callers may still die, replies be lost, and waits take too long; and how many victims of
            deadlocks have not been told yet.
        steps: what has happened so far.
        served: the connections, by their numbers, and whose they are.
    """

    server: ServerCheckpoint
    callers: Sequence[Past]
    counts: tuple[int, int, int, int]
    steps: Sequence[Happened]
    served: Mapping[int, int]


_ID = re.compile(rf"(?<!\d){FIRST_ID // 1_000_000}\d{{6}}(?!\d)")
"""An opaque id. All have as many digits, so that texts with other ids in their places are in the same order."""


class Execution:
    """Callers on a server of their own, between two steps.

    Args:
        problem: what is run.
        server: where; a new one if it is not given.
        checkpoint: one of another execution on this server, from which it goes on; None: it begins.

    Attributes:
        engine: the server.
        steps: what has happened so far.
    """

    def __init__(self, problem: Problem, server: Server | None = None, checkpoint: Checkpoint | None = None) -> None:
        self._problem = problem
        self._switches = problem.switches
        self._server = server or Server(problem)
        self._loop = self._server.loop
        self.engine = self._server.start() if checkpoint is None else checkpoint.server.restore()
        self._deaths, self._losses, self._timeouts = (
            *(self._switches.deaths, self._switches.losses),
            self._switches.timeouts,
        )
        self.steps: list[Happened] = []
        self._answered: list[tuple[int, Sequence[Rows] | DatabaseError]] = []
        self._released: list[int] = []
        self._deadlocks: list[Deadlock] = []
        self._victims = 0  # those that have not been told yet
        self._served: dict[int, int] = {}  # connections, by their numbers, and whose they are
        self._go_on: list[int] = []  # the callers that have gone on in this step
        self._clients = [
            Client(number, each, self, problem.switches.retries) for number, each in enumerate(problem.callers)
        ]
        self.engine.on_deadlock = self._note_deadlock
        self.engine.after_record = self._pause if problem.switches.inside else None
        if checkpoint is not None:
            self._resume(checkpoint)
            return
        for client in self._clients:
            client.start(self._loop)
            self._loop.run(client.number)  # up to its first statement, which concerns nobody else

    def _resume(self, checkpoint: Checkpoint) -> None:
        self._deaths, self._losses, self._timeouts, self._victims = checkpoint.counts
        self.steps = [*checkpoint.steps]
        self._served = dict(checkpoint.served)
        sessions = self.engine.sessions
        for client, past in zip(self._clients, checkpoint.callers, strict=True):
            session = None if past.session is None else sessions[past.session]
            assert session is None or isinstance(session, EngineSession)
            client.resume(self._loop, past, session)

    def checkpoint(self) -> Checkpoint | None:
        """What others may go on from; None while a statement is under way, or if the server can't be copied."""
        callers = [past for each in self._clients if (past := each.past) is not None]
        if len(callers) < len(self._clients) or self._server.redefined:
            return None
        try:
            server = ServerCheckpoint(self.engine)
        except UnknownPartError:
            return None
        counts = (self._deaths, self._losses, self._timeouts, self._victims)
        return Checkpoint(server, callers, counts, [*self.steps], dict(self._served))

    # -- what may happen next

    @property
    def choices(self) -> list[Choice]:
        """What may happen next; nothing at the end."""
        ready = self._loop.ready
        if ready:
            return [Choice("first", caller) for caller in ready]
        asking = [each.number for each in self._clients if each.status is Status.ASKS]
        waiting = [each.number for each in self._clients if each.status is Status.WAITS]
        found = [Choice("go", caller) for caller in asking]
        found += [Choice("on", each.number) for each in self._clients if each.status is Status.PAUSES]
        if self._deaths:
            found += [Choice("die", caller) for caller in asking if self._clients[caller].asked]
        if self._losses:
            found += [Choice("lose", caller) for caller in asking]
        found += [Choice("wake", caller) for caller in waiting if self._clients[caller].sleeps]
        waiting = [caller for caller in waiting if not self._clients[caller].sleeps]
        if self._timeouts:
            found += [Choice("time out", caller) for caller in waiting if self._loop.waits_in_time(caller)]
        return found

    @property
    def own(self) -> Choice | None:
        """One of `choices` whose statement concerns nobody else: if it lets nobody go on, it alone suffices."""
        if self._deaths or self._losses:  # which may happen at each statement
            return None
        going = [each for each in self.choices if each.kind == "go"]
        found = [each for each in going if self._clients[each.caller].concerns_nobody(self.engine)]
        if len(found) < 2:
            return found[0] if found else None
        return min(found, key=lambda each: repr(self._clients[each.caller].form()))  # whoever is in whose place

    @property
    def stuck(self) -> list[str]:
        """The names of callers that wait for each other for ever, at the end."""
        return [each.caller.name for each in self._clients if each.status is Status.WAITS]

    def take(self, choice: Choice, server: bytes = b"") -> Happened:
        """Let one of `choices` happen, up to the next time there is one to make.

        Args:
            choice: what happens.
            server: the digest of the server at this moment, if digests are wanted.

        Raises:
            NotImplementedError: the model does not know a statement.
            Exception: a caller's program is broken.
        """
        client = self._clients[choice.caller]
        asked = client.request
        match choice.kind:
            case "go" | "on":
                client.go()
            case "die":
                self._deaths -= 1
                client.die()
            case "lose":
                self._losses -= 1
                client.loses = True
                client.go()
            case "wake":
                self._loop.time_out(choice.caller)
            case "time out":
                self._timeouts -= 1
                self._loop.time_out(choice.caller)
        self._go_on = [choice.caller]
        self._loop.run(choice.caller)
        self._settle()
        for number in dict.fromkeys(self._go_on):
            self._clients[number].found(server)
        sql, args = asked if choice.kind in ("go", "lose") and asked else ("", ())
        answers, self._answered = self._answered, []
        deadlocks, self._deadlocks = self._deadlocks, []
        released, self._released = self._released, []
        self._victims += len(deadlocks)  # a victim that waits behind others is told in a later step
        told = sum(isinstance(answer, DeadlockError) for _, answer in answers)
        unreported = max(told - self._victims, 0)
        self._victims -= told - unreported
        happened = Happened(choice, sql, args, answers, deadlocks, unreported, released)
        self.steps.append(happened)
        return happened

    def _settle(self) -> None:
        """Let callers go on while there is nothing to choose, and let purge do its work."""
        while True:
            ready = self._loop.ready
            if len(ready) > 1:
                return
            if ready:
                self._go_on.append(ready[0])
                self._loop.run(ready[0])
            elif not self._loop.complete(self._purge()):
                return

    def _note_deadlock(self, found: Deadlock) -> None:
        self._deadlocks.append(found.named({session: self._name(session) for session in self._served}))

    async def _pause(self) -> None:
        """Let others go on, after a record that a caller's statement has met."""
        if self._loop.caller is not None:
            await self._clients[self._loop.caller].pause()

    async def _purge(self) -> bool:
        return self.engine.purge()

    # -- what has become of it

    def digest(self) -> tuple[bytes, bytes]:
        """Two digests of the state: of all of it, and of the server alone.

        The first is equal for two states from which the same can happen, with callers that are alike in each other's
        place.
        """
        forms = [each.form() for each in self._clients]
        groups = _groups(self._problem.callers, forms)
        order = tuple(itertools.chain(*groups))
        met: set[int] = set()
        found = self._digest(order, forms, met)
        if len(groups) == len(order):
            return found
        orders = _orders(groups, {self._served[session] for session in met if session in self._served})
        return min(found if each == order else self._digest(each, forms, met) for each in orders)

    def _digest(self, order: Sequence[int], forms: Sequence[Any], met: set[int]) -> tuple[bytes, bytes]:
        """The digests with the callers in an order. The sessions that have a part in the server's form are added."""
        place = {caller: at for at, caller in enumerate(order)}
        label = {session: place[caller] for session, caller in self._served.items()}

        def named(session: int) -> int:
            met.add(session)
            return label.get(session, -1)

        form = Form(
            *(self.engine, named, self._server.plans),
            callers=len(self._clients),
            redefined=self._server.redefined,
        )
        server = form.whole()
        clients = (
            tuple((forms[caller], self._clients[caller].knowledge(form)) for caller in order),
            tuple(place[caller] for caller in self._loop.ready),
            (self._deaths, self._losses, self._timeouts),
        )
        renames = self._problem.opaque_ids and form.suffices
        return _hashed((server, clients), renames=renames), _hashed(server)

    @property
    def ended(self) -> list[Ended]:
        """What has become of the callers."""
        return [each.ended() for each in self._clients]

    def query(self, sql: str) -> Sequence[tuple[object, ...]]:
        """The rows of a query, outside of all transactions. To be called at the end. Raises a `DatabaseError`."""
        (*_, answer) = self._loop.complete(EngineSession(self.engine).run(sql))
        return answer.rows or []

    def alone(self, program: Program, isolation: Isolation) -> object:
        """What a program returns that runs when all callers have ended. Raises what it raises."""
        session = EngineSession(self.engine)
        session.isolation = isolation
        try:
            return self._loop.complete(_result(program(alone(session))))
        finally:
            session.close()

    def close(self) -> None:
        """Give up what is under way."""
        for each in self._clients:
            each.close()
        for each in self._clients:
            self._loop.run(each.number)

    # -- for its clients

    def connect(self, caller: int, isolation: Isolation) -> EngineSession:
        """A new connection of a caller."""
        session = EngineSession(self.engine)
        session.isolation = isolation
        self._served[session.connection_id] = caller
        return session

    def disconnect(self, caller: int, session: EngineSession) -> None:
        """End a connection of a caller."""
        if not is_at_rest(self.engine, session):
            self._released.append(caller)
        session.close()

    def note(self, caller: int, answer: Sequence[Rows] | DatabaseError) -> None:
        """Note that a caller's statement has ended."""
        self._answered.append((caller, answer))

    def _name(self, session: int) -> str:
        return self._clients[self._served[session]].caller.name


async def _result(work: Awaitable[object]) -> object:
    return await work


def _hashed(whole: Any, *, renames: bool = False) -> bytes:
    return hashlib.blake2b(_renamed(whole) if renames else marshal.dumps(whole, 2), digest_size=16).digest()


def _renamed(whole: Any) -> bytes:
    """A form as text, with the rank of each opaque id in its place."""
    text = repr(whole)
    ranks = {each: str(rank) for rank, each in enumerate(sorted({*_ID.findall(text)}))}
    return _ID.sub(lambda found: f"id {ranks[found.group()]}", text).encode()


def _groups(callers: Sequence[Caller], forms: Sequence[Any]) -> list[list[int]]:
    """The callers, those together who are alike and in the same place: they may stand for each other."""
    groups: dict[Any, list[int]] = {}
    for number, caller in enumerate(callers):
        kind = ("like", caller.alike) if caller.alike is not None else ("only", number)
        groups.setdefault((repr(kind), repr(forms[number])), []).append(number)
    return [groups[key] for key in sorted(groups)]


def _orders(groups: Sequence[Sequence[int]], concerned: Container[int]) -> list[tuple[int, ...]]:
    """The orders of callers to try: any of those within a group who have a part in the server's state, and the others.

    Which of the others is where makes no difference.
    """
    parts = []
    for group in groups:
        others = [each for each in group if each not in concerned]
        parts.append([(*each, *others) for each in itertools.permutations([one for one in group if one in concerned])])
    return [tuple(itertools.chain(*each)) for each in itertools.product(*parts)]
