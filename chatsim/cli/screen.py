"""The screen of ``chatsim chat``: the threads, the open conversation, the input, and the status."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Coroutine
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
from chatsim.chat.client.connection import ClientError
from chatsim.chat.client.messenger import Messenger
from chatsim.chat.client.view import Inserted, Reset, RowChange, ThreadRow, View
from chatsim.chat.ports import LocalStoreUnavailableError
from chatsim.cli.chat_commands import Commands, described, visible

__all__ = ["Screen"]

_LIST_WIDTH = 26
_INDENT = 7
_END = 2**63
"""A number that is larger than every message number."""

_MARKS = {
    State.SENDING: " …",
    State.FAILED: " ✗ failed",
    State.UNREAD: " ✓",
    State.DELIVERED: " ✓·",
    State.READ: " ✓✓",
    State.RECALLED: "",
}
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


class Screen:
    """The user interface.

    Args:
        messenger: the client.
        view: the threads and the open conversation. The caller runs it.
        where: the server, in words.

    Attributes:
        app: the application that runs in the terminal.
    """

    def __init__(self, messenger: Messenger, view: View, where: str) -> None:
        self._messenger = messenger
        self._view = view
        self._where = where
        self._commands = Commands(messenger, view, self)
        self._note = "/help shows all commands."
        self._wanted: int | None = None  # the number of the message to scroll to
        self._chosen: int | None = None  # the thread to show; its rows may not be loaded yet
        self._buffer = Buffer(multiline=False, accept_handler=self._typed)
        self._texts = _Texts(self._text, view)
        self._texts_window = Window(self._texts, wrap_lines=True, get_line_prefix=_indented)
        view.threads.subscribe(self._threads_changed)
        view.conversation.subscribe(self._texts_changed)
        self.app: Application[None] = Application(
            Layout(self._panes(), focused_element=self._buffer),
            key_bindings=self._keys(),
            style=_STYLE,
            full_screen=True,
        )

    async def run(self) -> None:
        """Show it until the user leaves."""
        await self.app.run_async(handle_sigint=False)

    def refresh(self) -> None:
        """Draw again after a change that is not in the rows."""
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
                sometimes(lambda: self._note, style="class:dim"),
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
            preview = f"{'me: ' if self._own(row.last.sender) else ''}{described(row.last)}"
        title = _fit(f" {visible(row.title)}", _LIST_WIDTH - len(count))
        return [(style, f"{title}{count}")], [("class:dim", _fit(f"   {preview}", _LIST_WIDTH))]

    def _text(self, at: int) -> StyleAndTextTuples:
        text = self._view.conversation[at]
        own = self._own(text.sender)
        who = "me" if own else self._view.name_of(text.sender)
        return [
            ("class:dim", f" {visible(text.chat_time[11:16]):5} "),
            ("class:me" if own else "class:other", f"{visible(who)}: "),
            ("class:dim" if text.state is State.RECALLED else "", described(text)),
            ("class:dim", " (edited)" if text.edited else ""),
            ("class:failed" if text.state is State.FAILED else "class:dim", _MARKS[text.state] if own else ""),
        ]

    def _own(self, sender: int) -> bool:
        return sender == self._messenger.cache.uid

    def _threads_changed(self, _: RowChange) -> None:
        if self._chosen is None and self._view.threads:
            self.choose(self._view.threads[0].thread_id)
        self.refresh()

    def _texts_changed(self, change: RowChange) -> None:
        self._texts.note(change)
        self._scroll_to_wanted()
        row = self._open_row()
        if row is not None and row.unread:
            self._do(self._read(row.thread_id))
        if row is not None and not row.other and not self._view.has_names():
            self._do(self._load_names(row.thread_id))
        self.refresh()

    async def _read(self, thread_id: int) -> None:
        try:
            await self._messenger.read(thread_id)
        except ClientError:
            return  # it is stored here, and the next catch-up sends it
        except LocalStoreUnavailableError:
            return  # the status says so; the next change of the conversation marks it

    async def _load_names(self, thread_id: int) -> None:
        try:
            await self._messenger.members(thread_id)
        except (ClientError, LocalStoreUnavailableError):
            return  # ids are shown; the next change of the conversation tries again

    # --- what the user does

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        keys.add("up")(lambda _: self._step(-1))
        keys.add("down")(lambda _: self._step(1))
        keys.add("pageup")(lambda _: self._scroll_up())
        keys.add("pagedown")(lambda _: self._scroll_down())
        for key in ("c-c", "c-d"):
            keys.add(key)(lambda _: self.leave())
        return keys

    def _step(self, step: int) -> None:
        ids = [row.thread_id for row in self._view.threads]
        if self._chosen in ids:
            self.choose(ids[max(0, min(len(ids) - 1, ids.index(self._chosen) + step))])
        elif ids:  # the open group has been left
            self.choose(ids[0])

    def choose(self, thread_id: int) -> None:
        """Open the conversation of a thread."""
        self._chosen = thread_id
        self._view.open(thread_id)
        self.refresh()

    def _scroll_up(self) -> None:
        if (info := self._texts_window.render_info) is not None:
            first = info.first_visible_line()
            self._texts.look_at(first - info.window_height + 1)
            if first == 0:
                self._do(self._commands.older())

    def _scroll_down(self) -> None:
        if (info := self._texts_window.render_info) is not None:
            self._texts.look_at(info.last_visible_line() + info.window_height - 1)

    def _typed(self, buffer: Buffer) -> bool:
        self._note = ""
        if (action := self._commands.typed(buffer.text)) is not None:
            self._do(action)
        return False  # the line is taken

    def _do(self, action: Coroutine[Any, Any, None]) -> None:
        self.app.create_background_task(action)

    def say(self, text: str) -> None:
        """Show a text above the line that is typed."""
        self._note = text
        self.refresh()

    def follow(self) -> None:
        """Scroll the open conversation to its end, and keep it there."""
        self._texts.look_at_the_end()

    def look_at(self, seq: int) -> None:
        """Scroll the open conversation to the message with this number, as soon as it is shown."""
        self._wanted = seq
        self._scroll_to_wanted()

    def _scroll_to_wanted(self) -> None:
        rows = self._view.conversation
        if self._wanted is not None and rows and (rows[0].seq or _END) <= self._wanted:
            self._texts.look_at(bisect_left(rows, self._wanted, key=lambda row: row.seq or _END))
            self._wanted = None
            self.refresh()

    def leave(self) -> None:
        """End the application."""
        self.app.exit()


class _Threads(UIControl):
    """The thread list, with two lines for each thread. Only visible ones are drawn."""

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
    """The open conversation, with a line for each message, which may be wrapped. Only visible ones are drawn."""

    def __init__(self, draw: Callable[[int], StyleAndTextTuples], view: View) -> None:
        self._draw = draw
        self._rows = view.conversation
        self._at: int | None = None  # the row that must be visible; None is the last one

    def look_at(self, at: int) -> None:
        """Scroll so that this row is visible."""
        self._at = max(0, at) if at < len(self._rows) - 1 else None

    def look_at_the_end(self) -> None:
        """Scroll to the last row, and stay there."""
        self._at = None

    def note(self, change: RowChange) -> None:
        """Keep the position when rows are inserted before it. Another conversation begins at its end."""
        match change:
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
    """A text with a given width in columns, cut or filled up."""
    if get_cwidth(text) > width:
        while get_cwidth(text) >= width:
            text = text[:-1]
        text += "…"
    return text + " " * (width - get_cwidth(text))
