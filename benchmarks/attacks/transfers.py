"""The attack on attachments: one user has large files stored, checked, thrown away, and sent back."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass

import msgspec

from attacks.kinds import Attacked, Run
from attacks.wire import Connection, Place, raise_descriptors, source
from chatsim.chat.protocol import (
    CHUNK,
    FILE,
    AttachmentReply,
    AttachmentRequest,
    ChunkRequest,
    DownloadRequest,
    UploadReply,
    UploadRequest,
)

__all__ = ["transfers"]

_SIZE = 1_048_576
_WRONG = "0" * 64


@dataclass(frozen=True)
class _Attacker:
    """A user who sends files of zeros to a friend.

    Attributes:
        uid: the user.
        friend: the friend.
        thread: their thread.
        done: what was done.
    """

    uid: int
    friend: int
    thread: int
    done: Attacked

    async def upload(self, connection: Connection, unique: str, sha256: str) -> AttachmentReply | None:
        """The answer to sending a file; None if the server hangs up."""
        begun = await connection.ask(UploadRequest(unique, "zeros", FILE, _SIZE, sha256))
        if begun is None:
            return None
        number = msgspec.json.decode(begun, type=UploadReply).attachment_id
        for offset in range(0, _SIZE, CHUNK):
            if await connection.ask(ChunkRequest(number, offset, bytes(CHUNK))) is None:
                return None
            self.done.counts["bytes sent"] += CHUNK
        sent = await connection.ask(AttachmentRequest(self.uid, self.friend, self.thread, unique, number))
        return None if sent is None else msgspec.json.decode(sent, type=AttachmentReply)

    async def spoil(self, connection: Connection, unique: str) -> None:
        """Have a file with a wrong checksum stored and checked, again and again."""
        while await self.upload(connection, unique, _WRONG) is not None:
            self.done.counts["uploads checked"] += 1

    async def download(self, connection: Connection, message: int) -> None:
        """Ask for the same chunk, again and again."""
        while (data := await connection.ask(DownloadRequest(message, 0))) is not None:
            self.done.counts["chunks downloaded"] += 1
            self.done.counts["bytes received"] += len(data)


async def transfers(place: Place, uid: int, friend: int, devices: int) -> Run:
    """Half of the devices upload files whose checksum is wrong, and have them checked; the others download one file."""
    raise_descriptors()
    attacker = _Attacker(uid, friend, place.threads[min(uid, friend), max(uid, friend)], Attacked())
    open_ones = [await Connection.open(place, source(at)) for at in range(devices)]
    for each in open_ones:
        await each.log_in(place, uid)
    name = secrets.token_hex(8)
    sent = await attacker.upload(open_ones[0], name, hashlib.sha256(bytes(_SIZE)).hexdigest())
    assert sent is not None
    message = sent.chat_datas[0].message_id

    async def run(stop: asyncio.Event) -> Attacked:
        works = [
            attacker.spoil(each, f"{name}-{at}") if at % 2 else attacker.download(each, message)
            for at, each in enumerate(open_ones)
        ]
        tasks = [asyncio.create_task(work) for work in works]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in open_ones:
            each.close()
        return attacker.done

    return run
