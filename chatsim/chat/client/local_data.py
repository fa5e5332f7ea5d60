"""What a client's local data consists of: threads, messages, entries of the thread list, texts to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chatsim.chat.client.local_files import LocalFile

__all__ = ["Excerpt", "Head", "LocalText", "LocalThread", "Pending", "State"]


class State(StrEnum):
    """The state of a message.

    ``SENDING``: the server has not acknowledged it yet. ``FAILED``: the server has refused it, or has not acknowledged
    it in time. ``UNREAD``: it is stored, and the receiver has not read it. ``DELIVERED``: one of the receiver's devices
    has it, too. ``READ``: the receiver has read it. ``RECALLED``: it was taken back, and has no content.
    """

    SENDING = "sending"
    FAILED = "failed"
    UNREAD = "unread"
    DELIVERED = "delivered"
    READ = "read"
    RECALLED = "recalled"


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
        last_revision: the largest number of a change of a message that this client has heard of.
        revision: all changes up to this number have been applied to the stored messages.
        delivered1, delivered2: how far one of the devices of ``user1_id`` and ``user2_id`` has the thread.
        counted_from, counted_to, counted: the server has counted the messages of others between these two numbers, the
            first of which is the user's read position.
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
    last_revision: int = 0
    revision: int = 0
    delivered1: int = 0
    delivered2: int = 0
    counted_from: int = 0
    counted_to: int = 0
    counted: int = 0

    @property
    def left(self) -> bool:
        """Whether the user is no member of the group any more."""
        return self.role < 0

    @property
    def lacks_something(self) -> bool:
        """Whether messages, or changes of messages, are known to be missing here."""
        return self.cursor < self.last_seq or self.revision < self.last_revision

    def other(self, uid: int) -> int:
        """The other user of a private chat; 0 in a group."""
        return self.user2_id if uid == self.user1_id else self.user1_id

    def read_by(self, uid: int) -> int:
        """The read position of ``uid``. In a group only that of the user of this client is known."""
        return self.read1 if self.user1_id in (uid, 0) else self.read2

    def delivered_to(self, uid: int) -> int:
        """How far a device of ``uid``, one of the two of a private chat, has the thread."""
        return self.delivered1 if uid == self.user1_id else self.delivered2

    def state(self, uid: int, sender: int, seq: int, *, recalled: bool = False) -> State:
        """The state of a stored message, as ``uid`` sees it, who is its sender or a receiver."""
        if recalled:
            return State.RECALLED
        if sender == uid and self.type == "group":
            return State.UNREAD  # how many have read it is asked for when somebody wants to know
        reader = self.other(uid) if sender == uid else uid
        if seq <= self.read_by(reader):
            return State.READ
        return State.DELIVERED if sender == uid and seq <= self.delivered_to(reader) else State.UNREAD

    def own_from(self, uid: int) -> int:
        """The number after which the stored messages of ``uid`` are to be counted, for `unread`.

        Where messages after the read position are not stored here, the server's count is used, as far as it goes.
        """
        return self.counted_to if self._uses_count(uid) else self.read_by(uid)

    def unread(self, uid: int, own: int) -> int:
        """How many messages of others ``uid`` has not read. Those that nobody has counted count as others'.

        Args:
            uid: the user.
            own: the number of stored messages after `own_from` that ``uid`` has sent.
        """
        if self._uses_count(uid):
            return self.counted + max(0, self.last_seq - self.counted_to) - own
        return max(0, self.last_seq - self.read_by(uid)) - own

    def _uses_count(self, uid: int) -> bool:
        return self.read_by(uid) == self.counted_from and self.floor > self.counted_from + 1


@dataclass(frozen=True, slots=True)
class LocalText:
    """A message as it is shown. If the server has not stored it yet, it has no number: ``seq`` is None.

    ``file`` is its attachment, if it has one; then the content is the file's name. ``edited`` says whether its author
    has changed it.
    """

    thread_id: int
    seq: int | None
    unique_id: str
    sender: int
    content: str
    state: State
    chat_time: str
    file: LocalFile | None = None
    edited: bool = False


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
        revised: of those that were left out, the ones that may have been recalled or edited.
        on_their_way: the user's own messages that have no number yet: texts, and then attachments, in the order of
            sending.
    """

    thread: LocalThread
    below: list[LocalText]
    revised: list[LocalText]
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
