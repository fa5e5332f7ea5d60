"""The input of ``chatsim chat``: texts, and commands that begin with a slash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from chatsim.chat.client.attachments import NoAttachmentError
from chatsim.chat.client.cache import LocalText, State
from chatsim.chat.client.connection import ClientError, RefusedError
from chatsim.chat.client.messenger import Messenger, MessengerClosedError
from chatsim.chat.client.outbox import TextTooLongError
from chatsim.chat.client.view import View
from chatsim.chat.ports import LocalStoreError
from chatsim.chat.protocol import FILE, IMAGE, ErrorCode

__all__ = ["COMMANDS", "Commands", "Display", "described", "help_text", "visible"]

_LARGEST = 1 << 30
"""A file that is larger than this is not read, in bytes."""

_DIGITS = 19
"""So many digits no number of a message has."""

_IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}
_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))


class _ComplaintError(Exception):
    """A command can't be carried out. The message has the reason."""


_COMPLAINTS = (
    _ComplaintError,
    ClientError,
    LocalStoreError,
    MessengerClosedError,
    NoAttachmentError,
    TextTooLongError,
)
"""What is shown to the user; anything else is a fault of the program."""


def visible(text: str) -> str:
    """A text on one line, without control characters for the terminal: they are written out."""
    return "".join(
        "⏎" if each == "\n" else each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


_LATER = "the server could not do this now; try again later"

_REFUSED: dict[int, str] = {
    ErrorCode.RPC_FAILED: _LATER,
    ErrorCode.TOKEN_INVALID: "the login has expired; start the chat again",
    ErrorCode.UID_INVALID: "there is no such user",
    ErrorCode.CREATE_CHAT_FAILED: "the chat could not be made: there is no such user, or the server can't do it now",
    ErrorCode.LOAD_CHAT_FAILED: _LATER,
    ErrorCode.SEND_FAILED: _LATER,
    ErrorCode.NOT_A_MEMBER: "you are not a member of this conversation",
    ErrorCode.NOT_FRIENDS: "no friend of yours has this id; /add UID asks a user to be your friend",
    ErrorCode.BAD_CONTENT: "the text is empty or too long",
    ErrorCode.ALREADY_FRIENDS: "you are friends already; /open opens the chat",
    ErrorCode.NO_APPLICATION: "this user has not asked to be your friend",
    ErrorCode.FRIENDS_FAILED: _LATER,
    ErrorCode.NOT_IN_THIS_SCHEMA: "the server's tables can't store this",
    ErrorCode.FILE_REFUSED: "the server does not take or does not have this file",
    ErrorCode.FILE_FAILED: _LATER,
    ErrorCode.GROUP_FAILED: _LATER,
    ErrorCode.NOT_ALLOWED: "you may not do that; in a group, /members shows the roles",
    ErrorCode.MUTED: "you may not write here now",
    ErrorCode.TOO_LATE: "it is too late for this",
}
"""What a user is told, by the error that the server answers with."""


def described(text: LocalText) -> str:
    """A message on one line. An attachment is shown with its number, its size, and how much of it has moved."""
    if text.state is State.RECALLED:
        return "recalled"
    name = visible(text.content)
    if (file := text.file) is None:
        return name
    number = "" if text.seq is None else f" {text.seq}"
    moved = f", {100 * file.done // file.size} %" if 0 < file.done < file.size else ""
    return f"[{'image' if file.msg_type == IMAGE else 'file'}{number}] {name} ({_size(file.size)}{moved})"


def _size(count: int) -> str:
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"


_ROLES = ("member", "admin", "creator")
_MUTE_S = 3_600

_Action = Callable[["Commands", str], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class _Command:
    usage: str
    does: str
    action: _Action


COMMANDS: dict[str, _Command] = {}
"""The commands, in the order in which they are shown."""


def _command(usage: str, does: str) -> Callable[[_Action], _Action]:
    """Register a method as a command with the method's name."""

    def register(action: _Action) -> _Action:
        COMMANDS[action.__name__.removeprefix("_")] = _Command(usage, does, action)
        return action

    return register


def help_text() -> str:
    """The list of commands."""
    return "\n".join(
        [
            *(f"/{f'{name} {each.usage}':<20} {each.does}" for name, each in COMMANDS.items()),
            "Anything else is sent as a text; // sends one that begins with /.",
            "↑ ↓ change the conversation, PgUp PgDn scroll.",
            "The mark of a text says: … on its way, ✓ stored, ✓· delivered, ✓✓ read.",
            "N counts messages from the end: 1 is the last one. Without N, it is your last.",
        ]
    )


class Display(Protocol):
    """Shows the user the results of commands."""

    def choose(self, thread_id: int) -> None:
        """Open the conversation of a thread."""
        ...

    def follow(self) -> None:
        """Scroll the open conversation to its end, and keep it there."""
        ...

    def look_at(self, seq: int) -> None:
        """Scroll the open conversation to the message with this number, as soon as it is shown."""
        ...

    def say(self, text: str) -> None:
        """Show a text."""
        ...

    def leave(self) -> None:
        """End the chat."""
        ...


@dataclass(frozen=True)
class _Shown:
    """A message in the open conversation."""

    thread_id: int
    seq: int


def _time(said: str) -> str:
    """A time as the server takes it, from what was typed."""
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        with suppress(ValueError):
            return str(datetime.strptime(said, form))  # noqa: DTZ007 - in the server's time zone, as all times are shown
    raise _ComplaintError("give a date, or a date and a time: 2026-11-29 18:30")


class Commands:
    """Carries out what a user types.

    Args:
        messenger: the client.
        view: the threads and the open conversation.
        display: shows the results.
    """

    def __init__(self, messenger: Messenger, view: View, display: Display) -> None:
        self._messenger = messenger
        self._view = view
        self._display = display

    def typed(self, line: str) -> Coroutine[Any, Any, None] | None:
        """The action of a line, as a coroutine; None for an empty line. It handles only mistakes of the user."""
        if line.startswith("/") and not line.startswith("//"):
            name, _, rest = line[1:].partition(" ")
            return self._complaining(self._obey(name, rest.strip()))
        if line.strip():
            return self._complaining(self._write(self._view.conversation.thread_id, line.removeprefix("/")))
        return None

    def older(self) -> Coroutine[Any, Any, None]:
        """Load older messages of the open conversation."""
        return self._complaining(self._older(""))

    async def _complaining(self, action: Coroutine[Any, Any, None]) -> None:
        try:
            await action
        except RefusedError as error:
            self._display.say(_REFUSED.get(error.code, str(error)))
        except _COMPLAINTS as error:
            self._display.say(str(error))

    async def _write(self, thread_id: int | None, text: str) -> None:
        thread_id = self._opened(thread_id)
        self._display.follow()
        try:
            await self._messenger.send(thread_id, text)
        except KeyError:
            raise _ComplaintError("this conversation is not loaded yet, or you have left it") from None

    def _opened(self, thread_id: int | None) -> int:
        if thread_id is None:
            raise _ComplaintError("no conversation is open; /open WHO opens one")
        return thread_id

    async def _obey(self, name: str, rest: str) -> None:
        if (command := COMMANDS.get(name)) is None:
            raise _ComplaintError(f"there is no command /{visible(name)}; /help shows all commands")
        if command.usage and not command.usage.startswith("[") and not rest:
            raise _ComplaintError(f"/{name} {command.usage}: {command.does}")
        await command.action(self, rest)

    @_command("WHO", "look for a user, by id or name")
    async def _find(self, typed: str) -> None:
        try:
            found = await self._messenger.search(typed)
        except RefusedError as error:
            if error.code != ErrorCode.UID_INVALID:
                raise
            raise _ComplaintError(f"there is no user {visible(typed)}") from None
        nick = f", {visible(found.nick)}" if found.nick else ""
        self._display.say(f"{visible(found.name)}{nick} is user {found.uid}: /add {found.uid}")

    @_command("UID [GREETING]", "ask a user to be your friend")
    async def _add(self, rest: str) -> None:
        word, _, greeting = rest.partition(" ")
        uid = self._uid(word)
        await self._messenger.apply(uid, greeting)
        self._display.say(f"user {uid} has been asked")

    @_command("WHO", "become the friend of somebody who has asked")
    async def _accept(self, who: str) -> None:
        self._display.choose(await self._messenger.accept(self._uid(who)))

    @_command("WHO", "open the chat with somebody; it is made if there is none")
    async def _open(self, who: str) -> None:
        self._display.choose(await self._messenger.chat_with(self._uid(who)))

    @_command("NAME WHO …", "make a group; its name has no spaces")
    async def _group(self, rest: str) -> None:
        name, *who = rest.split()
        self._display.choose(await self._messenger.create_group(name, [self._uid(each) for each in who]))

    @_command("WHO …", "add friends to this group")
    async def _invite(self, rest: str) -> None:
        await self._messenger.add(self._group_here(), [self._uid(each) for each in rest.split()])

    @_command("WHO", "remove somebody from this group")
    async def _kick(self, who: str) -> None:
        group = self._group_here()
        await self._messenger.remove(group, await self._member(group, who))

    @_command("", "leave this group")
    async def _leave(self, _: str) -> None:
        await self._messenger.leave(self._group_here())

    @_command("NAME", "give this group another name")
    async def _rename(self, name: str) -> None:
        await self._messenger.rename(self._group_here(), name)

    @_command("WHO ROLE", f"give somebody here a role: {', '.join(_ROLES)}")
    async def _role(self, rest: str) -> None:
        who, _, role = rest.rpartition(" ")
        if not who or role not in _ROLES:
            raise _ComplaintError(f"give a member and a role, one of {', '.join(_ROLES)}")
        group = self._group_here()
        await self._messenger.set_role(group, await self._member(group, who), _ROLES.index(role))

    @_command("WHO [SECONDS]", f"let somebody write nothing for {_MUTE_S:,} s; 0 ends it")
    async def _mute(self, rest: str) -> None:
        who, _, seconds = rest.partition(" ")
        if seconds and not (seconds.isascii() and seconds.isdigit()):
            raise _ComplaintError(f"{visible(seconds)} is no number of seconds")
        group, count = self._group_here(), int(seconds or _MUTE_S)
        uid = await self._member(group, who)
        await self._messenger.mute(group, uid, count)
        self._display.say(f"user {uid} may write nothing for {count:,} s" if count else f"user {uid} may write again")

    @_command("", "show who is in this group")
    async def _members(self, _: str) -> None:
        there = await self._messenger.members(self._group_here())
        told = [
            f"{visible(each.nick)} ({each.uid})"
            + (f", {_ROLES[each.role]}" if each.role else "")
            + (f", muted until {each.muted_until}" if each.muted_until else "")
            for each in there
        ]
        self._display.say(f"{len(there)}: {'; '.join(told)}")

    @_command("", "show older messages")
    async def _older(self, _: str) -> None:
        rows = self._view.conversation
        if not rows or rows[0].seq in {1, None}:
            raise _ComplaintError("this is where the conversation begins")
        await self._view.older(self._messenger.earlier)

    @_command("PATH", "send an image or a file")
    async def _send(self, path: str) -> None:
        thread_id = self._opened(self._view.conversation.thread_id)
        file = _path(path)
        try:
            data = await asyncio.to_thread(_contents, file)
        except OSError as error:
            raise _ComplaintError(f"{visible(path)} can't be read: {error.strerror or error}") from None
        kind = IMAGE if file.suffix.lower() in _IMAGES else FILE
        self._display.follow()
        try:
            name = file.name.encode("utf-8", "replace").decode()
            await self._messenger.send_file(thread_id, name, data, kind)
        except KeyError:
            raise _ComplaintError("this conversation is not loaded yet, or you have left it") from None

    @_command("N PATH", "save attachment N of this conversation to a new file")
    async def _save(self, rest: str) -> None:
        thread_id = self._opened(self._view.conversation.thread_id)
        number, _, path = rest.partition(" ")
        if not (number.isascii() and number.isdigit() and len(number) < _DIGITS and path.strip()):
            raise _ComplaintError("/save N PATH: N is the number that is shown with the attachment")
        file = _path(path.strip())
        if await asyncio.to_thread(file.exists):
            raise _ComplaintError(f"{visible(path)} is there already")
        data = await self._messenger.fetch_file(thread_id, int(number))
        try:
            await asyncio.to_thread(_store, file, data)
        except OSError as error:
            raise _ComplaintError(f"{visible(path)} can't be written: {error.strerror or error}") from None
        self._display.say(f"saved as {visible(str(file))}")

    @_command("", "send what has failed in this conversation again")
    async def _resend(self, _: str) -> None:
        failed = [text.unique_id for text in self._view.conversation if text.state is State.FAILED]
        if not failed:
            raise _ComplaintError("nothing has failed here")
        for name in failed:
            await self._messenger.send_again(name)

    @_command("[N]", "take a message back; nobody gets its content any more")
    async def _recall(self, which: str) -> None:
        text = self._text(which)
        await self._messenger.recall(text.thread_id, text.seq)

    @_command("TEXT", "replace your last text")
    async def _edit(self, content: str) -> None:
        text = self._text("")
        await self._messenger.edit(text.thread_id, text.seq, content)

    @_command("[N]", "show how many have got a message, and have read it")
    async def _receipts(self, which: str) -> None:
        text = self._text(which)
        found = await self._messenger.receipts(text.thread_id, text.seq)
        self._display.say(f"read by {found.read} of {found.members}, delivered to {found.delivered}")

    @_command("DATE [TIME]", "go to the first message since then: 2026-11-29 18:30")
    async def _date(self, said: str) -> None:
        if (thread_id := self._view.conversation.thread_id) is None:
            raise _ComplaintError("no conversation is open; /open WHO opens one")
        seq = await self._messenger.jump(thread_id, _time(said))
        if not seq:
            raise _ComplaintError("nothing has been written here since then")
        await self._view.show_from(thread_id, seq)
        self._display.look_at(seq)

    @_command("", "load what is missing, now")
    async def _sync(self, _: str) -> None:
        self._messenger.synchronise()

    @_command("", "show this")
    async def _help(self, _: str) -> None:
        self._display.say(help_text())

    @_command("", "leave")
    async def _quit(self, _: str) -> None:
        self._display.leave()

    def _group_here(self) -> int:
        """The open group. Raises `_ComplaintError` if none is open."""
        thread_id = self._view.conversation.thread_id
        row = None if thread_id is None else self._view.threads.row(thread_id)
        if row is None or row.other:
            raise _ComplaintError("no group is open")
        return row.thread_id

    async def _member(self, group: int, who: str) -> int:
        """The id of a member of a group, for an id or a name."""
        named = [each.uid for each in await self._messenger.members(group) if each.nick == who]
        return named[0] if len(named) == 1 else self._uid(who)

    def _text(self, which: str) -> _Shown:
        """The message that is meant: the last one of the user's own, or a number of messages from the end."""
        own = self._messenger.cache.uid
        rows = [
            _Shown(text.thread_id, text.seq)
            for text in self._view.conversation
            if text.seq is not None and (which or (text.sender == own and text.state is not State.RECALLED))
        ]
        number = int(which) if which.isascii() and which.isdigit() else 0 if which else 1
        if not 1 <= number <= len(rows):
            raise _ComplaintError("there is no such message here")
        return rows[-number]

    def _uid(self, who: str) -> int:
        """The user id for an id or a name."""
        if who.isascii() and who.isdigit():
            return int(who)
        named = {uid for uid, name in self._view.names.items() if name == who}
        named |= {each.uid for each in self._messenger.applications.values() if who in {each.name, each.nick}}
        if len(named) != 1:
            many = "several users are" if named else "nobody is"
            raise _ComplaintError(f"{many} called {visible(who)} here; give the user's id instead, /find shows it")
        return named.pop()


def _path(text: str) -> Path:
    """The path that a user has typed, with their home for ~."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise _ComplaintError(f"{visible(text)}: {error}") from None


def _contents(file: Path) -> bytes:
    """The bytes of a file. Raises `OSError`, also if it is too large to be read."""
    with file.open("rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(None, f"it has more than {_size(_LARGEST)}")
    return data


def _store(file: Path, data: bytes) -> None:
    """Write a new file. If that fails, nothing is left of it. Raises `OSError`, also if it is there already."""
    with file.open("xb") as opened:
        try:
            opened.write(data)
        except OSError:
            file.unlink(missing_ok=True)
            raise
