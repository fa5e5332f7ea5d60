"""Attachments: files come up in chunks, become messages once they are safe, and go down in chunks to members."""

from __future__ import annotations

import re

from chatsim.chat.ports import Files, FilesError
from chatsim.chat.protocol import (
    CHUNK,
    FILE,
    IMAGE,
    AttachmentReply,
    AttachmentRequest,
    ChunkReply,
    ChunkRequest,
    DownloadReply,
    DownloadRequest,
    ErrorCode,
    Message,
    OutgoingText,
    UploadReply,
    UploadRequest,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.handlers.texts import check_unique_ids, post
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store import attachments as store
from chatsim.chat.server.store import members
from chatsim.chat.server.store.attachments import State, Upload
from chatsim.chat.server.store.texts import Attached, Batch
from chatsim.db.session import Session

__all__ = ["begin", "chunk", "download", "send"]

_LONGEST_NAME = 255
_SHA256 = re.compile("[0-9a-f]{64}")


async def begin(context: HandlerContext, session: ClientSession, request: UploadRequest) -> Message:
    """Begin an upload, or say where the one with the same unique id has stopped."""
    files = _files(context)
    _check(request, context.limits.file_bytes)
    quota, file = context.limits.user_file_bytes, context.new_file()

    async def begin_upload(tx: Session) -> Upload:
        return await store.begin(tx, session.uid, request, file, quota)

    upload = await context.transact(session.uid, begin_upload)
    there = await files.length(upload.file) if upload.state is State.UNDER_WAY else upload.size
    return UploadReply(ErrorCode.SUCCESS, upload.attachment_id, there)


async def chunk(context: HandlerContext, session: ClientSession, request: ChunkRequest) -> Message:
    """Store bytes of an upload, if they are the next ones."""
    files = _files(context)
    if len(request.data) > CHUNK:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"{len(request.data)} bytes, more than {CHUNK}")
    async with context.lease(session.uid) as tx:
        upload = await store.own(tx, session.uid, request.attachment_id)
    if request.offset + len(request.data) > upload.size:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"upload {upload.attachment_id} has only {upload.size} bytes")
    there = upload.size
    if upload.state is State.UNDER_WAY:
        there = await files.append(upload.file, request.offset, request.data)
    return ChunkReply(ErrorCode.SUCCESS, upload.attachment_id, there)


async def send(context: HandlerContext, session: ClientSession, request: AttachmentRequest) -> Message:
    """Check an upload, make its bytes safe, and send it as a message, which is acknowledged and pushed like a text."""
    files = _files(context)
    async with context.lease(session.uid) as tx:
        await members.require(tx, session.uid, [request.thread_id])
        upload = await store.own(tx, session.uid, request.attachment_id)
    if upload.unique_id != request.unique_id:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"upload {upload.attachment_id} has another unique id")
    if upload.state is State.UNDER_WAY:
        async with context.checking.of(session.uid):  # one after the other: to check a large file takes a while
            await _make_safe(context, files, session.uid, upload.attachment_id)
    batch = Batch(
        *(request.thread_id, request.fromuid, request.touid, [OutgoingText(upload.name, upload.unique_id)]),
        Attached(upload.attachment_id, upload.msg_type, upload.size),
    )
    acknowledged = await post(context, session, batch)
    return AttachmentReply(ErrorCode.SUCCESS, batch.sender, batch.receiver, batch.thread, acknowledged)


async def download(context: HandlerContext, session: ClientSession, request: DownloadRequest) -> Message:
    """A chunk of an attachment, for a member of the thread."""
    files = _files(context)
    async with context.lease(session.uid) as tx:
        upload = await store.readable(tx, session.uid, request.message_id)
    wanted = max(0, min(CHUNK, upload.size - request.offset))
    data = await files.read(upload.file, request.offset, wanted) if wanted else b""
    if len(data) < wanted:
        raise FilesError(f"bytes of attachment {upload.attachment_id} are missing")
    return DownloadReply(ErrorCode.SUCCESS, request.message_id, request.offset, upload.size, upload.sha256, data)


def _files(context: HandlerContext) -> Files:
    """Where the bytes are. Raises `RefusalError` if this node takes no attachments."""
    context.require_numbers()
    if context.files is None:
        raise RefusalError(ErrorCode.FILE_REFUSED, "this server takes no attachments")
    return context.files


def _check(request: UploadRequest, most: int) -> None:
    """Raise `RefusalError` for a file that is not allowed.

    A name is shown, and is never a path. One that could be taken for a path is refused for the sake of other clients.
    """
    check_unique_ids([request.unique_id])
    name = request.name
    if not 0 < len(name) <= _LONGEST_NAME:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"a file's name has 1 to {_LONGEST_NAME} characters")
    if not name.isprintable() or name != name.strip() or name in {".", ".."} or {*name} & {"/", "\\"}:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"{name!r} is not allowed as the name of a file")
    if request.msg_type not in {IMAGE, FILE}:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"{request.msg_type} is no kind of attachment")
    if not 0 < request.size <= most:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"an attachment has 1 to {most} bytes, not {request.size}")
    if not _SHA256.fullmatch(request.sha256):
        raise RefusalError(ErrorCode.FILE_REFUSED, "a checksum has 64 hexadecimal digits, in lower case")


async def _make_safe(context: HandlerContext, files: Files, uid: int, attachment_id: int) -> None:
    """Check that all bytes of an upload are there and are right, write them to the disk, and note that.

    Raises `RefusalError` if they are not. If they are wrong, they are removed, and the upload can begin again.
    """
    async with context.lease(uid) as tx:
        upload = await store.own(tx, uid, attachment_id)
    if upload.state is not State.UNDER_WAY:
        return
    if (there := await files.length(upload.file)) < upload.size:
        raise RefusalError(ErrorCode.FILE_REFUSED, f"upload {attachment_id} has {there} bytes of {upload.size}")
    await files.sync(upload.file)
    if await files.digest(upload.file) != upload.sha256:
        await files.remove(upload.file)
        raise RefusalError(ErrorCode.FILE_REFUSED, f"the checksum of upload {attachment_id} is wrong")
    async with context.lease(uid) as tx:
        await store.note_whole(tx, attachment_id)
