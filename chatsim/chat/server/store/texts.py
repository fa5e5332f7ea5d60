"""Storing and reading messages, in each schema.

A writer locks the row of the thread first. So the numbers and the message ids of a thread become visible in their
order, and no message that commits late can be behind a reader's cursor (docs/source.md, P4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import msgspec

from chatsim.chat.paging import DEFAULTS
from chatsim.chat.protocol import (
    ErrorCode,
    HistoryReply,
    HistoryText,
    LoadMessagesReply,
    NumberedText,
    OutgoingText,
)
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.attachments import sized
from chatsim.chat.server.store.members import PAIR, no_member, thread_of
from chatsim.chat.server.store.rows import fitting, structs
from chatsim.chat.server.store.threads import written, written_in_group
from chatsim.db.session import Rows, Session

__all__ = ["NUMBERED", "TEXTS", "TIME", "Appended", "Attached", "Batch", "HardenedTexts", "SourceTexts", "Texts"]

_PAGE = 100
_ENDLESS = 2**63

_FRIENDS = "SELECT 1 FROM friend WHERE self_id = ? AND friend_id = ?"
_GROUP = "SELECT user_id, COALESCE(muted_until > NOW(), 0) FROM group_chat_member WHERE thread_id = @thread"
TIME = "CAST(created_at AS CHAR)"
"""The time at which a message was sent, as it is on the wire."""

_CONTENT = "LEFT(content, 10000)"
"""The part of a message that always fits into a frame, with six bytes for a character. Clients can't send as much."""


@dataclass(frozen=True)
class Attached:
    """An upload that becomes a message: its id, what it is, and its size in bytes."""

    attachment_id: int
    msg_type: int
    size: int


@dataclass(frozen=True)
class Batch:
    """Texts from one user to another, in one thread; or one message with an attachment, whose name is its text.

    The receiver is 0 in a group.
    """

    thread: int
    sender: int
    receiver: int
    texts: Sequence[OutgoingText]
    attached: Attached | None = None


@dataclass(frozen=True)
class Appended:
    """A batch that has been stored.

    Attributes:
        texts: the stored texts, in the order of the batch.
        fresh: those of them that this call has stored. The others were stored before.
        members: the members of the thread at that moment.
    """

    texts: tuple[NumberedText, ...]
    fresh: tuple[NumberedText, ...]
    members: tuple[int, ...]


class Texts(Protocol):
    """How messages are stored in one schema."""

    @property
    def numbered(self) -> bool:
        """Whether messages have numbers."""
        ...

    async def append(self, tx: Session, batch: Batch) -> Appended:
        """Store a batch within the open transaction.

        Raises:
            RefusalError: there is no such thread, or a unique id belongs to a message of another thread.
        """
        ...

    async def send(self, tx: Session, batch: Batch, *, friends: bool) -> Appended:
        """Store a batch in a transaction of its own, after a check of the members of the thread.

        Raises:
            RefusalError: the sender is not a member, or the receiver of a private chat is not, or they are not friends
                although ``friends`` is set; the sender is muted in the group; the upload is not whole any more; or as
                in `append`.
        """
        ...

    async def opening(self, tx: Session, thread: int, named: Sequence[tuple[int, str]]) -> tuple[NumberedText, ...]:
        """The first messages of a friendship. ``named`` has their senders and unique ids."""
        ...

    async def after(self, tx: Session, thread: int, message_id: int) -> LoadMessagesReply:
        """A page of history after a message id, in the source's form."""
        ...

    async def next_to(self, tx: Session, thread: int, seq: int, *, backward: bool) -> HistoryReply:
        """A page of history above or below a number, if messages have numbers."""
        ...

    async def between(
        self, tx: Session, places: Sequence[tuple[int, int, int]], limit: int
    ) -> list[Sequence[NumberedText]]:
        """The messages of several threads, each between two numbers (0 is no upper bound), in one round trip.

        They are ordered by number, at most ``limit`` of each thread.
        """
        ...


class SourceTexts:
    """The source's tables: a message has no unique id and no number, so a resent text is stored twice (SD1).

    Args:
        page: the largest number of messages in a page of history.
        locks: whether a writer locks the thread's row first. The source does not, so its readers miss messages that
            commit late (P4).
    """

    numbered = False

    def __init__(self, page: int = _PAGE, *, locks: bool = True) -> None:
        self._page = page
        self._lock = "FOR UPDATE" if locks else ""

    async def append(self, tx: Session, batch: Batch) -> Appended:
        """Store a batch."""
        locked = await tx.execute(f"SELECT id FROM chat_thread WHERE id = ? {self._lock}", (batch.thread,))
        _check_thread(batch, locked)
        return await self._insert(tx, batch, _pair(batch))

    async def send(self, tx: Session, batch: Batch, *, friends: bool) -> Appended:
        """Store a batch, after a check of the members."""
        check, who = thread_of(batch.sender, batch.thread, numbered=False)
        begin = f"{check}; BEGIN; SELECT id FROM chat_thread WHERE id = @thread {self._lock}"
        if batch.receiver:
            _, _, locked, pair, friend = await tx.script(
                f"{begin}; {PAIR}; {_FRIENDS}", (*who, batch.sender, batch.receiver)
            )
            members, muted = _check_pair(batch, pair, friend if friends else None), False
        else:
            _, _, locked, group = await tx.script(f"{begin}; {_GROUP}", who)
            members, muted = _check_group(batch, group)
        _check_thread(batch, locked)
        _check_muted(batch, muted=muted)
        return await self._insert(tx, batch, members, then="; COMMIT")

    @staticmethod
    async def _insert(tx: Session, batch: Batch, members: tuple[int, ...], then: str = "") -> Appended:
        insert = _insert("chat_message (thread_id, sender_id, recv_id, content)", len(batch.texts))
        # the ids of one statement are consecutive (manual: InnoDB AUTO_INCREMENT Lock Modes)
        read = f"SELECT message_id, {TIME} FROM chat_message WHERE message_id >= LAST_INSERT_ID()"
        rows = ((batch.thread, batch.sender, batch.receiver, text.content) for text in batch.texts)
        stored = await tx.script(
            f"{insert}; {read} ORDER BY message_id LIMIT ?{then}", [*_flat(rows), len(batch.texts)]
        )
        fresh = tuple(
            NumberedText(0, int(str(number)), batch.sender, text.unique_id, 0, text.content, 0, str(time))
            for text, (number, time) in zip(batch.texts, stored[1].rows, strict=True)
        )
        return Appended(fresh, fresh, members)

    async def opening(self, tx: Session, thread: int, named: Sequence[tuple[int, str]]) -> tuple[NumberedText, ...]:
        """The thread's oldest messages, because these tables do not tell which ones opened it."""
        page = await self.after(tx, thread, 0)
        return tuple(
            NumberedText(0, each.msg_id, each.sender, "", 0, each.msg_content, 0, each.chat_time)
            for each in page.chat_datas[: len(named)]
        )

    async def after(self, tx: Session, thread: int, message_id: int) -> LoadMessagesReply:
        """A page of history from a message id on."""
        return await _after(tx, thread, message_id, self._page)

    async def next_to(self, tx: Session, thread: int, seq: int, *, backward: bool) -> HistoryReply:
        """There are no numbers."""
        raise NotImplementedError

    async def between(
        self, tx: Session, places: Sequence[tuple[int, int, int]], limit: int
    ) -> list[Sequence[NumberedText]]:
        """There are no numbers."""
        raise NotImplementedError


_ATTACH = """
    UPDATE message_attachment SET message_id = LAST_INSERT_ID(), state = 2 WHERE attachment_id = ? AND state = 1"""

NUMBERED = f"SELECT seq, message_id, sender_id, COALESCE(unique_id, ''), msg_type, {_CONTENT}, status, {TIME}, revision"


class HardenedTexts:
    """The hardened tables: a message has its sender's unique id for it, and its number in the thread."""

    numbered = True

    async def append(self, tx: Session, batch: Batch) -> Appended:
        """Store the texts of a batch that are not stored yet."""
        known, names = _named(batch)
        lock = "SELECT last_seq FROM chat_thread WHERE id = ? FOR UPDATE"
        locked, there = await tx.script(f"{lock}; {known}", (batch.thread, *names))
        _check_thread(batch, locked)
        return await self._complete(tx, batch, locked.scalar() or 0, there, _pair(batch))

    async def send(self, tx: Session, batch: Batch, *, friends: bool) -> Appended:
        """Store the texts of a batch that are not stored yet, after a check of the members."""
        known, names = _named(batch)
        check, who = thread_of(batch.sender, batch.thread)
        begin = f"{check}; BEGIN; SELECT last_seq FROM chat_thread WHERE id = @thread FOR UPDATE"
        if batch.receiver:
            _, _, locked, pair, friend, there = await tx.script(
                f"{begin}; {PAIR}; {_FRIENDS}; {known}", (*who, batch.sender, batch.receiver, *names)
            )
            members, muted = _check_pair(batch, pair, friend if friends else None), False
        else:
            _, _, locked, group, there = await tx.script(f"{begin}; {_GROUP}; {known}", (*who, *names))
            members, muted = _check_group(batch, group)
        _check_thread(batch, locked)
        last = locked.scalar() or 0
        return await self._complete(tx, batch, last, there, members, muted=muted, then="; COMMIT")

    async def _complete(
        self,
        tx: Session,
        batch: Batch,
        last: int,
        there: Rows,
        members: tuple[int, ...],
        *,
        muted: bool = False,
        then: str = "",
    ) -> Appended:
        """Store the texts that are not ``there``, with numbers from ``last`` + 1 on."""
        if any(row[-1] != batch.thread for row in there.rows):
            raise RefusalError(ErrorCode.BAD_CONTENT, f"a unique id is that of another message of user {batch.sender}")
        stored = await sized(tx, batch.thread, structs(NumberedText, [row[:-1] for row in there.rows]))
        if any(bool(text.msg_type) != bool(batch.attached) for text in stored):
            raise RefusalError(ErrorCode.BAD_CONTENT, f"a unique id is that of another message of user {batch.sender}")
        by_name = {text.unique_id: text for text in stored}
        new = [text for text in batch.texts if text.unique_id not in by_name]
        if new:  # what was stored before the sender was muted is acknowledged
            _check_muted(batch, muted=muted)
        fresh = await self._insert(tx, batch, new, last, then) if new else ()
        by_name |= {text.unique_id: text for text in fresh}
        return Appended(tuple(by_name[text.unique_id] for text in batch.texts), fresh, members)

    async def _insert(
        self, tx: Session, batch: Batch, new: Sequence[OutgoingText], last: int, then: str
    ) -> tuple[NumberedText, ...]:
        insert = _insert("chat_message (thread_id, seq, sender_id, recv_id, unique_id, msg_type, content)", len(new))
        note = "UPDATE chat_thread SET last_seq = ?, last_message_id = LAST_INSERT_ID() + ? WHERE id = ?"
        kind = batch.attached.msg_type if batch.attached else 0
        rows = (
            (batch.thread, seq, batch.sender, batch.receiver or None, text.unique_id, kind, text.content)
            for seq, text in enumerate(new, start=last + 1)
        )
        read = f"{NUMBERED} FROM chat_message WHERE thread_id = ? AND seq > ? ORDER BY seq"
        note_members, of_members = self.noted(batch, len(new))
        store = f"{insert}; {note}; {read}"
        args = [*_flat(rows), last + len(new), len(new) - 1, batch.thread, batch.thread, last]
        if batch.attached is None:
            done = await tx.script(f"{store}; {note_members}{then}", [*args, *of_members])
            return structs(NumberedText, done[2].rows)
        upload = batch.attached.attachment_id
        done = await tx.script(f"{store}; {_ATTACH}; {note_members}", [*args, upload, *of_members])
        if not done[3].affected:  # it has lapsed meanwhile
            raise RefusalError(ErrorCode.FILE_REFUSED, f"there is no whole upload {upload}")
        if then:
            await tx.commit()
        fresh = structs(NumberedText, done[2].rows)
        return tuple(msgspec.structs.replace(text, size=batch.attached.size) for text in fresh)

    def noted(self, batch: Batch, count: int) -> tuple[str, list[object]]:
        """The statements, with their arguments, that tell each member's list of threads of ``count`` new messages."""
        if batch.receiver:
            return written(batch.thread, sorted(_pair(batch)), batch.sender, count)
        return written_in_group(batch.thread, batch.sender, count)

    async def opening(self, tx: Session, thread: int, named: Sequence[tuple[int, str]]) -> tuple[NumberedText, ...]:
        """The messages with these unique ids."""
        either = " OR ".join(["(sender_id = ? AND unique_id = ?)"] * len(named))
        found = await tx.execute(
            f"{NUMBERED} FROM chat_message WHERE thread_id = ? AND ({either}) ORDER BY seq", [thread, *_flat(named)]
        )
        return structs(NumberedText, found.rows)

    async def after(self, tx: Session, thread: int, message_id: int) -> LoadMessagesReply:
        """A page of history from a message id on."""
        return await _after(tx, thread, message_id, _PAGE)

    async def next_to(self, tx: Session, thread: int, seq: int, *, backward: bool) -> HistoryReply:
        """A page of history above or below a number."""
        side = "seq < ? ORDER BY seq DESC" if backward else "seq > ? ORDER BY seq"
        found = await tx.execute(
            f"{NUMBERED} FROM chat_message WHERE thread_id = ? AND {side} LIMIT ?", (thread, seq, _PAGE + 1)
        )
        whole = await sized(tx, thread, structs(NumberedText, found.rows))
        page = fitting(HistoryReply(0, thread, load_more=True), whole[:_PAGE])
        return HistoryReply(0, thread, len(page) < len(whole), page[::-1] if backward else page)

    async def between(
        self, tx: Session, places: Sequence[tuple[int, int, int]], limit: int
    ) -> list[Sequence[NumberedText]]:
        """Messages between numbers, of several threads."""
        one = f"{NUMBERED} FROM chat_message WHERE thread_id = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT ?"
        args = [value for thread, after, below in places for value in (thread, after, below or _ENDLESS, limit)]
        found = await tx.script("; ".join([one] * len(places)), args)
        read = [[NumberedText(*row) for row in rows.rows] for rows in found]  # type: ignore[arg-type]
        whole = iter(await sized(tx, places[0][0], [text for texts in read for text in texts]))
        return [list(islice(whole, len(texts))) for texts in read]


async def _after(tx: Session, thread: int, message_id: int, count: int) -> LoadMessagesReply:
    found = await DEFAULTS["history"](tx, thread, message_id, count)
    rows = [(sender, number, thread, 0, content, time) for number, sender, content, time in found.rows]
    whole = structs(HistoryText, rows)
    page = fitting(LoadMessagesReply(0, thread, whole[-1].msg_id if whole else 0, load_more=True), whole)
    last = page[-1].msg_id if page else message_id
    return LoadMessagesReply(0, thread, last, found.more or len(page) < len(whole), page)


def _named(batch: Batch) -> tuple[str, list[object]]:
    """The condition that finds the stored texts of a batch, thread id last. The lock keeps others from adding more."""
    places = ", ".join("?" * len(batch.texts))
    names = [batch.sender, *(text.unique_id for text in batch.texts)]
    return f"{NUMBERED}, thread_id FROM chat_message WHERE sender_id = ? AND unique_id IN ({places})", names


def _insert(into: str, count: int) -> str:
    places = ", ".join("?" * (into.count(",") + 1))
    return f"INSERT INTO {into} VALUES {', '.join([f'({places})'] * count)}"


def _flat(rows: Iterable[tuple[object, ...]]) -> list[object]:
    return [value for row in rows for value in row]


def _check_thread(batch: Batch, locked: Rows) -> None:
    if not locked.rows:
        raise RefusalError(ErrorCode.NOT_A_MEMBER, f"there is no thread {batch.thread}")


def _pair(batch: Batch) -> tuple[int, ...]:
    return batch.sender, batch.receiver


def _check_pair(batch: Batch, pair: Rows, friend: Rows | None) -> tuple[int, ...]:
    if not pair.rows or {batch.sender, batch.receiver} != {*pair.rows[0]}:
        raise RefusalError(
            ErrorCode.NOT_A_MEMBER,
            f"users {batch.sender} and {batch.receiver} are not the two of private thread {batch.thread}",
        )
    if friend is not None and not friend.rows:
        raise RefusalError(ErrorCode.NOT_FRIENDS, f"user {batch.receiver} is no friend of user {batch.sender}")
    return _pair(batch)


def _check_group(batch: Batch, group: Rows) -> tuple[tuple[int, ...], bool]:
    """The members of the group, and whether the sender is muted."""
    muted = {int(str(uid)): bool(muted) for uid, muted in group.rows}
    if batch.sender not in muted:
        raise no_member(batch.sender, batch.thread)
    return tuple(muted), muted[batch.sender]


def _check_muted(batch: Batch, *, muted: bool) -> None:
    if muted:
        raise RefusalError(ErrorCode.MUTED, f"user {batch.sender} is muted in thread {batch.thread}")


TEXTS: dict[str, Texts] = {"source": SourceTexts(), "hardened": HardenedTexts()}
"""The default `Texts` of each schema, by its name."""
