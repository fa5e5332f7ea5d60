"""Messages about texts: sending, acknowledging, pushing, and reading the history page by page."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message, Part

__all__ = [
    "AcknowledgedText",
    "HistoryReply",
    "HistoryRequest",
    "HistoryText",
    "LoadMessagesReply",
    "LoadMessagesRequest",
    "NumberedText",
    "OutgoingText",
    "TextNotice",
    "TextReply",
    "TextRequest",
    "TextsNotice",
]


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

    ``msg_type`` is 0 for a text, 1 for an image and 2 for a file. Of these two, ``content`` is the name.
    """

    seq: Id
    message_id: Id
    sender: Id
    unique_id: str
    msg_type: int
    content: str
    status: int
    chat_time: str
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
