"""Messages about receipts: how far a user's devices have a thread, and how many members have or have read a message."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message

__all__ = ["DeliveredNotice", "DeliveredReply", "DeliveredRequest", "ReceiptsReply", "ReceiptsRequest"]


class ReceiptsRequest(Message, frozen=True):
    """Ask how many members have got, and have read, message number ``seq`` of a thread."""

    ID = 1139
    thread_id: Id
    seq: Id


class ReceiptsReply(Message, frozen=True):
    """The number of members that may read the message, without its author; how many have got it, and have read it."""

    ID = 1140
    error: int
    members: int = 0
    delivered: int = 0
    read: int = 0


class DeliveredRequest(Message, frozen=True):
    """Tell the server that a device of the user has stored thread ``threads[i]`` up to number ``seqs[i]``."""

    ID = 1141
    threads: tuple[Id, ...]
    seqs: tuple[Id, ...]


class DeliveredReply(Message, frozen=True):
    """The marks have been stored."""

    ID = 1142
    error: int


class DeliveredNotice(Message, frozen=True):
    """In a private chat: the other user, ``uid``, has got the thread up to number ``seq``."""

    ID = 1143
    thread_id: Id
    uid: Id
    seq: Id
