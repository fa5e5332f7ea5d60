"""Messages about threads: lists of them, private chats, and how far somebody has read."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message, Part

__all__ = [
    "CreatePrivateChatReply",
    "CreatePrivateChatRequest",
    "LoadThreadsReply",
    "LoadThreadsRequest",
    "ReadNotice",
    "ReadReply",
    "ReadRequest",
    "Thread",
    "ThreadNotice",
    "ThreadState",
    "ThreadStatesReply",
    "ThreadStatesRequest",
]


class LoadThreadsRequest(Message, frozen=True):
    """The user's threads after ``thread_id``, 0 for the first page."""

    ID = 1025
    uid: Id
    thread_id: Id


class Thread(Part, frozen=True):
    """A thread; a group's user ids are 0."""

    thread_id: Id
    type: str
    user1_id: Id
    user2_id: Id


class LoadThreadsReply(Message, frozen=True):
    """A page of threads, and where the next one begins."""

    ID = 1026
    error: int
    uid: Id = 0
    load_more: bool = False
    next_last_id: Id = 0
    threads: tuple[Thread, ...] = ()


class CreatePrivateChatRequest(Message, frozen=True):
    """The thread with ``other_id``, made if there is none."""

    ID = 1027
    uid: Id
    other_id: Id


class CreatePrivateChatReply(Message, frozen=True):
    """The thread of the two."""

    ID = 1028
    error: int
    uid: Id = 0
    other_id: Id = 0
    thread_id: Id = 0


class ThreadState(Part, frozen=True):
    """A thread as the user has it.

    ``last_seq`` is the number of its last message, ``read1`` and ``read2`` how far ``user1_id`` and ``user2_id`` have
    read, ``version`` the user's number for what last happened to it, ``unread`` how many of others' messages they have
    not read.
    """

    thread_id: Id
    type: str
    user1_id: Id
    user2_id: Id
    last_seq: Id
    read1: Id
    read2: Id
    version: Id
    unread: Id


class ThreadStatesRequest(Message, frozen=True):
    """The user's threads to which something has happened after version ``since``, and before ``before`` if not 0."""

    ID = 1103
    since: Id
    before: Id


class ThreadStatesReply(Message, frozen=True):
    """A page of threads, newest version first."""

    ID = 1104
    error: int
    load_more: bool = False
    threads: tuple[ThreadState, ...] = ()


class ReadRequest(Message, frozen=True):
    """The user has read the thread up to ``seq``."""

    ID = 1105
    thread_id: Id
    seq: Id


class ReadReply(Message, frozen=True):
    """That is noted."""

    ID = 1106
    error: int


class ReadNotice(Message, frozen=True):
    """``uid`` has read the thread up to ``seq``."""

    ID = 1107
    thread_id: Id
    uid: Id
    seq: Id


class ThreadNotice(Message, frozen=True):
    """Something has happened to a thread, or it is new: the user's thread states tell what."""

    ID = 1111
    thread_id: Id
