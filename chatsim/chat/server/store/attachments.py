"""Attachments: a row from the first byte on, which says where the bytes are, whose they are, and what became of them.

The row of ``user_files`` is locked before rows of ``message_attachment``. So uploads that begin at the same time keep
within the quota of their user, and no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from chatsim.chat.protocol import ErrorCode, NumberedText, UploadRequest
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.members import MembersOnly
from chatsim.db.session import Rows, Session

__all__ = [
    "RECALLED",
    "Garbage",
    "State",
    "Upload",
    "begin",
    "garbage",
    "known_files",
    "note_whole",
    "own",
    "readable",
    "remove",
    "sized",
]

RECALLED = "UPDATE message_attachment SET state = 3 WHERE message_id = ?"
"""Gives the bytes of a recalled message up: nobody can load them any more, and they are removed soon."""

_LEAST = 4_096
"""What a small file counts in the quota, in bytes: file systems store whole blocks."""

_PORTION = 100
"""Uploads that are removed before others are looked for."""

_COLUMNS = "attachment_id, a.message_id, file_url, file_type, a.unique_id, name, size, sha256, state"
_UPLOAD = f"SELECT {_COLUMNS} FROM message_attachment a"

_OF_MESSAGE = f"""
    SELECT {_COLUMNS} FROM chat_message m
      LEFT JOIN message_attachment a ON a.message_id = m.message_id AND a.state = 2 AND m.status <> 2
     WHERE thread_id = ? AND m.message_id = ?"""

_LOCK_QUOTA = """
    BEGIN;
    INSERT INTO user_files (user_id, bytes) VALUES (?, 0) ON DUPLICATE KEY UPDATE bytes = bytes;
    SELECT bytes FROM user_files WHERE user_id = ?"""

_BEGIN = """
    INSERT INTO message_attachment (file_url, file_type, uploader, unique_id, name, size, sha256)
    VALUES (?, ?, ?, ?, ?, ?, ?);
    UPDATE user_files SET bytes = bytes + ? WHERE user_id = ?;
    COMMIT"""

_LAPSED = "state < 2 AND created_at < NOW() - INTERVAL ? SECOND"
_GARBAGE = f"""
    SELECT attachment_id, uploader, file_url FROM message_attachment WHERE state = 3 LIMIT ?;
    SELECT attachment_id, uploader, file_url FROM message_attachment WHERE {_LAPSED} LIMIT ?"""
_LOCK_GARBAGE = f"""
    BEGIN;
    SELECT bytes FROM user_files WHERE user_id = ? FOR UPDATE;
    SELECT size FROM message_attachment WHERE attachment_id = ? AND (state = 3 OR {_LAPSED}) FOR UPDATE"""
_REMOVE = """
    DELETE FROM message_attachment WHERE attachment_id = ?;
    UPDATE user_files SET bytes = bytes - ? WHERE user_id = ?;
    COMMIT"""


class State(IntEnum):
    """The state of an upload, as in the table.

    ``UNDER_WAY``: bytes may be missing. ``WHOLE``: all bytes are there, checked and safe. ``SENT``: it belongs to a
    message. ``RECALLED``: the message was recalled, and the bytes are to be removed.
    """

    UNDER_WAY = 0
    WHOLE = 1
    SENT = 2
    RECALLED = 3


@dataclass(frozen=True, slots=True)
class Upload:
    """A row of ``message_attachment``, without its user and its date."""

    attachment_id: int
    message_id: int | None
    file: str
    msg_type: int
    unique_id: str
    name: str
    size: int
    sha256: str
    state: State


@dataclass(frozen=True, slots=True)
class Garbage:
    """An upload that is to be removed."""

    attachment_id: int
    uploader: int
    file: str


async def begin(tx: Session, uid: int, wanted: UploadRequest, file: str, quota: int) -> Upload:
    """Begin an upload in a transaction, or find the one with the same unique id. ``file`` is the name for a new one.

    Raises:
        RefusalError: the unique id is that of another file, or the quota (in bytes) is used up.
    """
    *_, used, found = await tx.script(
        f"{_LOCK_QUOTA}; {_UPLOAD} WHERE uploader = ? AND unique_id = ?", (uid, uid, uid, wanted.unique_id)
    )
    if (upload := _upload(found)) is not None:
        await tx.rollback()
        as_before = (upload.msg_type, upload.name, upload.size, upload.sha256)
        if as_before != (wanted.msg_type, wanted.name, wanted.size, wanted.sha256):
            raise RefusalError(ErrorCode.BAD_CONTENT, f"the unique id is that of another upload of user {uid}")
        if upload.state is State.RECALLED:
            raise RefusalError(ErrorCode.FILE_REFUSED, "it was recalled")
        return upload
    taken, more = used.scalar() or 0, _counted(wanted.size)
    if taken + more > quota:
        raise RefusalError(
            ErrorCode.FILE_REFUSED, f"user {uid} has {taken} bytes of attachments, and may not have {more} more"
        )
    row = (file, wanted.msg_type, uid, wanted.unique_id, wanted.name, wanted.size, wanted.sha256)
    inserted, *_ = await tx.script(_BEGIN, (*row, more, uid))
    return Upload(
        *(inserted.last_id, None, file, wanted.msg_type, wanted.unique_id, wanted.name, wanted.size, wanted.sha256),
        State.UNDER_WAY,
    )


async def own(tx: Session, uid: int, attachment_id: int) -> Upload:
    """An upload of the user. Raises `RefusalError` if there is none: it may have lapsed."""
    found = await tx.execute(f"{_UPLOAD} WHERE attachment_id = ? AND uploader = ?", (attachment_id, uid))
    if (upload := _upload(found)) is None:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"user {uid} has no upload {attachment_id}")
    return upload


async def note_whole(tx: Session, attachment_id: int) -> None:
    """Store that all bytes are there, checked and safe."""
    await tx.execute("UPDATE message_attachment SET state = 1 WHERE attachment_id = ? AND state = 0", (attachment_id,))


async def readable(tx: Session, uid: int, message_id: int) -> Upload:
    """The attachment of a message, for a member of its thread who may read it.

    Raises:
        RefusalError: there is no such message, or the user may not read it; or it has no attachment.
    """
    where = await tx.execute("SELECT thread_id FROM chat_message WHERE message_id = ?", (message_id,))
    thread = where.scalar() or 0  # no thread has this number; it is asked for all the same
    unreadable = RefusalError(ErrorCode.NOT_A_MEMBER, f"user {uid} can read no message {message_id}")
    try:
        mine = MembersOnly(tx, thread, uid, numbered=True, by="seq")
        found = await mine.execute(_OF_MESSAGE, (thread, message_id))
    except RefusalError:
        raise unreadable from None
    if not found.rows:
        raise unreadable
    if found.scalar() is None:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"message {message_id} has no attachment")
    upload = _upload(found)
    assert upload is not None
    return upload


async def sized(tx: Session, thread: int, texts: Sequence[NumberedText]) -> Sequence[NumberedText]:
    """The same messages, those with attachments with their sizes. It costs nothing if there are none.

    Args:
        tx: the session; of a `MembersOnly`, ``thread`` must be its thread.
        thread: a thread.
        texts: the messages.
    """
    ids = [text.message_id for text in texts if text.msg_type]
    if not ids:
        return texts
    places = ", ".join("?" * len(ids))
    found = await tx.execute(
        f"SELECT message_id, size FROM message_attachment WHERE ? > 0 AND message_id IN ({places}) AND state = 2",
        (thread, *ids),
    )
    sizes = {message_id: int(str(size)) for message_id, size in found.rows}
    return [msgspec.structs.replace(text, size=sizes.get(text.message_id, 0)) for text in texts]


async def garbage(tx: Session, seconds: int) -> list[Garbage]:
    """Some uploads that are to be removed: recalled, or not sent within ``seconds``."""
    recalled, lapsed = await tx.script(_GARBAGE, (_PORTION, seconds, _PORTION))
    rows = [*recalled.rows, *lapsed.rows]
    return [Garbage(int(str(number)), int(str(uploader)), str(file)) for number, uploader, file in rows]


async def remove(tx: Session, each: Garbage, seconds: int) -> bool:
    """Remove the row of an upload in a transaction, if it is still to be removed. Returns whether it was."""
    *_, found = await tx.script(_LOCK_GARBAGE, (each.uploader, each.attachment_id, seconds))
    if not found.rows:
        await tx.rollback()
        return False
    await tx.script(_REMOVE, (each.attachment_id, _counted(found.scalar() or 0), each.uploader))
    return True


async def known_files(tx: Session, files: Sequence[str]) -> set[str]:
    """Those of the files that have a row."""
    places = ", ".join("?" * len(files))
    found = await tx.execute(f"SELECT file_url FROM message_attachment WHERE file_url IN ({places})", files)
    return {str(file) for (file,) in found.rows}


def _counted(size: int) -> int:
    return max(size, _LEAST)


def _upload(found: Rows) -> Upload | None:
    if not found.rows:
        return None
    number, message_id, file, msg_type, unique_id, name, size, sha256, state = found.rows[0]
    return Upload(
        attachment_id=int(str(number)),
        message_id=None if message_id is None else int(str(message_id)),
        file=str(file),
        msg_type=int(str(msg_type)),
        unique_id=str(unique_id),
        name=str(name),
        size=int(str(size)),
        sha256=str(sha256),
        state=State(int(str(state))),
    )
