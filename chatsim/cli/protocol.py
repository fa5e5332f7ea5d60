"""``chatsim protocol``: the messages between clients and servers, printed from the code that defines them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import click
import msgspec

from chatsim.chat.protocol import (
    CHUNK,
    CHUNK_REQUEST_LIMIT,
    FROM_CLIENT,
    FROM_SERVER,
    LARGEST_BODY,
    LARGEST_ID,
    REQUEST_LIMIT,
    ErrorCode,
    Id,
    Message,
)
from chatsim.chat.server.handlers.table import HANDLERS
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.store.friends import RESERVED

__all__ = ["protocol"]

_OURS = 1101
"""From this number up, message ids and errors are chatsim's own."""

_INTRODUCTION = f"""\
# The wire

This page describes the messages between chat clients and chat servers. `chatsim protocol --markdown` prints it, and a
test compares the two.

**Frames.** A frame is a header and a body. The header has four bytes: the message id and the length of the body, both
unsigned 16-bit numbers, big endian. The body is a JSON object in UTF-8 (docs/source.md, 3.2). It has at most
{LARGEST_BODY:,} bytes. A request has at most {REQUEST_LIMIT:,} bytes, unless the server has another limit
(`chatsim serve --request-bytes`); a chunk of an upload (1153) may have {CHUNK_REQUEST_LIMIT:,}. A reader ignores keys
that it does not know. All keys that are listed below are required, except those marked "may be left out". An *id* is a
number from 0 to {LARGEST_ID}.

**Connections.** A connection begins with a login, and has only one. The server closes the connection when it gets
something that is not a message, or a message before the login. A request that is refused gets a reply with an error,
and the connection stays open. Requests are answered one after the other, in their order. A server may send notices
between two replies. It closes the connection of a client that has sent nothing for {Limits.expiry:g} s, and of a client
for which more than {Limits.queue_bytes:,} bytes are waiting. The server knows the user from the session: if a request
has a key for its sender ("the sender" below) and names another user, the reply has error {int(ErrorCode.UID_INVALID)}.

**Numbers, keys and types** are the source's (docs/source.md, 1.2, 3.3, 3.4). Where the source has no message or no
error, chatsim has its own, with a number from {_OURS} up. A client that was written for the source does not need to
know them: it gets new texts as message 1019. A client that sets `feed` in its login gets them as message 1109, and read
positions as message 1107.
"""

_CHOICES = f"""\
## Details

**Search (1007, 1008).** The source says what these messages are for, but not which keys they have. Here `uid` is what
the user has typed: digits are a user id, anything else is a name. If several users have the same name, the oldest one
is found. The reply is a profile without e-mail and password. If nobody is found, `error` is
{int(ErrorCode.UID_INVALID)} and `uid` is 0.

**Login (1006).** `pwd` is always empty, because a password does not leave the server. The `desc` of an application is
the greeting, as in message 1011. If a list does not fit into the frame, its end is left out.

**Two forms of a message.** A text that has just been sent (1018, 1019) has the keys `message_id`, `unique_id`,
`content`, `status` and `chat_time`. A text in the history (1030) or in a new friendship (1014, 1015) has the keys
`msg_id`, `msg_content`, `sender` and `thread_id`; its `unique_id` is the number 0 in 1030, and an empty string in 1014
and 1015. Both forms are the source's. Messages from {_OURS} up have a single form with all of this, and with the
message's number in its thread: `seq` starts at 1 and has no gaps.

**Status.** `status` is the value in the table: 0 for a message that has been sent, and 2 for one that was recalled. Who
has read a message is known from read positions (messages 1105 to 1107) and, in a group, from message 1140.
docs/receipts.md says what the source's values mean.

**Recall and edit (1131 to 1138).** The author may recall a message for {Limits.recall_seconds:g} s, and edit a text
for {Limits.edit_seconds:g} s; the server may have other limits (`chatsim serve --recall-seconds`). In a group, whoever
has a higher role than the author may recall a message at any time. A recalled message has status 2 and no content, and
can't be edited. Each change has a number of its thread's, `revision`, without gaps. A client has all changes if the
number of the last one (`last_revision` in 1104) is not above its own; otherwise it asks for those above its own (1137).
A message is replaced only by one with a larger `revision`. In the source's tables, changes have no number: they are
pushed, and that is all.

**Marks (1105, 1141).** A mark only moves forward, and not beyond the last message. What has been read counts as
delivered. In a private chat, the other user is told; in a group, only the reader's other devices are, and message 1139
asks how many members have got a message and have read it.

**Pages (1026, 1030, 1102, 1104).** A page has at most 100 entries, and not more than fit into a frame. `load_more` is
true if there are more entries, for either reason. The entry next to the cursor is always on the page. A backward page
(1102) is in ascending order too.

**A batch of texts (1017)** has at least one text. Each text has 1 to {Limits.text_characters:,} characters, and a
`unique_id` of 1 to 64 characters that no other text of the batch has, and that does not begin with `{RESERVED}`: such
ids are those of a friendship's first messages. The batch has to fit into the frame of the notice. The server stores
the whole batch before it acknowledges it. In the hardened tables, a `unique_id` identifies a message of its sender: if
the sender sends it again, the server acknowledges it with the first `message_id`, and sends no second notice. After
error {int(ErrorCode.SEND_FAILED)} it is not certain whether the batch was stored.

**Groups (1117 to 1130).** A text in a group is sent with `touid` 0. Who is no member is answered error
{int(ErrorCode.NOT_A_MEMBER)}, as for a thread that does not exist. A member reads the messages from number `first` of
the thread's state on. A change of a group is told to its members as message 1111; so it is to a user who was removed,
once. The state of the thread has the role -1 then, and says nothing else of the group. A group's name has 1 to 255
characters. A member is muted for at most a year. `docs/groups.md` says who may do what.

**Catch-up (1113).** A client asks for what is new in many threads at once. The server sends as many messages 1115 as
are needed, each as full as a frame can be, and then the reply 1114. After the reply, the client has everything.

**Attachments (1151 to 1158).** A file goes up in chunks of at most {CHUNK:,} bytes, in base64. Its name has 1 to 255
printable characters without `/` and `\\`; it is shown, and is never a path. The same `unique_id`, name, kind, size and
checksum find the same upload again, also after a restart of either side: `offset` says where it goes on. A chunk that
does not begin there is not stored, and is answered with that place, without an error. Message 1155 sends a whole upload
as a message, whose `content` is the name. It is acknowledged when the checksum is right and the bytes are on the disk.
If the checksum is wrong, the bytes are dropped, and the upload begins again. Repeating any of these requests is safe.
An upload that is not sent within {Limits.upload_seconds:,} s is removed. `docs/attachments.md` says more.

**Acceptance (1014, 1015).** Message 1014 has the new friend's profile and the first messages of the thread, also if
that user is offline, and also if the request is repeated. Message 1015 goes to the user who had applied, and to those
other devices of the accepting user that have set `feed`.

**A date (1145).** `time` has the form of `chat_time`, and is in the time zone of the database.

**End of a session (1021).** The connection ends: `error` is 0 if the user has logged in elsewhere and may have one
session only, and {int(ErrorCode.RPC_FAILED)} if the server is closing.
"""


@click.command()
@click.option(
    "--markdown",
    is_flag=True,
    help="Print the whole description in Markdown, with rules and errors.",
)
def protocol(*, markdown: bool) -> None:
    """Print the messages between clients and servers: ids, keys and types."""
    from chatsim.cli.tables import Column, print_fitting

    if markdown:
        click.echo("\n".join(_document()))
        return
    known = [*_messages()]
    keys = Column("keys", [_keys(message).replace("`", "") for _, message in known], wraps=True)
    numbers = Column("id", [str(number) for number, _ in known], "right")
    names = Column("message", [message.__name__ for _, message in known])
    print_fitting([numbers, names, Column("from", [_from(number) for number, _ in known]), keys])


def _document() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Messages\n"
    rows = [
        (str(number), f"`{each.__name__}`", _from(number), _keys(each), _purpose(each), _whose(number))
        for number, each in _messages()
    ]
    yield from _table(("id", "message", "from", "keys", "what it is for", "whose"), rows)
    yield "\n## Parts of messages\n"
    parts = sorted({part.__name__: part for _, each in _messages() for part in _parts(each)}.items())
    described = [(f"`{name}`", _keys(part), _purpose(part)) for name, part in parts]
    yield from _table(("part", "keys", "what it is"), described)
    yield "\n## Errors\n"
    meanings = _meanings()
    errors = [(str(int(each)), f"`{each.name}`", meanings[each.name], _whose(each)) for each in ErrorCode]
    yield from _table(("error", "name", "what it says", "whose"), errors)
    yield f"\n{_CHOICES}".rstrip()


def _messages() -> list[tuple[int, type[Message]]]:
    return sorted({**FROM_CLIENT, **FROM_SERVER}.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _from(number: int) -> str:
    return "client" if number in FROM_CLIENT else "server"


def _whose(number: int) -> str:
    return "chatsim" if number >= _OURS else "source"


def _keys(part: type[msgspec.Struct]) -> str:
    """All keys with their types, with a note on the one that names the sender and on those that may be left out."""
    notes: dict[str | None, str] = {}
    if issubclass(part, Message) and part.ID in HANDLERS:
        notes = {each.name: ", may be left out" for each in msgspec.structs.fields(part) if not each.required}
        notes[HANDLERS[part.ID].asker] = ", the sender"
    return "; ".join(f"`{name}` {_type(kind)}{notes.get(name, '')}" for name, kind in _kinds(part).items())


def _kinds(part: type[msgspec.Struct]) -> Mapping[str, Any]:
    hints = get_type_hints(part, include_extras=True)
    return {name: hints[name] for name in part.__struct_fields__}


def _type(kind: Any) -> str:
    if kind == Id:
        return "id"
    if get_origin(kind) is Annotated:
        base, bounds = get_args(kind)
        return f"{_type(base)} from {bounds.ge} to {bounds.le}"
    if get_origin(kind) is tuple:
        return f"list of {_type(get_args(kind)[0])}"
    return {bool: "bool", bytes: "base64", int: "int", str: "string"}.get(kind) or f"`{kind.__name__}`"


def _parts(whole: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """The structs in the lists of a message, and in the lists of these structs."""
    for kind in _kinds(whole).values():
        if get_origin(kind) is tuple and get_args(kind)[0] != Id:
            part = get_args(kind)[0]
            yield part
            yield from _parts(part)


def _purpose(part: type[msgspec.Struct]) -> str:
    """The first paragraph of the docstring, as Markdown."""
    first, *_ = (inspect.getdoc(part) or "").split("\n\n")
    return first.replace("\n", " ").replace("``", "`")


def _meanings() -> dict[str, str]:
    """From the name of an error to its description in the docstring."""
    return dict(re.findall(r"^    ([A-Z_]+): (.*)$", inspect.getdoc(ErrorCode) or "", re.MULTILINE))
