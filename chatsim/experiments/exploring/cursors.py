"""Callers of a kind of cursor, for an exploration: some write, one follows, and nothing may be skipped.

What is new may be a message, a thread, or a change of a message. A reader that has learned of a change reads the
messages of the thread again; what it has at the end is compared with the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from chatsim.chat import schema
from chatsim.chat.protocol import OutgoingText
from chatsim.chat.server.store.texts import Batch
from chatsim.db.session import Session
from chatsim.experiments.catchup.cursors import Cursor, CursorKind, Found
from chatsim.experiments.exploring.patterns import News
from chatsim.exploration.callers import Caller, Program
from chatsim.exploration.choices import Switches
from chatsim.exploration.execution import Execution
from chatsim.exploration.problem import Problem, Setup
from chatsim.exploration.questions import ENDS, NO_DEADLOCK, Question

__all__ = ["cursor_questions", "writers_and_reader"]

_READER, _OTHER, _THREAD = 1, 2, 1
_STRANGER = 3
"""The first of those with whom the reader has no thread yet."""
_FOLLOWER = "reader"
_HOLDS: Mapping[News, str] = {
    "messages": "the reader gets every message",
    "threads": "the reader learns of every new thread",
    "changes": "the reader learns of every change of a message",
}
_MESSAGES = "SELECT message_id FROM chat_message"
_THREADS = "SELECT id FROM chat_thread"
_CONTENTS = "SELECT message_id, content FROM chat_message"


def writers_and_reader(
    kind: CursorKind, *, writers: int, looks: int, news: News = "messages", switches: Switches
) -> Problem:
    """Writers of one thing each, and a reader that looks some times and goes on from its cursor.

    Args:
        kind: the kind of cursor.
        writers: how many writers.
        looks: how often the reader looks before all writers have ended; it looks once more then.
        news: what a writer does: it stores a text in a thread, creates a thread, or changes a message.
        switches: what may happen besides.
    """
    write = {"messages": _write, "threads": _create, "changes": _change}[news]
    users = range(_READER, _STRANGER + (writers if news == "threads" else 0))
    named = ", ".join(f"({uid}, 'user{uid}', '{uid}@example.org')" for uid in users)
    rows = (
        f"INSERT INTO user (uid, name, email) VALUES {named}",  # noqa: S608
        f"INSERT INTO chat_thread (id, type) VALUES ({_THREAD}, 'private')",  # noqa: S608
        f"INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES ({_THREAD}, {_READER}, {_OTHER})",  # noqa: S608
        *(_messages(kind, writers) if news == "changes" else ()),
    )
    return Problem(
        Setup((*schema.statements(kind.schema), *kind.tables, *rows)),
        (
            *(Caller(f"writer{at + 1}", partial(write, kind, at), kind.isolation) for at in range(writers)),
            Caller(_FOLLOWER, _follow(kind, looks, news), kind.isolation),
        ),
        switches,
    )


def cursor_questions(kind: CursorKind, news: News = "messages") -> list[Question]:
    """What is asked about a kind of cursor."""
    return [
        ENDS,
        NO_DEADLOCK,
        Question("skipped", _HOLDS[news], at_end=partial(_skips, kind, news)),
    ]


def _messages(kind: CursorKind, count: int) -> list[str]:
    """The messages that are there before, one for each writer."""
    numbered = kind.schema == "hardened"
    columns = "message_id, thread_id, sender_id, recv_id, content" + (", seq, unique_id" if numbered else "")
    rows = ", ".join(
        f"({at}, {_THREAD}, {_OTHER}, {_READER}, 'text {at}'{f', {at}, {at}' if numbered else ''})"
        for at in range(1, count + 1)
    )
    last = [f"UPDATE chat_thread SET last_seq = {count} WHERE id = {_THREAD}"] if numbered else []  # noqa: S608
    return [f"INSERT INTO chat_message ({columns}) VALUES {rows}", *last]  # noqa: S608


# --- writers


async def _write(kind: CursorKind, number: int, tx: Session) -> object:
    sender, receiver = (_READER, _OTHER) if number % 2 else (_OTHER, _READER)
    texts = [OutgoingText(f"text {number}", f"{number}")]
    return tuple(await kind.write(tx, Batch(_THREAD, sender, receiver, texts)))


async def _create(kind: CursorKind, number: int, tx: Session) -> object:
    """A thread of the reader with somebody new."""
    stranger = _STRANGER + number
    await tx.begin()
    thread = (await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
    chat = "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (?, ?, ?)"
    await tx.execute(chat, (thread, _READER, stranger))
    if kind.tell is not None:
        await kind.tell(tx, thread, (_READER, stranger), 0)
    await tx.commit()
    return thread


async def _change(kind: CursorKind, number: int, tx: Session) -> object:
    message = number + 1
    await tx.begin()
    await tx.execute("UPDATE chat_message SET content = 'changed' WHERE message_id = ?", (message,))
    if kind.tell is not None:
        await kind.tell(tx, _THREAD, (_READER, _OTHER), message)
    await tx.commit()
    return message


# --- the reader


@dataclass(frozen=True)
class _Known:
    """What the reader knows: its cursor, and what it has got. Contents are those that it has read last."""

    cursor: Cursor
    messages: tuple[int, ...] = ()
    threads: tuple[int, ...] = (_THREAD,)
    contents: tuple[tuple[int, str], ...] = ()


def _follow(kind: CursorKind, looks: int, news: News) -> Program:
    async def follow(tx: Session) -> object:
        known = _Known(kind.begin([_THREAD]), contents=await _contents(tx) if news == "changes" else ())
        for _ in range(looks):
            known = await _look(kind, news, known, tx)
        return known

    return follow


async def _look(kind: CursorKind, news: News, known: _Known, tx: Session) -> _Known:
    found: Found = await kind.read(tx, _READER, known.cursor)
    changed = {*found.threads, *(thread for thread, _ in found.messages)}
    contents = await _contents(tx) if news == "changes" and changed else known.contents
    messages = tuple(message for _, message in found.messages)
    return _Known(found.cursor, (*known.messages, *messages), (*known.threads, *found.threads), contents)


async def _contents(tx: Session) -> tuple[tuple[int, str], ...]:
    rows = (await tx.execute(f"{_CONTENTS} WHERE thread_id = ?", (_THREAD,))).rows
    return tuple((int(str(message)), str(content)) for message, content in rows)


def _skips(kind: CursorKind, news: News, execution: Execution) -> bool:
    """Whether there is something in the tables that the reader has not got, even by a last look after all has ended."""
    known = execution.ended[-1].value
    if not isinstance(known, _Known):  # it was refused, or has died
        return False
    known = execution.alone(partial(_look, kind, news, known), kind.isolation)
    assert isinstance(known, _Known)
    has: Sequence[object] = {"messages": known.messages, "threads": known.threads, "changes": known.contents}[news]
    there = execution.query({"messages": _MESSAGES, "threads": _THREADS, "changes": _CONTENTS}[news])
    return not {row if news == "changes" else row[0] for row in there} <= {*has}
