"""Messages about texts: sending, acknowledging, pushing, and reading the history page by page."""

from __future__ import annotations

from enum import IntEnum

from chatsim.chat.protocol.parts import Id, Message, Part

__all__ = [
    "AcknowledgedText",
    "DateReply",
    "DateRequest",
    "HistoryReply",
    "HistoryRequest",
    "HistoryText",
    "LoadMessagesReply",
    "LoadMessagesRequest",
    "MessageStatus",
    "NumberedText",
    "OutgoingText",
    "TextNotice",
    "TextReply",
    "TextRequest",
    "TextsNotice",
]


class MessageStatus(IntEnum):
    """The values of a message's ``status``: in the tables, on the wire, and in a client's local data.

    The value 1, which is "read" in the source's comment and "failed" in its client, is not used: who has read a message
    is known from read positions, and whether it could be sent is known to its author's client alone (docs/receipts.md).

    Attributes:
        SENT: the message has been stored, with the content that it has now.
        RECALLED: it was taken back, and its content is empty.
    """

    SENT = 0
    RECALLED = 2


class OutgoingText(Part, frozen=True):
    """A text as its author sends it."""

    content: str
    unique_id: str


class TextRequest(Message, frozen=True):
    """Send a batch of texts into one thread."""

    ID = 1017
    fromuid: Id
    touid: Id
    thread_id: Id
    text_array: tuple[OutgoingText, ...]


class AcknowledgedText(Part, frozen=True):
    """A text as the server has stored it."""

    message_id: Id
    unique_id: str
    content: str
    status: int
    chat_time: str


class TextReply(Message, frozen=True):
    """Tells the author that the texts have been stored."""

    ID = 1018
    error: int
    fromuid: Id = 0
    touid: Id = 0
    thread_id: Id = 0
    chat_datas: tuple[AcknowledgedText, ...] = ()


class TextNotice(Message, frozen=True):
    """Pushes the texts to the receiver."""

    ID = 1019
    error: int
    fromuid: Id
    touid: Id
    thread_id: Id
    chat_datas: tuple[AcknowledgedText, ...]


class NumberedText(Part, frozen=True, omit_defaults=True):
    """A message with its number in the thread: ``seq`` starts at 1 and has no gaps.

    ``msg_type`` is 0 for a text, 1 for an image and 2 for a file. Of these two, ``content`` is the name. ``revision``
    is the number of the message's last change among all changes of the thread's messages. It is left out if the message
    is as it was sent.
    """

    seq: Id
    message_id: Id
    sender: Id
    unique_id: str
    msg_type: int
    content: str
    status: int
    chat_time: str
    revision: Id = 0
    size: Id = 0


class TextsNotice(Message, frozen=True):
    """Pushes new texts to all devices of the members that have set ``feed``. ``touid`` is 0 in a group."""

    ID = 1109
    thread_id: Id
    fromuid: Id
    touid: Id
    texts: tuple[NumberedText, ...]


class LoadMessagesRequest(Message, frozen=True):
    """Ask for a thread's messages after ``message_id``."""

    ID = 1029
    thread_id: Id
    message_id: Id


class HistoryText(Part, frozen=True):
    """A message in a page of history. As in the source, ``unique_id`` is always the number 0."""

    sender: Id
    msg_id: Id
    thread_id: Id
    unique_id: int
    msg_content: str
    chat_time: str


class LoadMessagesReply(Message, frozen=True):
    """A page of history. The next page begins after ``last_message_id``."""

    ID = 1030
    error: int
    thread_id: Id = 0
    last_message_id: Id = 0
    load_more: bool = False
    chat_datas: tuple[HistoryText, ...] = ()


class HistoryRequest(Message, frozen=True):
    """Ask for a thread's messages next to number ``seq``: those above it, or with ``backward`` those below it."""

    ID = 1101
    thread_id: Id
    seq: Id
    backward: bool


class HistoryReply(Message, frozen=True):
    """A page of history, ordered by number. ``load_more`` says whether there are more in the same direction."""

    ID = 1102
    error: int
    thread_id: Id = 0
    load_more: bool = False
    texts: tuple[NumberedText, ...] = ()


class DateRequest(Message, frozen=True):
    """Ask for a thread's first message that was sent at ``time`` or later. ``time`` has the form of ``chat_time``."""

    ID = 1145
    thread_id: Id
    time: str


class DateReply(Message, frozen=True):
    """The number and the id of the message. Both are 0 if there is none so late; without numbers, ``seq`` is 0."""

    ID = 1146
    error: int
    thread_id: Id = 0
    seq: Id = 0
    message_id: Id = 0
