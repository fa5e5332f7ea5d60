"""Messages about threads: thread lists, private chats, and read positions."""

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
    """Ask for the user's threads after ``thread_id``; 0 is the first page."""

    ID = 1025
    uid: Id
    thread_id: Id


class Thread(Part, frozen=True):
    """A thread. In a group both user ids are 0."""

    thread_id: Id
    type: str
    user1_id: Id
    user2_id: Id


class LoadThreadsReply(Message, frozen=True):
    """A page of threads. The next page begins after ``next_last_id``."""

    ID = 1026
    error: int
    uid: Id = 0
    load_more: bool = False
    next_last_id: Id = 0
    threads: tuple[Thread, ...] = ()


class CreatePrivateChatRequest(Message, frozen=True):
    """Ask for the private chat with ``other_id``, which is created if there is none."""

    ID = 1027
    uid: Id
    other_id: Id


class CreatePrivateChatReply(Message, frozen=True):
    """The thread of the two users."""

    ID = 1028
    error: int
    uid: Id = 0
    other_id: Id = 0
    thread_id: Id = 0


class ThreadState(Part, frozen=True, omit_defaults=True):
    """A thread as one user sees it.

    ``last_seq`` is the number of its last message. ``read1`` and ``read2`` are the read positions of ``user1_id`` and
    ``user2_id``; in a group ``read1`` is that of the user who asks. ``version`` is the user's number of the last change
    in the thread. ``unread`` is how many messages of others the user has not read.

    The other keys are those of a group, and are left out if they have no value: its name, the user's role in it (-1:
    the user is no member any more, and is told nothing else), the number of the first message that the user may read,
    the number of changes of members, roles and mutes, and the time until which the user may not write.

    ``last_revision`` is the number of the last recall or edit of a message in the thread. ``delivered1`` and
    ``delivered2`` say how far a device of ``user1_id`` and ``user2_id`` has a private chat.
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
    name: str = ""
    role: int = 0
    first: Id = 1
    roster: Id = 0
    muted_until: str = ""
    last_revision: Id = 0
    delivered1: Id = 0
    delivered2: Id = 0


class ThreadStatesRequest(Message, frozen=True):
    """Ask for threads that have changed after version ``since``, and before version ``before`` if that is not 0."""

    ID = 1103
    since: Id
    before: Id


class ThreadStatesReply(Message, frozen=True):
    """A page of threads, the newest version first."""

    ID = 1104
    error: int
    load_more: bool = False
    threads: tuple[ThreadState, ...] = ()


class ReadRequest(Message, frozen=True):
    """Tell the server that the user has read the thread up to number ``seq``."""

    ID = 1105
    thread_id: Id
    seq: Id


class ReadReply(Message, frozen=True):
    """The read position has been stored."""

    ID = 1106
    error: int


class ReadNotice(Message, frozen=True):
    """User ``uid`` has read the thread up to number ``seq``."""

    ID = 1107
    thread_id: Id
    uid: Id
    seq: Id


class ThreadNotice(Message, frozen=True):
    """A thread is new or has changed. The client asks for thread states to learn what has changed."""

    ID = 1111
    thread_id: Id
