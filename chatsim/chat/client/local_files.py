"""A client's attachments in its local store: uploads with their bytes until they are sent, and half-finished downloads.

The cache makes these tables, too, and puts in what it learns with messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatsim.chat.ports import LocalStore, Many
from chatsim.chat.protocol import CHUNK
from chatsim.db.session import Rows

__all__ = [
    "ARRIVED",
    "FILE",
    "FILES_OF",
    "NOTE_SIZE",
    "RECALLED",
    "TABLES",
    "LocalFile",
    "LocalFiles",
    "Upload",
    "file_of",
]

TABLES = (
    "CREATE TABLE IF NOT EXISTS attachment (message_id INTEGER PRIMARY KEY, size INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS upload (
        n INTEGER PRIMARY KEY AUTOINCREMENT, unique_id TEXT NOT NULL UNIQUE, thread_id INTEGER NOT NULL,
        receiver INTEGER NOT NULL, name TEXT NOT NULL, msg_type INTEGER NOT NULL, size INTEGER NOT NULL,
        sha256 TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS upload_part (
        unique_id TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (unique_id, at))""",
    """CREATE TABLE IF NOT EXISTS download_part (
        message_id INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (message_id, at))""",
    "CREATE INDEX IF NOT EXISTS message_attached ON message (thread_id, seq) WHERE msg_type <> 0",
)
"""The tables of this module. The index finds the few messages with attachments in a long thread."""

NOTE_SIZE = "INSERT OR IGNORE INTO attachment VALUES (?, ?)"
RECALLED = ("DELETE FROM attachment WHERE message_id = ?", "DELETE FROM download_part WHERE message_id = ?")
ARRIVED = ("DELETE FROM upload WHERE unique_id = ?", "DELETE FROM upload_part WHERE unique_id = ?")

FILE = """m.message_id, m.msg_type,
      CASE m.msg_type WHEN 0 THEN 0 ELSE (SELECT size FROM attachment a WHERE a.message_id = m.message_id) END,
      CASE m.msg_type WHEN 0 THEN 0 ELSE
        (SELECT SUM(LENGTH(data)) FROM download_part d WHERE d.message_id = m.message_id) END"""
"""The columns of a message ``m`` for `file_of`. For a text nothing else is read."""

FILES_OF = f"""
    SELECT m.seq, {FILE} FROM message m
     WHERE m.thread_id = ? AND m.seq >= ? AND m.msg_type <> 0 AND m.status <> 2"""  # noqa: S608

_UPLOAD = "SELECT unique_id, thread_id, receiver, name, msg_type, size, sha256 FROM upload"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The attachment of a message, as it is shown. The name is the content of the message.

    Attributes:
        message_id: the message; 0 until it is sent.
        msg_type: 1 for an image, 2 for a file.
        size: its size in bytes; 0 if the attachment was recalled.
        done: the number of bytes that the server has of an upload, or that are here of a download.
    """

    message_id: int
    msg_type: int
    size: int
    done: int


@dataclass(frozen=True, slots=True)
class Upload:
    """An attachment that is to be sent."""

    unique_id: str
    thread_id: int
    receiver: int
    name: str
    msg_type: int
    size: int
    sha256: str


class LocalFiles:
    """The attachments of one user. Its methods raise `LocalStoreError`.

    Args:
        store: the local database, in which the cache has made the tables.
    """

    def __init__(self, store: LocalStore) -> None:
        self._store = store

    async def put(self, upload: Upload, data: bytes) -> None:
        """Store an attachment that is to be sent, with its bytes."""
        parts = [(upload.unique_id, at, data[at : at + CHUNK]) for at in range(0, len(data), CHUNK)]
        await self._store.transaction(
            [
                (
                    """INSERT INTO upload (unique_id, thread_id, receiver, name, msg_type, size, sha256, state)
                       VALUES (?, ?, ?, ?, ?, ?, ?, 'sending')""",
                    (
                        *(upload.unique_id, upload.thread_id, upload.receiver, upload.name, upload.msg_type),
                        *_of(upload),
                    ),
                ),
                Many("INSERT INTO upload_part VALUES (?, ?, ?)", parts),
            ]
        )

    async def next_upload(self) -> Upload | None:
        """The first attachment that is to be sent, if there is one."""
        rows = (await self._store.execute(f"{_UPLOAD} WHERE state = 'sending' ORDER BY n LIMIT 1")).rows
        return None if not rows else _upload(rows[0])

    async def parts(self, unique_id: str, offset: int, count: int) -> list[tuple[int, bytes]]:
        """The next ``count`` parts of an upload, from ``offset`` on: where each begins, and its bytes."""
        found = await self._store.execute(
            "SELECT at, data FROM upload_part WHERE unique_id = ? AND at > ? ORDER BY at LIMIT ?",
            (unique_id, offset - CHUNK, count),
        )
        return [(max(at, offset), data[max(0, offset - at) :]) for at, data in _parts(found)]

    async def note_sent(self, unique_id: str, sent: int) -> None:
        """Store how many bytes of an upload the server has."""
        await self._store.execute("UPDATE upload SET sent = ? WHERE unique_id = ?", (sent, unique_id))

    async def note_done(self, unique_id: str) -> None:
        """Store that an attachment has been sent; its bytes are dropped. The message itself comes from the server."""
        await self._store.transaction(
            [
                ("UPDATE upload SET state = 'unread', sent = size WHERE unique_id = ?", (unique_id,)),
                ("DELETE FROM upload_part WHERE unique_id = ?", (unique_id,)),
            ]
        )

    async def note_failed(self, unique_id: str) -> None:
        """Store that the server has refused an attachment. Its bytes are kept, to try again."""
        await self._store.execute("UPDATE upload SET state = 'failed' WHERE unique_id = ?", (unique_id,))

    async def send_again(self, unique_id: str) -> None:
        """Put a failed attachment back among those that are to be sent."""
        await self._store.execute(
            "UPDATE upload SET state = 'sending' WHERE unique_id = ? AND state = 'failed'", (unique_id,)
        )

    async def file(self, thread_id: int, seq: int) -> LocalFile | None:
        """The attachment of a stored message, if it has one."""
        found = await self._store.execute(f"{FILES_OF} AND m.seq = ?", (thread_id, seq, seq))
        return file_of(*found.rows[0][1:]) if found.rows else None

    async def keep(self, message_id: int, parts: Sequence[tuple[int, bytes]]) -> None:
        """Store parts of a download."""
        rows = [(message_id, at, data) for at, data in parts]
        await self._store.transaction([Many("INSERT OR IGNORE INTO download_part VALUES (?, ?, ?)", rows)])

    async def kept(self, message_id: int) -> bytes:
        """The bytes of a download that are here. They are without a gap from the beginning on."""
        found = await self._store.execute(
            "SELECT at, data FROM download_part WHERE message_id = ? ORDER BY at", (message_id,)
        )
        whole = bytearray()
        for at, data in _parts(found):
            if at == len(whole):
                whole += data
        return bytes(whole)

    async def drop(self, message_id: int) -> None:
        """Forget the parts of a download."""
        await self._store.execute("DELETE FROM download_part WHERE message_id = ?", (message_id,))


def file_of(*row: object) -> LocalFile | None:
    """The columns `FILE` of a message as a `LocalFile`; None for a text."""
    message_id, msg_type, size, done = (int(str(value or 0)) for value in row)
    return LocalFile(message_id, msg_type, size, done) if msg_type else None


def _of(upload: Upload) -> tuple[int, str]:
    return upload.size, upload.sha256


def _upload(row: tuple[object, ...]) -> Upload:
    unique_id, thread_id, receiver, name, msg_type, size, sha256 = row
    return Upload(
        *(str(unique_id), int(str(thread_id)), int(str(receiver)), str(name), int(str(msg_type)), int(str(size))),
        str(sha256),
    )


def _parts(found: Rows) -> list[tuple[int, bytes]]:
    parts = []
    for at, data in found.rows:
        assert isinstance(data, bytes)
        parts.append((int(str(at)), data))
    return parts
