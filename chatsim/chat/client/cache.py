"""A client's local data: threads, messages, friends, and texts that are still to be sent, in its `LocalStore`.

Of each thread, all messages from number ``floor`` to number ``cursor`` are stored. A pushed message beyond the cursor
is stored and shown, too, but it does not move the cursor. The cursor moves only when the messages after it follow
without a gap, in the transaction that fills the gap, and it never moves back. So the client knows which messages are
missing, also after a crash, and asks for them again.

A message may be recalled or edited later. Each such change has a number of its thread's (``revision``). A message is
replaced only by one with a later change, so it never goes back. All changes up to the thread's ``revision`` have been
applied to what is stored, and to what may still arrive: changes of messages that are not stored are stored, too. In a
thread that is new here, the first ``noted`` messages may be older than that, and are not taken from pushes.

A thread of which nothing is stored is not loaded as a whole: its first catch-up begins at number ``start``. The newest
messages come first, so that the floor can be above the start: for a while, or after an interruption. What lies between
is missing, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from chatsim.chat.client import local_statements as sql
from chatsim.chat.client.local_data import Excerpt, Head, LocalText, LocalThread, Pending, State
from chatsim.chat.client.local_files import ARRIVED, FILES_OF, NOTE_SIZE, RECALLED, LocalFile, file_of
from chatsim.chat.client.local_tables import make_tables
from chatsim.chat.ports import LocalStore, Many, Statement
from chatsim.chat.protocol import FriendEntry, Member, MessageStatus, NumberedText, ThreadState, ThreadTexts
from chatsim.db.session import Rows

__all__ = ["Cache", "Excerpt", "Head", "LocalText", "LocalThread", "Pending", "State", "WrongOwnerError"]

_NOTHING = range(0)
_A_TEXT = (0, 0, 0)


class WrongOwnerError(Exception):
    """The local store belongs to another user."""


class Cache:
    """The local data of one user. Its methods raise `LocalStoreError`.

    Args:
        store: the local database.
        uid: the user.

    Attributes:
        uid: as given.
    """

    def __init__(self, store: LocalStore, uid: int) -> None:
        self.uid = uid
        self._store = store

    async def open(self) -> None:
        """Make the tables, if they are not there. Raises a `WrongOwnerError`."""
        await make_tables(self._store)
        claim = "INSERT INTO owner (uid) SELECT ? WHERE NOT EXISTS (SELECT * FROM owner)"
        _, owner = await self._store.transaction([(claim, (self.uid,)), ("SELECT uid FROM owner", ())])
        if owner.scalar() != self.uid:
            raise WrongOwnerError(f"this local store is user {owner.scalar()}'s, not user {self.uid}'s")

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    # --- friends

    async def note_friends(self, friends: Iterable[FriendEntry]) -> None:
        """Store the user's friends."""
        keep = "INSERT OR REPLACE INTO friend VALUES (?, ?, ?, ?)"
        if rows := [(keep, (each.uid, each.name, each.nick, each.back)) for each in friends]:
            await self._store.transaction(rows)

    async def friends(self) -> dict[int, str]:
        """From the id of each friend to the name to show: the user's own name for the friend, or the friend's name."""
        rows = (await self._store.execute("SELECT uid, name, nick, back FROM friend ORDER BY uid")).rows
        return {int(str(uid)): str(back or nick or name) for uid, name, nick, back in rows}

    # --- members of groups

    async def members(self, thread_id: int) -> list[Member] | None:
        """The members of a group, by id; None if they have not been loaded since they last changed."""
        fresh, rows = await self._store.transaction(
            [
                ("SELECT 1 FROM thread WHERE thread_id = ? AND listed >= roster", (thread_id,)),
                (sql.MEMBERS, (thread_id,)),
            ]
        )
        if not fresh.rows:
            return None
        return [Member(*row, 0, 0) for row in rows.rows]  # type: ignore[arg-type, call-arg]

    async def note_members(self, thread_id: int, roster: int, members: Iterable[Member]) -> None:
        """Store all members of a group, as they were after so many changes."""
        rows = [(thread_id, each.uid, each.nick, each.role, each.muted_until) for each in members]
        await self._store.transaction(
            [
                ("UPDATE member SET role = -1 WHERE thread_id = ?", (thread_id,)),  # their texts still need their names
                Many("INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?)", rows),
                ("UPDATE thread SET listed = ? WHERE thread_id = ?", (roster, thread_id)),
            ]
        )

    async def listed(self, thread_id: int) -> int:
        """After how many changes of a group its members were last loaded; -1 if they never were."""
        found = await self._store.execute("SELECT listed FROM thread WHERE thread_id = ?", (thread_id,))
        return _number(found.rows[0][0]) if found.rows else -1

    async def names(self, thread_id: int) -> dict[int, str]:
        """The names of a group's members, and of earlier ones, as they were last loaded."""
        rows = (await self._store.execute("SELECT uid, nick FROM member WHERE thread_id = ?", (thread_id,))).rows
        return {int(str(uid)): str(nick) for uid, nick in rows}

    # --- threads and messages

    async def threads(self) -> list[LocalThread]:
        """All threads, by id, without the groups that the user has left."""
        return _threads((await self._store.execute(f"{sql.THREAD} WHERE role >= 0 ORDER BY thread_id")).rows)

    async def thread(self, thread_id: int) -> LocalThread | None:
        """One thread, if it is known."""
        found = _threads((await self._store.execute(f"{sql.THREAD} WHERE thread_id = ?", (thread_id,))).rows)
        return found[0] if found else None

    async def behind(self) -> list[LocalThread]:
        """The threads with missing messages, the last changed one first."""
        return _threads((await self._store.execute(sql.BEHIND)).rows)

    async def note_start(self, count: int) -> None:
        """Note for each thread without stored messages that its catch-up begins with the newest ``count``."""
        await self._store.execute(sql.NOTE_START, (count,))

    async def version(self) -> int:
        """The version up to which this client knows all changes of threads."""
        return (await self._store.execute("SELECT version FROM owner")).scalar() or 0

    async def note_version(self, version: int) -> None:
        """Store that this client knows all changes up to a version."""
        await self._store.execute("UPDATE owner SET version = MAX(version, ?)", (version,))

    async def note_threads(self, states: Sequence[ThreadState]) -> None:
        """Store the states of threads. Numbers that would go backwards are ignored."""
        rows = [
            (
                *(each.thread_id, each.type, each.user1_id, each.user2_id, each.last_seq, each.read1, each.read2),
                each.read2 if self.uid == each.user2_id else each.read1,
                each.version,
                *(each.name, each.role, each.first, each.roster, each.muted_until, each.first, each.first - 1),
                *(each.last_revision, each.delivered1, each.delivered2),
                each.delivered2 if self.uid == each.user2_id else each.delivered1,
                each.unread,
            )
            for each in states
        ]
        begun_anew = [(each.thread_id,) for each in states if each.first > 1]
        await self._store.transaction(
            [Many(sql.NOTE_THREAD, rows), *([Many(sql.UP, begun_anew)] if begun_anew else [])]
        )

    async def note_read(self, thread_id: int, uid: int, seq: int) -> None:
        """Store the read position of a user. In a group, only that of the user of this client is stored."""
        await self._move("read", thread_id, uid, seq)

    async def note_delivered(self, thread_id: int, uid: int, seq: int) -> None:
        """Store how far a device of a user has a private chat."""
        await self._move("delivered", thread_id, uid, seq)

    async def _move(self, mark: str, thread_id: int, uid: int, seq: int) -> None:
        own = 0 if uid == self.uid else uid
        await self._store.transaction(
            [
                (sql.MOVE.format(f"{mark}1", "user1_id"), (seq, thread_id, uid, own)),
                (sql.MOVE.format(f"{mark}2", "user2_id"), (seq, thread_id, uid, uid)),
            ]
        )

    async def unreported(self) -> list[tuple[int, int]]:
        """The read positions that have not been reported to the server: thread and number."""
        rows = (await self._store.execute(sql.UNREPORTED, (self.uid,))).rows
        return [(int(str(thread_id)), int(str(seq))) for thread_id, seq in rows]

    async def note_reported(self, thread_id: int, seq: int) -> None:
        """Store that the read position has been reported to the server."""
        await self._store.execute("UPDATE thread SET reported = MAX(reported, ?) WHERE thread_id = ?", (seq, thread_id))

    async def undelivered(self) -> list[tuple[int, int]]:
        """Up to which number threads are stored here without a gap, where the server does not know it.

        Only threads in which others have written since the last report, and that have not been read.
        """
        rows = (await self._store.execute(sql.UNDELIVERED, (self.uid,))).rows
        found = [(int(str(thread_id)), int(str(cursor)), bool(others)) for thread_id, cursor, others in rows]
        if own := [(thread_id, cursor) for thread_id, cursor, others in found if not others]:
            await self.note_delivery_reported(own)  # nobody waits for a mark about texts of one's own
        return [(thread_id, cursor) for thread_id, cursor, others in found if others]

    async def note_delivery_reported(self, marks: Sequence[tuple[int, int]]) -> None:
        """Store that the server knows up to which number threads are stored here."""
        note = "UPDATE thread SET delivery_reported = MAX(delivery_reported, ?2) WHERE thread_id = ?1"
        await self._store.transaction([Many(note, marks)])

    async def outdated(self) -> list[LocalThread]:
        """The threads of which messages have been changed, and the changes are not all here; the last changed first."""
        return _threads((await self._store.execute(sql.OUTDATED)).rows)

    async def keep(self, thread_id: int, texts: Sequence[NumberedText]) -> None:
        """Store texts in any order. Cursor and floor move as far as there is no gap."""
        await self._keep([ThreadTexts(thread_id, tuple(texts))], begin=False)

    async def keep_pushed(self, thread_id: int, texts: Sequence[NumberedText]) -> None:
        """Like `keep`, for texts that were pushed when they were new: they may have been changed since."""
        await self._keep([ThreadTexts(thread_id, tuple(texts))], begin=False, how=sql.KEEP_PUSHED)

    async def keep_changed(self, thread_id: int, texts: Sequence[NumberedText]) -> None:
        """Store messages that have been recalled or edited, each by the change that it tells of.

        One that is not here is left out if it has not all changes that are here: it has to be loaded.
        """
        noted = Many(sql.NOTE_CHANGE, [(number, thread_id) for number in sorted(each.revision for each in texts)])
        await self._keep([ThreadTexts(thread_id, tuple(texts))], begin=False, how=sql.KEEP_CHANGED, more=[noted])

    async def keep_changes(self, thread_id: int, texts: Sequence[NumberedText], revision: int) -> None:
        """Store changed messages. With them, all changes up to number ``revision`` are here."""
        noted = (sql.NOTE_CHANGES, (revision, thread_id))
        await self._keep([ThreadTexts(thread_id, tuple(texts))], begin=False, more=[noted])

    async def keep_newest(self, thread_id: int, texts: Sequence[NumberedText]) -> None:
        """Store the newest texts of a thread. If nothing of it is stored yet, its floor is the first of them."""
        await self._keep([ThreadTexts(thread_id, tuple(texts))], begin=True)

    async def keep_part(self, threads: Sequence[ThreadTexts]) -> None:
        """Store a part of a catch-up in one transaction: like `keep_newest`, for several threads."""
        await self._keep(threads, begin=True)

    async def _keep(
        self, threads: Sequence[ThreadTexts], *, begin: bool, how: str = sql.KEEP, more: Sequence[Statement] = ()
    ) -> None:
        threads = [each for each in threads if each.texts]
        if not threads and not more:
            return
        rows = [
            (
                *(each.thread_id, text.seq, text.message_id, text.sender, text.unique_id, text.msg_type),
                *(text.content, text.status, text.chat_time, text.revision),
            )
            for each in threads
            for text in each.texts
        ]
        arrived = [(text.unique_id,) for each in threads for text in each.texts if text.sender == self.uid]
        attached = [text for each in threads for text in each.texts if text.msg_type]
        sent = [(text.unique_id,) for text in attached if text.sender == self.uid]
        recalled = [(text.message_id,) for text in attached if text.status == MessageStatus.RECALLED]
        numbers = [[text.seq for text in each.texts] for each in threads]
        ids = [each.thread_id for each in threads]
        await self._store.transaction(
            [
                Many(how, rows),
                Many(sql.ARRIVED, arrived),
                Many(NOTE_SIZE, [(text.message_id, text.size) for text in attached if text.size]),
                *(Many(forget, sent) for forget in ARRIVED),
                *(Many(forget, recalled) for forget in RECALLED),
                Many(sql.NOTE_LAST, [(max(own), thread_id) for own, thread_id in zip(numbers, ids, strict=True)]),
                Many(
                    sql.BEGIN,
                    [(min(own), min(own), thread_id) for own, thread_id in zip(numbers, ids, strict=True) if begin],
                ),
                *(Many(move, [(thread_id,) for thread_id in ids]) for move in (sql.UP, sql.DOWN)),
                *more,
            ]
        )

    async def newest(self, thread_id: int, count: int, before: int | None = None) -> list[LocalText]:
        """The newest ``count`` messages of a thread, oldest first, and after them the texts that are still to be sent.

        Messages below the floor are left out, since there is a gap before it, until `sync.earlier` has filled the gap.

        Args:
            thread_id: the thread.
            count: the largest number of messages.
            before: only messages with a smaller number, and no texts that are still to be sent.
        """
        states, rows, own = await self._store.transaction(
            [
                (f"{sql.THREAD} WHERE thread_id = ?", (thread_id,)),
                (sql.NEWEST, (thread_id, sql.ENDLESS if before is None else before, count)),
                (sql.ON_THEIR_WAY, (thread_id,)),
            ]
        )
        if not (threads := _threads(states.rows)):
            return []
        texts = [self._stored(threads[0], *row) for row in reversed(rows.rows)]
        return texts if before is not None else texts + self._unnumbered(thread_id, own)

    async def page_start(self, thread_id: int, count: int, before: int) -> int:
        """The smallest number of the last ``count`` messages below ``before``; 0 if fewer are stored."""
        rows = await self._store.execute(
            f"SELECT seq {sql.SHOWN} AND seq < ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
            (thread_id, before, count - 1),
        )
        return rows.scalar() or 0

    async def message_id(self, thread_id: int, seq: int) -> int:
        """The id of a stored message. Raises `KeyError` if it is not stored."""
        found = await self._store.execute(
            "SELECT message_id FROM message WHERE thread_id = ? AND seq = ?", (thread_id, seq)
        )
        if (number := found.scalar()) is None:
            raise KeyError(seq)
        return number

    async def excerpt(self, thread_id: int, first: int, but: range = _NOTHING, revision: int = 0) -> Excerpt | None:
        """A thread's messages from number ``first`` on, without those in ``but``; None if the thread is unknown.

        Of those in ``but``, the ones that have a change with a number above ``revision`` are read, too.
        """
        found, below, revised, above, sent = await self._store.transaction(
            [
                (f"{sql.THREAD} WHERE thread_id = ?", (thread_id,)),
                (f"{sql.TEXTS} AND seq >= ? AND seq < ? ORDER BY seq", (thread_id, first, but.start)),
                (
                    f"{sql.TEXTS} AND revision > 0 AND revision > ? AND seq >= ? AND seq < ? ORDER BY seq",
                    (thread_id, revision, but.start, but.stop),
                ),
                (f"{sql.TEXTS} AND seq >= ? ORDER BY seq", (thread_id, max(first, but.stop))),
                (sql.ON_THEIR_WAY, (thread_id,)),
            ]
        )
        if not (threads := _threads(found.rows)):
            return None
        (thread,) = threads
        return Excerpt(
            thread,
            [self._stored(thread, *row) for row in below.rows],
            [self._stored(thread, *row) for row in revised.rows],
            [self._stored(thread, *row) for row in above.rows],
            self._unnumbered(thread_id, sent),
        )

    async def files(self, thread_id: int, first: int) -> dict[int, LocalFile]:
        """The attachments of a thread's messages from number ``first`` on, by number."""
        found = await self._store.execute(FILES_OF, (thread_id, first))
        return {int(str(seq)): file for seq, *row in found.rows if (file := file_of(*row)) is not None}

    async def heads(self, thread_id: int | None = None) -> list[Head]:
        """The entries of the thread list, in no order: all of them, or the one of ``thread_id``.

        A group that the user has left has none.
        """
        only, which = ("", ()) if thread_id is None else (" AND t.thread_id = ?", (thread_id,))
        rows = (await self._store.execute(sql.HEADS + only, (self.uid, self.uid, *which))).rows
        return [self._head(*row) for row in rows]

    def _head(self, *row: object) -> Head:
        of_thread, of_last = row[: len(sql.COLUMNS)], row[len(sql.COLUMNS) : -6]
        (thread,), (message_id, unsent, unsent_text, state, sent, here) = _threads([of_thread]), row[-6:]
        last = None
        if unsent is not None:
            last = self._unsent(thread.thread_id, unsent, unsent_text, state, 0, *_A_TEXT)
        elif message_id is not None:
            last = self._stored(thread, *of_last, message_id, *_A_TEXT)
        return Head(thread, last, (_number(sent), _number(message_id)), thread.unread(self.uid, _number(here)))

    def _stored(self, thread: LocalThread, *row: object) -> LocalText:
        seq, name, sender, content, chat_time, status, revision = cast(
            "tuple[int, str, int, str, str, int, int]", row[:7]
        )
        if status == MessageStatus.RECALLED:
            return LocalText(thread.thread_id, seq, name, sender, content, State.RECALLED, chat_time)
        state, edited = thread.state(self.uid, sender, seq), revision > 0
        return LocalText(thread.thread_id, seq, name, sender, content, state, chat_time, file_of(*row[7:]), edited)

    def _unsent(self, thread_id: int, *row: object) -> LocalText:
        name, content, state = map(str, row[:3])
        return LocalText(thread_id, None, name, self.uid, content, State(state), "", file_of(*row[3:]))

    async def unread(self, thread: LocalThread) -> int:
        """How many messages of others the user has not read. Messages that are not stored here count as others'."""
        own = await self._store.execute(
            "SELECT COUNT(*) FROM message WHERE thread_id = ? AND seq > ? AND seq <= ? AND sender = ?",
            (thread.thread_id, thread.own_from(self.uid), thread.last_seq, self.uid),
        )
        return thread.unread(self.uid, own.scalar() or 0)

    # --- what is to be sent

    async def put(self, pending: Pending) -> None:
        """Store a text that is to be sent, after all others."""
        await self._store.execute(
            "INSERT INTO outbox (unique_id, thread_id, receiver, content, deadline, state) VALUES (?, ?, ?, ?, ?, ?)",
            (*(pending.unique_id, pending.thread_id, pending.receiver, pending.content, pending.deadline), "sending"),
        )

    async def pending(self, count: int = sql.ENDLESS) -> list[Pending]:
        """The first ``count`` texts that are to be sent, in order."""
        rows = (await self._store.execute(sql.PENDING, (State.SENDING, count))).rows
        return [
            Pending(str(name), int(str(thread)), int(str(receiver)), str(content), float(str(deadline)))
            for name, thread, receiver, content, deadline in rows
        ]

    async def next_deadline(self) -> float | None:
        """The earliest deadline of the texts that are to be sent; None if there is none."""
        ((first,),) = (await self._store.execute(sql.NEXT_DEADLINE, (State.SENDING,))).rows
        return None if first is None else float(str(first))

    async def on_their_way(self, thread_id: int) -> list[LocalText]:
        """A thread's own messages that have no number yet: texts, and then attachments, in the order of sending."""
        return self._unnumbered(thread_id, await self._store.execute(sql.ON_THEIR_WAY, (thread_id,)))

    def _unnumbered(self, thread_id: int, rows: Rows) -> list[LocalText]:
        return [self._unsent(thread_id, *row) for row in rows.rows]

    async def mark(self, unique_ids: Iterable[str], state: State) -> None:
        """Set the state of texts that are to be sent: ``UNREAD`` when they have been acknowledged."""
        mark = "UPDATE outbox SET state = ? WHERE unique_id = ?"
        await self._store.transaction([Many(mark, [(state, name) for name in unique_ids])])

    async def send_again(self, unique_id: str, deadline: float) -> None:
        """Put a failed text back among those that are to be sent."""
        await self._store.execute(
            "UPDATE outbox SET state = ?, deadline = ? WHERE unique_id = ? AND state = ?",
            (State.SENDING, deadline, unique_id, State.FAILED),
        )

    async def postpone(self, deadline: float) -> None:
        """Give all texts that are to be sent a new deadline. The earlier ones are by a clock that has gone."""
        await self._store.execute("UPDATE outbox SET deadline = ? WHERE state = ?", (deadline, State.SENDING))

    async def lapse(self, now: float) -> list[tuple[int, str]]:
        """Mark the texts as failed whose deadline has passed. Returns their threads and unique ids."""
        late = "state = ? AND deadline <= ?"
        found, _ = await self._store.transaction(
            [
                (f"SELECT thread_id, unique_id FROM outbox WHERE {late} ORDER BY n", (State.SENDING, now)),
                (f"UPDATE outbox SET state = ? WHERE {late}", (State.FAILED, State.SENDING, now)),
            ]
        )
        return [(int(str(thread)), str(name)) for thread, name in found.rows]


def _threads(rows: Sequence[tuple[object, ...]]) -> list[LocalThread]:
    return [LocalThread(*row) for row in rows]  # type: ignore[arg-type]  # SQLite returns what was stored


def _number(value: object) -> int:
    """A number from SQLite; 0 for NULL."""
    return 0 if value is None else int(str(value))
