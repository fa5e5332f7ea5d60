"""What a client's local data consists of: threads, messages, entries of the thread list, texts to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chatsim.chat.client.local_files import LocalFile

__all__ = ["Excerpt", "Head", "LocalText", "LocalThread", "Pending", "State"]


class State(StrEnum):
    """The state of a message.

    ``SENDING``: the server has not acknowledged it yet. ``FAILED``: the server has refused it, or has not acknowledged
    it in time. ``UNREAD``: it is stored, and the receiver has not read it. ``READ``: the receiver has read it.
    """

    SENDING = "sending"
    FAILED = "failed"
    UNREAD = "unread"
    READ = "read"


@dataclass(frozen=True, slots=True)
class LocalThread:
    """A thread as this client knows it.

    Attributes:
        last_seq: the largest message number that this client has heard of; 0 in an empty thread.
        read1, read2: the read positions of ``user1_id`` and ``user2_id``.
        floor, cursor: the first and last number of the messages that are stored without a gap. The cursor is below the
            floor if there are none.
        start: the number at which the first catch-up begins; very large until there is one.
        name: the name of a group.
        role: the user's role in a group: 0 member, 1 admin, 2 creator; -1 if the user is no member any more.
        first: the number of the first message that the user may read.
        roster: the number of changes of a group's members, as far as this client has heard.
        muted_until: the time until which the user may not write in a group; empty if there is none.
    """

    thread_id: int
    type: str
    user1_id: int
    user2_id: int
    last_seq: int
    read1: int
    read2: int
    floor: int
    cursor: int
    start: int
    name: str = ""
    role: int = 0
    first: int = 1
    roster: int = 0
    muted_until: str = ""

    @property
    def left(self) -> bool:
        """Whether the user is no member of the group any more."""
        return self.role < 0

    def other(self, uid: int) -> int:
        """The other user of a private chat; 0 in a group."""
        return self.user2_id if uid == self.user1_id else self.user1_id

    def read_by(self, uid: int) -> int:
        """The read position of ``uid``. In a group only that of the user of this client is known."""
        return self.read1 if self.user1_id in (uid, 0) else self.read2

    def state(self, uid: int, sender: int, seq: int) -> State:
        """The state of a stored message, as ``uid`` sees it, who is its sender or a receiver."""
        if sender == uid and self.type == "group":
            return State.UNREAD  # how many have read it is asked for when somebody wants to know
        reader = self.other(uid) if sender == uid else uid
        return State.READ if seq <= self.read_by(reader) else State.UNREAD

    def unread(self, uid: int, own: int) -> int:
        """How many messages of others ``uid`` has not read. Messages that are not stored here count as others'.

        Args:
            uid: the user.
            own: the number of stored messages after the read position that ``uid`` has sent.
        """
        return max(0, self.last_seq - self.read_by(uid)) - own


@dataclass(frozen=True, slots=True)
class LocalText:
    """A message as it is shown. If the server has not stored it yet, it has no number: ``seq`` is None.

    ``file`` is its attachment, if it has one; then the content is the file's name.
    """

    thread_id: int
    seq: int | None
    unique_id: str
    sender: int
    content: str
    state: State
    chat_time: str
    file: LocalFile | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """An entry of a thread list.

    Attributes:
        thread: the thread.
        last: the last message, stored or still to be sent, if there is one.
        active: orders the list: the larger it is, the later the last text. A failed text does not count.
        unread: how many messages the user has not read.
    """

    thread: LocalThread
    last: LocalText | None
    active: tuple[int, int]
    unread: int


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a thread, read in one transaction.

    Attributes:
        thread: the thread.
        below, above: its messages below and above the ones that were left out, in order.
        on_their_way: the user's own messages that have no number yet: texts, and then attachments, in the order of
            sending.
    """

    thread: LocalThread
    below: list[LocalText]
    above: list[LocalText]
    on_their_way: list[LocalText]


@dataclass(frozen=True, slots=True)
class Pending:
    """A text that is to be sent; ``deadline`` is in seconds, by a clock that only the open messenger has."""

    unique_id: str
    thread_id: int
    receiver: int
    content: str
    deadline: float
