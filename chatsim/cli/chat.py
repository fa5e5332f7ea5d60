"""``chatsim chat``: a chat client in a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import msgspec

from chatsim.chat.client.connection import Client
from chatsim.chat.client.messenger import Event, Messenger, Status
from chatsim.chat.client.view import View
from chatsim.chat.ports import Address
from chatsim.chat.protocol import LoginReply, Message
from chatsim.cli.chat_commands import help_text
from chatsim.cli.common import one_sentence
from chatsim.worlds.world import WorldError, missing_extra

if TYPE_CHECKING:
    from chatsim.cli.screen import Screen

__all__ = ["Login", "chat", "chatting"]

_IN_MEMORY = ":memory:"


class Login(msgspec.Struct, frozen=True):
    """The data for a login: a line of ``chatsim serve``."""

    host: str
    port: int
    uid: int
    token: str


@dataclass(frozen=True)
class _Terminal:
    """A running chat: the screen, the view and the messenger."""

    screen: Screen
    view: View
    ended: asyncio.Event

    async def run(self) -> None:
        """Run until the user leaves. Raises the error that has ended the chat."""
        tasks = [asyncio.create_task(each) for each in (self.screen.run(), self.view.run(), self.ended.wait())]
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for task in done:
            task.result()


@asynccontextmanager
async def chatting(login: Login, store: str = _IN_MEMORY, *, loads: bool = True) -> AsyncIterator[_Terminal]:
    """A user's chat in this terminal, over TCP.

    Args:
        login: where to log in, and as whom.
        store: the file of the local database.
        loads: whether missed messages are loaded at once.

    Raises:
        LocalStoreError: the local database can't be used.
        WrongOwnerError: the local database belongs to another user.
        WorldError: the server has refused the user or has ended the session; or the extra ``chat`` is missing.
    """
    import numpy as np

    from chatsim.worlds.mysql.local_store import SqliteStore

    try:
        from chatsim.cli.screen import Screen
    except ImportError as error:
        raise missing_extra("chatsim chat", "chat") from error
    ended = asyncio.Event()

    def changed(event: Event) -> None:
        view.note(event)
        screen.refresh()
        if messenger.status is Status.CLOSED:
            ended.set()

    messenger = Messenger(
        login.uid,
        _door(login),
        SqliteStore(store),
        rng=np.random.default_rng(),
        loads=loads,
        changed=changed,
    )
    view = View(messenger.cache)
    screen = Screen(messenger, view, str(Address(login.host, login.port)))
    try:
        await messenger.open()
        yield _Terminal(screen, view, ended)
        why = messenger.trouble if ended.is_set() else None
    finally:
        await messenger.close()
    if why is not None:
        raise WorldError(f"the chat of user {login.uid} is over: {why}")


def _door(login: Login) -> Callable[[Callable[[Message], None]], Any]:
    from chatsim.worlds.mysql.tcp import TcpNetwork

    async def enter(pushed: Callable[[Message], None]) -> tuple[Client, LoginReply]:
        client = await Client.connect(TcpNetwork(), Address(login.host, login.port), pushed=pushed)
        try:
            return client, await client.log_in(login.uid, login.token, feed=True)
        except BaseException:
            await client.close()
            raise

    return enter


def _login(line: str | None, options: dict[str, Any]) -> Login:
    """The login of a line, with values from the options in place of its own."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any]) if line else {}
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise click.BadParameter(f"{error}. Give a line that `chatsim serve` prints.", param_hint="LOGIN") from None
    fields |= {name: value for name, value in options.items() if value is not None}
    if missing := [f"--{name}" for name in Login.__struct_fields__ if name not in fields]:
        raise click.UsageError(f"Give a line that `chatsim serve` prints, or {', '.join(missing)}.")
    try:
        return msgspec.convert(fields, Login)
    except msgspec.ValidationError as error:
        raise click.BadParameter(f"{error}.", param_hint="LOGIN") from None


@click.command(epilog="\b\n" + help_text())
@click.argument("login", required=False)
@click.option("--host", help="The server's host; this and the next three replace what LOGIN says.")
@click.option("--port", type=click.IntRange(1, 65_535), help="The server's port.")
@click.option("--uid", type=click.IntRange(1), help="Your user id.")
@click.option("--token", help="Your login token.")
@click.option(
    "--store",
    default=_IN_MEMORY,
    show_default="in memory",
    help="A file that keeps messages, received and unsent; one for each user and each `chatsim serve`.",
)
@click.option(
    "--sync/--no-sync", default=True, show_default=True, help="Load missed messages at once, or only on /sync."
)
def chat(login: str | None, store: str, *, sync: bool, **options: Any) -> None:
    """Chat in this terminal.

    LOGIN is a line of JSON that `chatsim serve` prints for a user. The command needs the extra `chat`: pip install
    'chatsim[chat]'. To chat with yourself, in three windows:

    \b
    chatsim serve | tee users
    chatsim chat "$(sed -n 1p users)"
    chatsim chat "$(sed -n 2p users)"
    """  # noqa: D301
    who = _login(login, options)
    with one_sentence():
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise WorldError("chatsim chat needs a terminal, for input and for output")
        asyncio.run(_chat(who, store, loads=sync))


async def _chat(login: Login, store: str, *, loads: bool) -> None:
    async with chatting(login, store, loads=loads) as terminal:
        await terminal.run()
