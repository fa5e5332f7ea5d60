"""Kinds of cursor: how a client knows what it has not seen yet, and how messages are written for that.

AUTO_INCREMENT gives a message its id at the insert; the row is visible after the commit. Of two transactions the one
with the smaller id may commit last, and a reader whose cursor has passed this id never sees the message
(docs/source.md, P3, P4). The kinds differ only in how they prevent that. The text of each says what it bets on, and
what writer and reader pay.

A kind writes a batch of texts in one transaction, and reads what is new to a user. The cursor is a number for each
thread. For kinds that number the events of a user, it is one number for the user, under the key `USER`; `user_version`
adds, for each thread with news, the number of its last message and, under the thread's negative id, that of the last
change of a message. Only these kinds can report anything except new messages: a thread that is new to a user, whenever
it was created, or a message that has changed (P3, P7). With the others a reader must read its whole thread list again,
and never learns of a change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chatsim.chat.server.store.texts import Batch, HardenedTexts, SourceTexts
from chatsim.chat.server.store.threads import changed
from chatsim.db.session import Isolation, Session

__all__ = ["CURSORS", "USER", "Cursor", "CursorKind", "Found"]

USER = 0
"""The key of a cursor that belongs to the user and not to a thread. No thread has this id."""

Cursor = Mapping[int, int]


@dataclass(frozen=True)
class Found:
    """What a reader has found.

    Attributes:
        messages: thread id and message id of each message, in the order of the cursor's numbers.
        cursor: the new cursor.
        threads: new or changed threads, for a kind that numbers the events of a user.
    """

    messages: Sequence[tuple[int, int]]
    cursor: Cursor
    threads: Sequence[int] = ()


Write = Callable[[Session, Batch], Awaitable[Sequence[int]]]
Read = Callable[[Session, int, Cursor], Awaitable[Found]]
Tell = Callable[[Session, int, Sequence[int], int], Awaitable[None]]


@dataclass(frozen=True)
class CursorKind:
    """A kind of cursor.

    Attributes:
        name: its name.
        write: ``async (tx, batch) -> message ids``: stores a batch in a transaction of its own.
        read: ``async (tx, uid, cursor) -> Found``: reads everything that is new to a user.
        tell: ``async (tx, thread, users, message) -> None``: notes within a transaction that a message has changed, or,
            if ``message`` is 0, that the thread has changed or is new to these users. None if it can't note that.
        bet: what it bets on, and its price; `inspect.cleandoc` removes the indentation.
        schema: the schema that it needs, a name in ``chat/schema``.
        tables: more tables that it needs, as SQL.
        safe: whether it loses nothing, in whatever order transactions commit.
        rereads: whether it reads messages again that it has read, so that a reader expects them twice.
        by_id: whether it reads the messages of a thread in the order of their ids.
        isolation: the isolation level of its sessions.
    """

    name: str
    write: Write = field(repr=False)
    read: Read = field(repr=False)
    bet: str = field(repr=False)
    schema: str
    tables: tuple[str, ...] = ()
    tell: Tell | None = field(default=None, repr=False)
    safe: bool = True
    rereads: bool = False
    by_id: bool = True
    isolation: Isolation = Isolation.READ_COMMITTED

    @property
    def per_user(self) -> bool:
        """Whether it numbers the events of a user, so that the cursor is one number for the user."""
        return self.tell is not None

    def begin(self, threads: Iterable[int]) -> Cursor:
        """The cursor of a reader that has seen nothing."""
        return {USER: 0} if self.per_user else dict.fromkeys(threads, 0)


# --- by message id


def _stored(batch: Batch) -> tuple[str, list[object]]:
    rows = [(batch.thread, batch.sender, batch.receiver, text.content) for text in batch.texts]
    places = ", ".join(["(?, ?, ?, ?)"] * len(rows))
    insert = f"INSERT INTO chat_message (thread_id, sender_id, recv_id, content) VALUES {places}"
    return insert, [value for row in rows for value in row]


def _consecutive(first: int, count: int) -> range:
    """The ids that one statement has taken (manual: InnoDB AUTO_INCREMENT Lock Modes, simple inserts)."""
    return range(first, first + count)


async def _write_as_the_source(tx: Session, batch: Batch) -> Sequence[int]:
    await tx.begin()
    ids = []
    for text in batch.texts:  # a round trip each: docs/source.md, D6
        insert, args = _stored(Batch(batch.thread, batch.sender, batch.receiver, [text]))
        ids.append((await tx.execute(insert, args)).last_id)
    await tx.commit()
    return ids


async def _read_above(tx: Session, cursor: Cursor, floor: Cursor, most: int | None = None) -> Found:
    """All messages above the floor of each thread, up to id ``most``. The cursor never goes back."""
    bound = "" if most is None else "AND message_id <= ? "
    one = f"SELECT message_id FROM chat_message WHERE thread_id = ? AND message_id > ? {bound}ORDER BY message_id"
    args = [value for thread, after in floor.items() for value in (thread, after, *(() if most is None else (most,)))]
    found = await tx.script("; ".join([one] * len(floor)), args)
    messages = [
        (thread, int(str(number))) for thread, rows in zip(floor, found, strict=True) for (number,) in rows.rows
    ]
    return Found(messages, {**cursor, **{thread: max(cursor[thread], number) for thread, number in messages}})


async def _read_by_message_id(tx: Session, _: int, cursor: Cursor) -> Found:
    return await _read_above(tx, cursor, cursor)


_OVERLAP = 100


async def _read_overlapping(tx: Session, _: int, cursor: Cursor) -> Found:
    return await _read_above(tx, cursor, {thread: max(0, after - _OVERLAP) for thread, after in cursor.items()})


async def _write_behind_the_thread(tx: Session, batch: Batch) -> Sequence[int]:
    appended = await SourceTexts().send(tx, batch, friends=False)
    return [text.message_id for text in appended.texts]


# --- numbers that are committed in their order


async def _write_numbered(tx: Session, batch: Batch) -> Sequence[int]:
    _, locked = await tx.script("BEGIN; SELECT last_seq FROM chat_thread WHERE id = ? FOR UPDATE", (batch.thread,))
    last = locked.scalar() or 0
    rows = [
        (batch.thread, seq, batch.sender, batch.receiver, text.unique_id, text.content)
        for seq, text in enumerate(batch.texts, start=last + 1)
    ]
    places = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
    insert = f"INSERT INTO chat_message (thread_id, seq, sender_id, recv_id, unique_id, content) VALUES {places}"
    done = await tx.script(
        f"{insert}; UPDATE chat_thread SET last_seq = ? WHERE id = ?; COMMIT",
        [*(value for row in rows for value in row), last + len(rows), batch.thread],
    )
    return _consecutive(done[0].last_id, len(rows))


async def _read_by_number(tx: Session, _: int, cursor: Cursor) -> Found:
    one = "SELECT seq, message_id FROM chat_message WHERE thread_id = ? AND seq > ? ORDER BY seq"
    found = await tx.script("; ".join([one] * len(cursor)), [value for place in cursor.items() for value in place])
    by_thread = dict(zip(cursor, (rows.rows for rows in found), strict=True))
    messages = [(thread, int(str(number))) for thread, rows in by_thread.items() for _, number in rows]
    reached = {thread: int(str(rows[-1][0])) for thread, rows in by_thread.items() if rows}
    return Found(messages, {**cursor, **reached})


_LOG_TABLES = (
    """CREATE TABLE user_log_head (
      user_id BIGINT UNSIGNED NOT NULL, n BIGINT UNSIGNED NOT NULL, PRIMARY KEY (user_id)) ENGINE=InnoDB""",
    """CREATE TABLE user_log (
      user_id BIGINT UNSIGNED NOT NULL, n BIGINT UNSIGNED NOT NULL, thread_id BIGINT UNSIGNED NOT NULL,
      message_id BIGINT UNSIGNED NOT NULL, PRIMARY KEY (user_id, n)) ENGINE=InnoDB""",
)


async def _write_logged(tx: Session, batch: Batch) -> Sequence[int]:
    insert, args = _stored(batch)
    _, done = await tx.script(f"BEGIN; {insert}", args)
    ids = _consecutive(done.last_id, len(batch.texts))
    entries, args = _logged(batch.thread, (batch.sender, batch.receiver), ids)
    await tx.script(f"{entries}; COMMIT", args)
    return ids


def _logged(thread: int, users: Sequence[int], messages: Sequence[int]) -> tuple[str, list[object]]:
    """The statements, with their arguments, that log messages of a thread for users; 0 stands for the thread itself."""
    members = sorted(users)  # the same order for all, so that there is no deadlock
    rows, places = ", ".join(["(?, ?)"] * len(members)), ", ".join("?" * len(members))
    count = len(messages)
    head = f"INSERT INTO user_log_head (user_id, n) VALUES {rows} ON DUPLICATE KEY UPDATE n = n + ?"
    entry = (
        "INSERT INTO user_log (user_id, n, thread_id, message_id)"
        f" SELECT user_id, n - ?, ?, ? FROM user_log_head WHERE user_id IN ({places})"
    )
    numbers = [value for member in members for value in (member, count)]
    entries = [
        value for at, message in enumerate(messages, start=1) for value in (count - at, thread, message, *members)
    ]
    return "; ".join([head, *[entry] * count]), [*numbers, count, *entries]


async def _tell_by_log(tx: Session, thread: int, users: Sequence[int], message: int) -> None:
    sql, args = _logged(thread, users, [message])
    await tx.script(sql, args)


async def _read_log(tx: Session, uid: int, cursor: Cursor) -> Found:
    found = await tx.execute(
        "SELECT n, thread_id, message_id FROM user_log WHERE user_id = ? AND n > ? ORDER BY n", (uid, cursor[USER])
    )
    rows = [(int(str(n)), int(str(thread)), int(str(message))) for n, thread, message in found.rows]
    messages = [(thread, message) for _, thread, message in rows if message]
    threads = [thread for _, thread, message in rows if not message]
    return Found(messages, {USER: rows[-1][0]} if rows else cursor, threads)


async def _write_versioned(tx: Session, batch: Batch) -> Sequence[int]:
    appended = await HardenedTexts().send(tx, batch, friends=False)
    return [text.message_id for text in appended.texts]


async def _tell_by_version(tx: Session, thread: int, users: Sequence[int], message: int) -> None:
    if message:  # as `store.revisions` does it
        locked = await tx.execute("SELECT last_revision FROM chat_thread WHERE id = ? FOR UPDATE", (thread,))
        revision = (locked.scalar() or 0) + 1
        await tx.script(
            "UPDATE chat_message SET revision = ? WHERE message_id = ?;"
            " UPDATE chat_thread SET last_revision = ? WHERE id = ?",
            (revision, message, revision, thread),
        )
    await tx.script(*changed(thread, sorted(users)))


_NEW_AND_CHANGED = """
    SELECT seq, message_id FROM chat_message WHERE thread_id = ? AND seq > ? ORDER BY seq;
    SELECT revision, message_id FROM chat_message FORCE INDEX (idx_thread_revision)
     WHERE thread_id = ? AND revision > ? ORDER BY revision"""


async def _read_by_version(tx: Session, uid: int, cursor: Cursor) -> Found:
    news = await tx.execute(
        "SELECT version, thread_id FROM user_thread FORCE INDEX (idx_user_version)"
        " WHERE user_id = ? AND version > ? ORDER BY version",
        (uid, cursor[USER]),
    )
    if not news.rows:
        return Found((), cursor)
    threads = [int(str(thread)) for _, thread in news.rows]
    args = [value for thread in threads for value in (thread, cursor.get(thread, 0), thread, cursor.get(-thread, 0))]
    found = await tx.script("; ".join([_NEW_AND_CHANGED] * len(threads)), args)
    messages: list[tuple[int, int]] = []
    reached = {USER: int(str(news.rows[-1][0]))}
    for thread, new, revised in zip(threads, found[::2], found[1::2], strict=True):
        for key, rows in ((thread, new.rows), (-thread, revised.rows)):
            messages += [(thread, int(str(number))) for _, number in rows]
            if rows:
                reached[key] = int(str(rows[-1][0]))
    return Found([*dict.fromkeys(messages)], {**cursor, **reached}, threads)


# --- only what is older than every open transaction

_SLOTS = (
    """CREATE TABLE write_slot (
      slot BIGINT UNSIGNED NOT NULL, floor BIGINT UNSIGNED NOT NULL, PRIMARY KEY (slot)) ENGINE=InnoDB""",
)


async def _write_in_a_slot(tx: Session, batch: Batch) -> Sequence[int]:
    insert, args = _stored(batch)
    done = await tx.script(
        "INSERT INTO write_slot (slot, floor) SELECT CONNECTION_ID(), COALESCE(MAX(message_id), 0) FROM chat_message"
        " ON DUPLICATE KEY UPDATE floor = VALUES(floor);"
        f" BEGIN; SELECT floor FROM write_slot WHERE slot = CONNECTION_ID() FOR UPDATE; {insert}; COMMIT",
        args,
    )
    return _consecutive(done[3].last_id, len(batch.texts))


async def _read_below_the_watermark(tx: Session, _: int, cursor: Cursor) -> Found:
    newest, free, floors = await tx.script(
        # in this order: a transaction that begins after the first statement has larger ids, and one that has ended
        # before the last statement is seen
        "SELECT COALESCE(MAX(message_id), 0) FROM chat_message;"
        " SELECT slot FROM write_slot FOR SHARE SKIP LOCKED; SELECT slot, floor FROM write_slot"
    )
    at_rest = {slot for (slot,) in free.rows}
    open_since = [int(str(floor)) for slot, floor in floors.rows if slot not in at_rest]
    return await _read_above(tx, cursor, cursor, most=min([newest.scalar() or 0, *open_since]))


# --- the kinds


_KINDS = (
    CursorKind(
        "message_id",
        _write_as_the_source,
        _read_by_message_id,
        """The source's: the last message id seen in each thread. It bets that ids appear in their order, and loses.

    Writers pay nothing. Readers one range for each thread, changed or not.""",
        "source",
        safe=False,
    ),
    CursorKind(
        "overlap",
        _write_as_the_source,
        _read_overlapping,
        f"""Like `message_id`, but it reads the last {_OVERLAP} ids again each time, and bets that none comes later.

    It loses a message that is overtaken by more than {_OVERLAP} ids, as on a busy server with one slow transaction.
    Writers pay nothing; readers read everything several times.""",
        "source",
        safe=False,
        rereads=True,
    ),
    CursorKind(
        "message_id_locked",
        _write_behind_the_thread,
        _read_by_message_id,
        """Like `message_id`, but a writer locks the thread's row first, so that the ids of a thread appear in order.

    It is the smallest change to the source, on its own tables. Writers of one thread take turns, from the lock to the
    commit. Readers pay as before: one range for each thread, changed or not.""",
        "source",
    ),
    CursorKind(
        "thread_sequence",
        _write_numbered,
        _read_by_number,
        """A number for each message of a thread, without a gap, taken under the lock of the thread's row.

    Like `message_id_locked`; in addition, a reader sees from the numbers whether something is missing.""",
        "hardened",
    ),
    CursorKind(
        "user_log",
        _write_logged,
        _read_log,
        """A log for each user of everything that concerns the user, numbered under a lock of the user's row.

    Writers pay a row for each member and message, and all who write to the same user take turns, in every thread.
    Readers pay one range, however many threads are quiet. New threads and changes of old messages are entries too.""",
        "source",
        tables=_LOG_TABLES,
        tell=_tell_by_log,
        by_id=False,
    ),
    CursorKind(
        "user_version",
        _write_versioned,
        _read_by_version,
        """The default: a number for each message of a thread, and for each user a version of each thread's last change.

    Writers pay one changed row for each member, however many messages, and take turns by thread and by user. Readers
    pay one range for all changed threads, and two for each of these: new messages, and messages that have changed,
    which have a number of their last change.""",
        "hardened",
        tell=_tell_by_version,
    ),
    CursorKind(
        "watermark",
        _write_in_a_slot,
        _read_below_the_watermark,
        """Reads only what is older than every open transaction: each writer first stores, in a row that it then locks,
    from which id on it may write.

    Writers do not wait for each other, but pay a second commit. Readers read the row of every writer. While one writer
    hangs, nobody gets anything new.""",
        "source",
        tables=_SLOTS,
    ),
)

CURSORS = {kind.name: kind for kind in _KINDS}
"""All kinds, by name."""
