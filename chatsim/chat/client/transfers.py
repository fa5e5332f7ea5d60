"""Sending and fetching attachments: several chunks are under way at once; a transfer goes on where it has stopped."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from chatsim.chat.client.connection import Client, ClientError, RefusedError
from chatsim.chat.client.local_files import LocalFile, LocalFiles, Upload
from chatsim.chat.protocol import (
    CHUNK,
    AttachmentReply,
    AttachmentRequest,
    ChunkReply,
    ChunkRequest,
    DownloadReply,
    DownloadRequest,
    ErrorCode,
    Message,
    UploadReply,
    UploadRequest,
)

__all__ = ["TransferError", "beginning", "download", "sha256", "upload"]

R = TypeVar("R", bound=Message)

_WINDOW = 4
"""The number of chunks that are under way at the same time."""

_AT_ONCE = 1_048_576
"""The number of bytes that are hashed before other work has its turn."""


class TransferError(ClientError):
    """A transfer does not go on, or what has come is not the file that was sent. The message says which."""


async def sha256(data: bytes) -> str:
    """The checksum of ``data``, in hexadecimal digits."""
    digest = hashlib.sha256()
    for at in range(0, len(data), _AT_ONCE):
        digest.update(data[at : at + _AT_ONCE])
        await asyncio.sleep(0)
    return digest.hexdigest()


def beginning(wanted: Upload) -> UploadRequest:
    """The first request of an upload."""
    return UploadRequest(wanted.unique_id, wanted.name, wanted.msg_type, wanted.size, wanted.sha256)


async def upload(connection: Client, uid: int, files: LocalFiles, wanted: Upload, moved: Callable[[], None]) -> None:
    """Send the bytes that the server does not have, and then the message. ``moved`` is called after each step.

    Raises:
        RefusedError: the server has refused the file or the message.
        ClientError: the connection has ended, or the upload does not go on. Another try goes on where this one stopped.
    """
    name = wanted.unique_id
    reply = await connection.request(beginning(wanted), UploadReply)
    number, sent = reply.attachment_id, reply.offset
    await files.note_sent(name, min(sent, wanted.size))
    moved()
    while sent < wanted.size:
        parts = await files.parts(name, sent, _WINDOW)
        chunks = [ChunkRequest(number, at, data) for at, data in parts]
        with _lost_is_no_refusal():
            replies = await _at_once(connection, chunks, ChunkReply)
        before, sent = sent, replies[-1].offset if replies else 0
        if sent <= before:
            raise TransferError(f"the upload of {wanted.name!r} does not go on after byte {before}")
        await files.note_sent(name, min(sent, wanted.size))
        moved()
    ask = AttachmentRequest(uid, wanted.receiver, wanted.thread_id, name, number)
    with _lost_is_no_refusal():
        acknowledged = await connection.request(ask, AttachmentReply)
    if [each.unique_id for each in acknowledged.chat_datas] != [name]:
        raise TransferError("the server has acknowledged another attachment than was sent")
    await files.note_done(name)


async def download(connection: Client, files: LocalFiles, wanted: LocalFile, moved: Callable[[], None]) -> bytes:
    """The bytes of an attachment. Those that have come are stored, so that another try goes on where this one stopped.

    Raises:
        RefusedError: the server has refused it.
        ClientError: the connection has ended; or the bytes are not those that were sent, and were dropped.
    """
    message_id, size = wanted.message_id, wanted.size
    have = len(await files.kept(message_id))
    checksum = ""
    while have < size or not checksum:
        offsets = range(have, min(size, have + _WINDOW * CHUNK), CHUNK) or [have]
        asked = [DownloadRequest(message_id, at) for at in offsets]
        replies = await _at_once(connection, asked, DownloadReply)
        checksum = replies[0].sha256
        parts = list(_next_parts(replies, have))
        before, have = have, have + sum(len(data) for _, data in parts)
        if have > size or have == before < size:
            raise TransferError(f"the download of message {message_id} does not go on after byte {before}")
        await files.keep(message_id, parts)
        moved()
    data = await files.kept(message_id)
    whole = len(data) == size and await sha256(data) == checksum
    await files.drop(message_id)
    moved()
    if not whole:
        raise TransferError(f"the attachment of message {message_id} is not what was sent: its checksum is wrong")
    return data


def _next_parts(replies: Sequence[DownloadReply], have: int) -> Iterator[tuple[int, bytes]]:
    """The parts that follow the first ``have`` bytes without a gap: where each begins, and its bytes."""
    for reply in replies:
        if reply.offset != have or not reply.data:
            return
        yield reply.offset, reply.data
        have += len(reply.data)


@contextmanager
def _lost_is_no_refusal() -> Iterator[None]:
    """Raise a `TransferError` if the server has lost an upload that it has accepted, or finds its bytes wrong."""
    try:
        yield
    except RefusedError as error:
        if error.code != ErrorCode.FILE_REFUSED:
            raise
        raise TransferError(f"the server has lost the upload: {error}") from error


async def _at_once(connection: Client, requests: Sequence[Message], reply: type[R]) -> list[R]:
    """The replies to several requests, which are sent one directly after the other."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(connection.request(request, reply)) for request in requests]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
