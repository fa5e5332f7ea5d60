"""The screen of ``chatsim chat``: the threads, the open conversation, what the user types, and how things stand."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Point
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    UIContent,
    UIControl,
    VSplit,
    Window,
    WindowAlign,
)
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from chatsim.chat.client.cache import State
from chatsim.chat.client.connection import ClientError, RefusedError
from chatsim.chat.client.messenger import Messenger
from chatsim.chat.client.outbox import TextTooLongError
from chatsim.chat.client.view import Inserted, Notice, Reset, ThreadRow, View
from chatsim.chat.ports import LocalStoreError
from chatsim.chat.protocol import ErrorCode

__all__ = ["COMMANDS", "Screen", "help_text", "visible"]

_LIST_WIDTH = 26
_INDENT = 7
_MARKS = {State.SENDING: " …", State.FAILED: " ✗ failed", State.UNREAD: " ✓", State.READ: " ✓✓"}
_STYLE = Style.from_dict(
    {
        "bar": "reverse",
        "open": "reverse",
        "new": "bold",
        "dim": "ansibrightblack",
        "me": "ansicyan",
        "other": "ansigreen",
        "failed": "ansired",
    }
)


class _ComplaintError(Exception):
    """What was typed can't be done, for the reason in the message."""


def visible(text: str) -> str:
    """A text on one line, with whatever a terminal might act upon written out."""
    return "".join(
        "⏎" if each == "\n" else each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


_Action = Callable[["Screen", str], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class _Command:
    usage: str
    does: str
    action: _Action


COMMANDS: dict[str, _Command] = {}
"""What can be typed behind a slash, in the order in which it is shown."""


def _command(usage: str, does: str) -> Callable[[_Action], _Action]:
    """A method of the screen is a command, of the name that it has."""

    def register(action: _Action) -> _Action:
        COMMANDS[action.__name__.removeprefix("_")] = _Command(usage, does, action)
        return action

    return register


def help_text() -> str:
    """What can be typed."""
    return "\n".join(
        [
            *(f"/{f'{name} {each.usage}':<20} {each.does}" for name, each in COMMANDS.items()),
            "Anything else is a text; one that begins with / is typed with another / before it.",
            "↑ ↓ change the conversation, PgUp PgDn scroll. … is on its way, ✓ stored, ✓✓ read.",
        ]
    )


class Screen:
    """What a user sees and does.

    Args:
        messenger: what does it.
        view: what is to be seen; somebody else has it run.
        where: the server, as it is to be shown.

    Attributes:
        app: the application that runs in the terminal.
    """

    def __init__(self, messenger: Messenger, view: View, where: str) -> None:
        self._messenger = messenger
        self._view = view
        self._where = where
        self._said = "/help shows what can be done."
        self._chosen: int | None = None  # the thread that is to be open; its rows may not be there yet
        self._buffer = Buffer(multiline=False, accept_handler=self._typed)
        self._texts = _Texts(self._text, view)
        self._texts_window = Window(self._texts, wrap_lines=True, get_line_prefix=_indented)
        view.threads.listen(self._threads_changed)
        view.conversation.listen(self._texts_changed)
        self.app: Application[None] = Application(
            Layout(self._panes(), focused_element=self._buffer),
            key_bindings=self._keys(),
            style=_STYLE,
            full_screen=True,
        )

    async def run(self) -> None:
        """Show it until the user leaves."""
        await self.app.run_async()

    def refresh(self) -> None:
        """Something else than rows has changed."""
        self.app.invalidate()

    # --- what is to be seen

    def _panes(self) -> HSplit:
        def line(text: Callable[[], StyleAndTextTuples | str], **more: Any) -> Window:
            return Window(FormattedTextControl(text), height=1, **more)

        def sometimes(text: Callable[[], str], **more: Any) -> ConditionalContainer:
            window = Window(FormattedTextControl(text), dont_extend_height=True, wrap_lines=True, **more)
            return ConditionalContainer(window, filter=Condition(lambda: bool(text())))

        status = line(self._status, style="class:bar", align=WindowAlign.RIGHT)
        conversation = HSplit([line(self._title), self._texts_window])
        return HSplit(
            [
                VSplit([line(self._who, style="class:bar", dont_extend_width=True), status]),
                VSplit(
                    [
                        Window(_Threads(self._view, self._thread), width=_LIST_WIDTH),
                        Window(width=1, char="│", style="class:dim"),
                        conversation,
                    ]
                ),
                sometimes(self._trouble, style="class:failed"),
                sometimes(self._wishes, style="class:new"),
                sometimes(lambda: self._said, style="class:dim"),
                VSplit([line(lambda: "> ", width=2), Window(BufferControl(self._buffer), height=1)]),
            ]
        )

    def _who(self) -> str:
        profile = self._messenger.profile
        return f" {visible(profile.name) if profile else 'user'} ({self._messenger.cache.uid}) at {self._where} "

    def _status(self) -> str:
        return f"{self._messenger.status} "

    def _trouble(self) -> str:
        return visible(self._messenger.trouble or "")

    def _title(self) -> StyleAndTextTuples:
        row = self._open_row()
        if row is None:
            return [("class:dim", " no conversation is open")]
        return [("bold", f" {visible(row.title)}"), ("class:dim", f" ({row.other})" if row.other else "")]

    def _wishes(self) -> str:
        wishes = self._messenger.applications.values()
        return "; ".join(
            f"{visible(each.name)} ({each.uid}) wants to be your friend: /accept {each.uid}" for each in wishes
        )

    def _open_row(self) -> ThreadRow | None:
        thread_id = self._view.conversation.thread_id
        return None if thread_id is None else self._view.threads.row(thread_id)

    def _thread(self, at: int) -> tuple[StyleAndTextTuples, StyleAndTextTuples]:
        row = self._view.threads[at]
        style = "class:open" if row.thread_id == self._chosen else "class:new" if row.unread else ""
        count = f" {row.unread} " if row.unread else " "
        preview = ""
        if row.last is not None:
            preview = f"{'me: ' if self._own(row.last.sender) else ''}{visible(row.last.content)}"
        title = _fit(f" {visible(row.title)}", _LIST_WIDTH - len(count))
        return [(style, f"{title}{count}")], [("class:dim", _fit(f"   {preview}", _LIST_WIDTH))]

    def _text(self, at: int) -> StyleAndTextTuples:
        text = self._view.conversation[at]
        own = self._own(text.sender)
        who = "me" if own else self._view.names.get(text.sender, f"user {text.sender}")
        return [
            ("class:dim", f" {visible(text.chat_time[11:16]):5} "),
            ("class:me" if own else "class:other", f"{visible(who)}: "),
            ("", visible(text.content)),
            ("class:failed" if text.state is State.FAILED else "class:dim", _MARKS[text.state] if own else ""),
        ]

    def _own(self, sender: int) -> bool:
        return sender == self._messenger.cache.uid

    def _threads_changed(self, _: Notice) -> None:
        if self._chosen is None and self._view.threads:
            self._choose(self._view.threads[0].thread_id)
        self.refresh()

    def _texts_changed(self, notice: Notice) -> None:
        self._texts.note(notice)
        row = self._open_row()
        if row is not None and row.unread:
            self._do(self._read(row.thread_id))
        self.refresh()

    async def _read(self, thread_id: int) -> None:
        try:
            await self._messenger.read(thread_id)
        except ClientError:
            return  # it is noted here, and told by the next sync

    # --- what the user does

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        keys.add("up")(lambda _: self._step(-1))
        keys.add("down")(lambda _: self._step(1))
        keys.add("pageup")(lambda _: self._scroll_up())
        keys.add("pagedown")(lambda _: self._scroll_down())
        for key in ("c-c", "c-d"):
            keys.add(key)(lambda _: self.app.exit())
        return keys

    def _step(self, step: int) -> None:
        ids = [row.thread_id for row in self._view.threads]
        if self._chosen in ids:
            self._choose(ids[max(0, min(len(ids) - 1, ids.index(self._chosen) + step))])

    def _choose(self, thread_id: int) -> None:
        self._chosen = thread_id
        self._view.open(thread_id)
        self.refresh()

    def _scroll_up(self) -> None:
        if (info := self._texts_window.render_info) is not None:
            first = info.first_visible_line()
            self._texts.look_at(first - info.window_height + 1)
            if first == 0:
                self._do(self._older(""))

    def _scroll_down(self) -> None:
        if (info := self._texts_window.render_info) is not None:
            self._texts.look_at(info.last_visible_line() + info.window_height - 1)

    def _typed(self, buffer: Buffer) -> bool:
        text = buffer.text
        self._said = ""
        if text.startswith("/") and not text.startswith("//"):
            name, _, rest = text[1:].partition(" ")
            self._do(self._obey(name, rest.strip()))
        elif text.strip():
            self._do(self._send(self._view.conversation.thread_id, text.removeprefix("/")))
        return False  # the line is taken

    def _do(self, action: Coroutine[Any, Any, None]) -> None:
        self.app.create_background_task(self._complaining(action))

    async def _complaining(self, action: Coroutine[Any, Any, None]) -> None:
        try:
            await action
        except (_ComplaintError, ClientError, LocalStoreError, TextTooLongError) as error:
            self._say(str(error))

    def _say(self, text: str) -> None:
        self._said = text
        self.refresh()

    async def _send(self, thread_id: int | None, text: str) -> None:
        if thread_id is None:
            raise _ComplaintError("no conversation is open; /open WHO opens one")
        self._texts.look_at_the_end()
        try:
            await self._messenger.send(thread_id, text)
        except KeyError:
            raise _ComplaintError("this conversation is not here yet") from None

    async def _obey(self, name: str, rest: str) -> None:
        if (command := COMMANDS.get(name)) is None:
            raise _ComplaintError(f"there is no command /{visible(name)}; /help shows those that there are")
        if command.usage and not rest:
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
        self._say(f"{visible(found.name)}{nick} is user {found.uid}: /add {found.uid}")

    @_command("UID [GREETING]", "ask a user to be a friend")
    async def _add(self, rest: str) -> None:
        word, _, greeting = rest.partition(" ")
        uid = self._uid(word)
        await self._messenger.apply(uid, greeting)
        self._say(f"user {uid} has been asked")

    @_command("WHO", "become the friend of somebody who has asked")
    async def _accept(self, who: str) -> None:
        self._choose(await self._messenger.accept(self._uid(who)))

    @_command("WHO", "open the chat with somebody; it is made if there is none")
    async def _open(self, who: str) -> None:
        self._choose(await self._messenger.chat_with(self._uid(who)))

    @_command("", "show older messages")
    async def _older(self, _: str) -> None:
        rows = self._view.conversation
        if not rows or rows[0].seq in {1, None}:
            raise _ComplaintError("this is where the conversation begins")
        await self._view.older(self._messenger.earlier)

    @_command("", "send again what has failed in this conversation")
    async def _resend(self, _: str) -> None:
        failed = [text.unique_id for text in self._view.conversation if text.state is State.FAILED]
        if not failed:
            raise _ComplaintError("nothing has failed here")
        for name in failed:
            await self._messenger.send_again(name)

    @_command("", "load what is missing, now")
    async def _sync(self, _: str) -> None:
        self._messenger.synchronise()

    @_command("", "show this")
    async def _help(self, _: str) -> None:
        self._say(help_text())

    @_command("", "leave")
    async def _quit(self, _: str) -> None:
        self.app.exit()

    def _uid(self, who: str) -> int:
        """Whom an id or a name means."""
        if who.isascii() and who.isdigit():
            return int(who)
        named = {uid for uid, name in self._view.names.items() if name == who}
        named |= {each.uid for each in self._messenger.applications.values() if who in {each.name, each.nick}}
        if len(named) != 1:
            many = "several are" if named else "nobody is"
            raise _ComplaintError(f"{many} called {visible(who)} here; say the user's id, /find tells it")
        return named.pop()


class _Threads(UIControl):
    """The list of threads, two lines for each; only those that are on the screen are drawn."""

    def __init__(self, view: View, draw: Callable[[int], tuple[StyleAndTextTuples, StyleAndTextTuples]]) -> None:
        self._threads = view.threads
        self._view = view
        self._draw = draw

    def create_content(self, width: int, height: int) -> UIContent:  # noqa: ARG002
        ids = [row.thread_id for row in self._threads]
        shown = self._view.conversation.thread_id
        at = ids.index(shown) if shown in ids else 0
        return UIContent(
            get_line=lambda line: self._draw(line // 2)[line % 2] if self._threads else [],
            line_count=max(1, 2 * len(ids)),
            cursor_position=Point(0, min(2 * at + 1, max(0, 2 * len(ids) - 1))),
            show_cursor=False,
        )


class _Texts(UIControl):
    """The open conversation, a line for each message, which the window may wrap; only those on the screen are drawn."""

    def __init__(self, draw: Callable[[int], StyleAndTextTuples], view: View) -> None:
        self._draw = draw
        self._rows = view.conversation
        self._at: int | None = None  # the row that has to be on the screen; None: the last, whichever it is

    def look_at(self, at: int) -> None:
        """Scroll to where this row is to be seen."""
        self._at = max(0, at) if at < len(self._rows) - 1 else None

    def look_at_the_end(self) -> None:
        """Scroll to the last row, and stay there."""
        self._at = None

    def note(self, notice: Notice) -> None:
        """Stay where one is when rows come in before it; another conversation begins at its end."""
        match notice:
            case Inserted(at, rows) if self._at is not None and at <= self._at:
                self._at += len(rows)
            case Reset():
                self._at = None

    def create_content(self, width: int, height: int) -> UIContent:  # noqa: ARG002
        count = len(self._rows)
        at = count - 1 if self._at is None else min(self._at, count - 1)
        return UIContent(
            get_line=lambda line: self._draw(line) if line < count else [],
            line_count=max(1, count),
            cursor_position=Point(0, max(0, at)),
            show_cursor=False,
        )


def _indented(_: int, wrapped: int) -> str:
    return " " * _INDENT if wrapped else ""


def _fit(text: str, width: int) -> str:
    """A text in so many columns, cut or filled up."""
    if get_cwidth(text) > width:
        while get_cwidth(text) >= width:
            text = text[:-1]
        text += "…"
    return text + " " * (width - get_cwidth(text))
