"""Callers of a kind of cursor, for an exploration: some write, one follows, and nothing may be skipped."""

from __future__ import annotations

from functools import partial

from chatsim.chat import schema
from chatsim.chat.protocol import OutgoingText
from chatsim.chat.server.store.texts import Batch
from chatsim.db.session import Session
from chatsim.experiments.catchup.cursors import Cursor, CursorKind, Found
from chatsim.exploration.callers import Caller, Program
from chatsim.exploration.choices import Switches
from chatsim.exploration.execution import Execution
from chatsim.exploration.problem import Problem, Setup
from chatsim.exploration.questions import ENDS, NO_DEADLOCK, Question

__all__ = ["cursor_questions", "writers_and_reader"]

_READER, _OTHER, _THREAD = 1, 2, 1
_FOLLOWER = "reader"


def writers_and_reader(kind: CursorKind, *, writers: int, looks: int, switches: Switches) -> Problem:
    """Writers that store one text each in a thread, and a reader that looks some times and goes on from its cursor.

    Args:
        kind: the kind of cursor.
        writers: how many writers.
        looks: how often the reader looks before all writers have ended; it looks once more then.
        switches: what may happen besides.
    """
    users = ", ".join(f"({uid}, 'user{uid}', '{uid}@example.org')" for uid in (_READER, _OTHER))
    rows = (
        f"INSERT INTO user (uid, name, email) VALUES {users}",  # noqa: S608
        f"INSERT INTO chat_thread (id, type) VALUES ({_THREAD}, 'private')",  # noqa: S608
        f"INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES ({_THREAD}, {_READER}, {_OTHER})",  # noqa: S608
    )
    return Problem(
        Setup((*schema.statements(kind.schema), *kind.tables, *rows)),
        (
            *(Caller(f"writer{at + 1}", partial(_write, kind, at), kind.isolation) for at in range(writers)),
            Caller(_FOLLOWER, _follow(kind, looks), kind.isolation),
        ),
        switches,
    )


def cursor_questions(kind: CursorKind) -> list[Question]:
    """What is asked about a kind of cursor."""
    return [
        ENDS,
        NO_DEADLOCK,
        Question("skipped", "the reader gets every message", at_end=partial(_skips, kind)),
    ]


async def _write(kind: CursorKind, number: int, tx: Session) -> object:
    sender, receiver = (_READER, _OTHER) if number % 2 else (_OTHER, _READER)
    texts = [OutgoingText(f"text {number}", f"{number}")]
    return tuple(await kind.write(tx, Batch(_THREAD, sender, receiver, texts)))


def _follow(kind: CursorKind, looks: int) -> Program:
    async def follow(tx: Session) -> object:
        cursor, found = kind.begin([_THREAD]), []
        for _ in range(looks):
            seen = await kind.read(tx, _READER, cursor)
            cursor = seen.cursor
            found += [message for _, message in seen.messages]
        return (tuple(found), tuple(cursor.items()))

    return follow


def _skips(kind: CursorKind, execution: Execution) -> bool:
    """Whether a message is in the table that the reader has not got, even by a last look after all has ended."""
    reader = execution.ended[-1]
    if not isinstance(reader.value, tuple):  # it was refused, or has died
        return False
    found, cursor = reader.value
    last = execution.alone(partial(_look, kind, dict(cursor)), kind.isolation)
    assert isinstance(last, Found)
    got = {*found, *(message for _, message in last.messages)}
    return not {message for (message,) in execution.query("SELECT message_id FROM chat_message")} <= got


async def _look(kind: CursorKind, cursor: Cursor, tx: Session) -> Found:
    return await kind.read(tx, _READER, cursor)
