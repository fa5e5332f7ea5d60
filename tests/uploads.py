"""Attachments by hand: the requests of a device that uploads, sends and downloads them."""

import base64
import hashlib

from harness import ANN, BOB

from chatsim.chat.protocol import CHUNK

DATA = bytes(range(256)) * 300  # two whole chunks, and a part of one
CHUNKS = 3
REFUSED, FAILED = 1113, 1114


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def wanted(data=DATA, **other):
    return {"unique_id": "{f}", "name": "photo.jpg", "msg_type": 1, "size": len(data), "sha256": sha256(data)} | other


def chunk(number, data, offset, size=CHUNK):
    piece = data[offset : offset + size]
    return 1153, {"attachment_id": number, "offset": offset, "data": base64.b64encode(piece).decode()}


async def upload(device, data=DATA, *, at_most=CHUNKS, **other):
    """Upload what the server does not have yet, but at most so many chunks. Returns the upload's id."""
    begun = await device.ask(1151, wanted(data, **other))
    assert begun["error"] == 0, begun
    offset = begun["offset"]
    for _ in range(at_most):
        if offset == len(data):
            break
        reply = await device.ask(*chunk(begun["attachment_id"], data, offset))
        assert reply == {
            "error": 0,
            "attachment_id": begun["attachment_id"],
            "offset": min(len(data), offset + CHUNK),
        }
        offset = reply["offset"]
    return begun["attachment_id"]


def sending(thread, number, sender=ANN, receiver=BOB, unique="{f}"):
    return 1155, {"fromuid": sender, "touid": receiver, "thread_id": thread, "unique_id": unique} | {
        "attachment_id": number
    }


async def sent(device, thread, data=DATA, *, receiver=BOB, **other):
    """Upload and send; in a group, ``receiver`` is 0. Returns the message's id."""
    number = await upload(device, data, at_most=10**6, **other)
    unique = other.get("unique_id", "{f}")
    reply = await device.ask(*sending(thread, number, device.uid, receiver, unique))
    assert reply["error"] == 0, reply
    return reply["chat_datas"][0]["message_id"]


async def downloaded(device, message, offset=0):
    """All bytes of an attachment from an offset on, and the checksum that the server tells."""
    data = b""
    while True:
        reply = await device.ask(1157, {"message_id": message, "offset": offset + len(data)})
        assert reply["error"] == 0, reply
        if not (piece := base64.b64decode(reply["data"])):
            assert reply["size"] == offset + len(data)
            return data, reply["sha256"]
        data += piece


async def files_there(harness):
    return await harness.world.files.names()
