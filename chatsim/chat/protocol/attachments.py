"""Messages about attachments: images and files go up in chunks, are sent as a message, and come down in chunks.

A chunk may be sent again, and an interrupted upload or download goes on where it has stopped.
"""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message
from chatsim.chat.protocol.texts import AcknowledgedText

__all__ = [
    "CHUNK",
    "CHUNK_REQUEST_LIMIT",
    "FILE",
    "IMAGE",
    "AttachmentReply",
    "AttachmentRequest",
    "ChunkReply",
    "ChunkRequest",
    "DownloadReply",
    "DownloadRequest",
    "UploadReply",
    "UploadRequest",
]

IMAGE, FILE = 1, 2
"""The values of ``msg_type`` for attachments, as in the table; a text has 0 (docs/source.md, 1.2)."""

CHUNK = 32_768
"""The largest number of bytes of a file in one message."""

CHUNK_REQUEST_LIMIT = 44_032
"""The largest body of a `ChunkRequest`: base64 takes four bytes for three."""


class UploadRequest(Message, frozen=True):
    """Begin to upload an image (``msg_type`` 1) or a file (2), or find out where an upload has stopped.

    ``unique_id`` is the user's name for the upload. ``sha256`` is the checksum in 64 hexadecimal digits.
    """

    ID = 1151
    unique_id: str
    name: str
    msg_type: int
    size: Id
    sha256: str


class UploadReply(Message, frozen=True):
    """The upload, and how many bytes of it the server has. The client goes on at ``offset``."""

    ID = 1152
    error: int
    attachment_id: Id = 0
    offset: Id = 0


class ChunkRequest(Message, frozen=True):
    """Send bytes of an upload. They are stored if the server has exactly the bytes before ``offset``."""

    ID = 1153
    attachment_id: Id
    offset: Id
    data: bytes


class ChunkReply(Message, frozen=True):
    """How many bytes the server has now. If the chunk did not fit, nothing was stored; go on at ``offset``."""

    ID = 1154
    error: int
    attachment_id: Id = 0
    offset: Id = 0


class AttachmentRequest(Message, frozen=True):
    """Send an upload, of which the server has all bytes, as a message. ``unique_id`` is that of the upload."""

    ID = 1155
    fromuid: Id
    touid: Id
    thread_id: Id
    unique_id: str
    attachment_id: Id


class AttachmentReply(Message, frozen=True):
    """Tells the author that the attachment has been checked and stored. ``content`` is the file's name."""

    ID = 1156
    error: int
    fromuid: Id = 0
    touid: Id = 0
    thread_id: Id = 0
    chat_datas: tuple[AcknowledgedText, ...] = ()


class DownloadRequest(Message, frozen=True):
    """Ask for bytes of a message's attachment, from ``offset`` on."""

    ID = 1157
    message_id: Id
    offset: Id


class DownloadReply(Message, frozen=True):
    """A chunk of an attachment, and the size and checksum of the whole. At the end, ``data`` is empty."""

    ID = 1158
    error: int
    message_id: Id = 0
    offset: Id = 0
    size: Id = 0
    sha256: str = ""
    data: bytes = b""
