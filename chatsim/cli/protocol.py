"""``chatsim protocol``: what clients and servers say to each other, as the code has it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import click
import msgspec
from rich.console import Console
from rich.table import Table

from chatsim.chat.protocol import (
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

__all__ = ["protocol"]

_OURS = 1101
"""From here up, message ids and errors are not the source's."""

_INTRODUCTION = f"""\
# The wire

This page is what `chatsim protocol --markdown` prints; a test compares the two.

**A frame** is a header of four bytes, message id and length of the body, both unsigned 16-bit big-endian; then the
body, a JSON object in UTF-8 (docs/source.md, 3.2). A body has at most {LARGEST_BODY:,} bytes, a request's at most
{REQUEST_LIMIT:,} unless the server is told otherwise (`chatsim serve --request-bytes`). Keys that a reader does not
know are passed over; all that are named here have to be there, but for those that may be left out. An *id* is a number
from 0 to {LARGEST_ID}.

**A connection** begins with a login, and has one. Whatever is no message, or comes before the login, ends it; what is
refused is answered with an error, and the connection lasts. Requests are answered one after the other, in their order;
what a server says unasked comes in between, never within a frame. A client that says nothing for {Limits.expiry:g} s is
let go; so is one for which more than {Limits.queue_bytes:,} bytes wait. Who asks is known from the session: a request
with a key that says so, and names somebody else, is answered with an error {int(ErrorCode.UID_INVALID)}.

**Numbers, keys and types are the source's** (docs/source.md, 1.2, 3.3, 3.4). What it has no message for has an id from
{_OURS} up, as have errors that it has no code for. A client of the source's need not know of any of that: it is told
of texts by message 1019. One that says `feed` in its login is told by message 1109, and of what has been read by 1107.
"""

_CHOICES = f"""\
## What is chosen here

**1007 and 1008.** The source says what they are for, and not what is in them. Here a search says what was typed, as
`uid`: digits are an id, anything else is a name, and of several users of one name the oldest is found. The reply is a
profile without e-mail and password; where nobody is found it is an error {int(ErrorCode.UID_INVALID)}, and `uid` is 0.

**1006.** `pwd` is always empty: a password does not leave the server. An application's `desc` is the greeting, as in
message 1011. Of a list that does not fit into the frame, the end is left out.

**Two dialects for a message.** Where it has just been sent (1018, 1019) it is `message_id`, `unique_id`, `content`,
`status`, `chat_time`; where it is read again (1030) or opens a friendship (1014, 1015) it is `msg_id`, `msg_content`,
`sender`, `thread_id`, and `unique_id` is the number 0 in 1030, an empty string in 1014 and 1015. Both are kept. The
messages from {_OURS} up have one for all: it says everything, and has the message's number in its thread, `seq`, which
counts from 1 and leaves nothing out.

**`status`** is that of the table: 0 unread, 1 read, 2 recalled. A new message is 0; how far somebody has read is said
by messages 1105 to 1107, and not by a status on each.

**A page** (1026, 1030, 1102, 1104) has at most 100 entries, and no more than fit into a frame; `load_more` is true
whenever there are more, for either reason. The entry next to the cursor is always on it. A page backwards (1102) is in
ascending order, too.

**A batch of texts** (1017) has one at least, each of 1 to {Limits.text_characters:,} characters, and no two of one
`unique_id`, which has 1 to 64; and not more than can be told of in a frame. It is stored as a whole before it is
acknowledged. In the hardened tables a `unique_id` is its sender's name for the message: one that is there already is
acknowledged with its first `message_id`, and nobody is told again.
An error {int(ErrorCode.SEND_FAILED)} leaves it open whether it is stored.

**1113** asks for what is new in many threads at once. It is answered with as many messages 1115 as that takes, each as
full as a frame can be, and then with its reply: when that is there, everything is.

**1014** says who has become a friend, and has the messages that open the thread, also when the applicant is offline,
and also when it is asked for again. **1015** goes to who had applied; who accepted has it on other devices that have a
feed.

**1021** ends the connection: `error` 0 when the user has logged in elsewhere and may have one session only,
{int(ErrorCode.RPC_FAILED)} when the server closes.
"""


@click.command()
@click.option("--markdown", is_flag=True, help="As a document: with the rules, the parts of messages and the errors.")
def protocol(*, markdown: bool) -> None:
    """Print what clients and servers say to each other: message ids, keys and types."""
    if markdown:
        click.echo("\n".join(_document()))
        return
    table = Table("id", "message", "from", "keys")
    for number, message in _messages():
        table.add_row(str(number), message.__name__, _from(number), _keys(message).replace("`", ""))
    Console().print(table)


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
    """Each key with its type; which one says who asks, which one may be left out."""
    notes: dict[str | None, str] = {}
    if issubclass(part, Message) and part.ID in HANDLERS:
        notes = {each.name: ", may be left out" for each in msgspec.structs.fields(part) if not each.required}
        notes[HANDLERS[part.ID].asker] = ", who asks"
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
    return {bool: "bool", int: "int", str: "string"}.get(kind) or f"`{kind.__name__}`"


def _parts(whole: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """What is in the lists of a message, and in theirs."""
    for kind in _kinds(whole).values():
        if get_origin(kind) is tuple and get_args(kind)[0] != Id:
            part = get_args(kind)[0]
            yield part
            yield from _parts(part)


def _purpose(part: type[msgspec.Struct]) -> str:
    """The docstring's first paragraph, as Markdown has it."""
    first, *_ = (inspect.getdoc(part) or "").split("\n\n")
    return first.replace("\n", " ").replace("``", "`")


def _meanings() -> dict[str, str]:
    """What the docstring says of each error."""
    return dict(re.findall(r"^    ([A-Z_]+): (.*)$", inspect.getdoc(ErrorCode) or "", re.MULTILINE))
