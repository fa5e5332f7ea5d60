"""``chatsim chat``, by people at terminals that only the test looks at, over real TCP with a real ``chatsim serve``."""

import asyncio
import json
import os
import pty
import re
import subprocess
import termios
from contextlib import AsyncExitStack

import pytest
from click.testing import CliRunner
from foreign import CHATSIM, Serving
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from chatsim.chat.client.cache import WrongOwnerError
from chatsim.cli import main
from chatsim.cli.chat import Login, chatting
from chatsim.worlds.world import WorldError

PATIENCE = 60.0  # seconds that nothing here should take
USERS = 40
UP, DOWN, PAGE_UP, PAGE_DOWN = "\x1b[A", "\x1b[B", "\x1b[5~", "\x1b[6~"


@pytest.fixture(scope="module")
def server(mysql_url):
    """Only friends may chat; a user can be at one place at a time. Each test takes users that no other has."""
    words = ["serve", "--users", USERS, "--sessions", "one"]
    with Serving(*words, lines=USERS, CHATSIM_MYSQL_URL=mysql_url) as running:
        yield running
    assert running.process.returncode == 0
    assert "Traceback" not in running.stderr


@pytest.fixture(scope="module")
def tickets(server):
    return iter(server.said)


@pytest.fixture
async def sit_down(tickets):
    """A function that has somebody chat; without a login as the next of the users."""
    async with AsyncExitStack() as stack:

        async def sit_down(login=None, **more):
            if login is None:
                said = next(tickets)
                login = Login(**{name: said[name] for name in ("host", "port", "uid", "token")})
            return await stack.enter_async_context(Person(login, **more))

        yield sit_down


class Person:
    """Somebody who chats, entered as a context: they have left at its end."""

    def __init__(self, login, **more):
        self.login, self.uid = login, login.uid
        self._more = more
        self._drawn = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self):
        async with AsyncExitStack() as stack:
            self._keys = stack.enter_context(create_pipe_input())
            with create_app_session(input=self._keys, output=DummyOutput()):
                terminal = await stack.enter_async_context(chatting(self.login, **self._more))
                self._app = terminal.screen.app
                self._app.after_render += lambda _: self._drawn.set()
                self.running = asyncio.create_task(terminal.run())  # here: a task keeps its session
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *failed):
        await self.leave()

    async def leave(self):
        """Type that, if they haven't left."""
        if not self.running.done():
            self.types("/quit")
        try:
            async with asyncio.timeout(PATIENCE):
                await self.running
        finally:
            await self._stack.aclose()

    def types(self, line):
        self.presses(line + "\r")

    def presses(self, keys):
        self._keys.send_text(keys)

    def screen(self):
        """What is on it, line by line."""
        screen = self._app.renderer.last_rendered_screen
        if screen is None:
            return ""
        size = self._app.output.get_size()
        lines = [[screen.data_buffer[y][x].char for x in range(size.columns)] for y in range(size.rows)]
        return "\n".join("".join(line).rstrip() for line in lines)

    async def sees(self, *texts):
        """Wait until all of that is on the screen."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not all(text in self.screen() for text in texts):
                    self._drawn.clear()
                    await self._drawn.wait()
        except TimeoutError:
            pytest.fail(f"{texts} are not all to be seen:\n{self.screen()}")


async def befriend(one, other):
    await one.sees("ready")
    await other.sees("ready")
    one.types(f"/add {other.uid} hello")
    await other.sees(f"/accept {one.uid}")
    other.types(f"/accept user{one.uid}")
    await other.sees(f"user{one.uid}: hello")
    await one.sees("me: hello ✓✓", f"user{other.uid}: ")


async def test_two_find_each_other_become_friends_and_see_that_they_are_read(sit_down):
    ann, ben = await sit_down(), await sit_down()
    await ann.sees(
        "ready", f"user{ann.uid} ({ann.uid}) at {ann.login.host}:{ann.login.port}", "no conversation is open"
    )
    ann.types(f"/find user{ben.uid}")
    await ann.sees(f"user{ben.uid} is user {ben.uid}: /add {ben.uid}")
    await befriend(ann, ben)
    ben.types("how are you?")
    await ben.sees("me: how are you? ✓✓")
    await ann.sees(f"user{ben.uid}: how are you?", f" user{ben.uid}", "   how are you?")
    ann.types("//quit is a text here")
    await ann.sees("me: /quit is a text here ✓✓")
    await ben.sees(f"user{ann.uid}: /quit is a text here")


async def test_a_photo_is_sent_seen_and_saved_and_is_gone_when_it_is_recalled(sit_down, tmp_path):
    ann, ben = await sit_down(), await sit_down()
    await befriend(ann, ben)
    photo = bytes(range(256)) * 400
    (tmp_path / "cat.jpg").write_bytes(photo)
    ann.types(f"/send {tmp_path}/cat.jpg")
    await ann.sees("me: [image 3] cat.jpg (102.4 kB) ✓✓")
    await ben.sees(f"user{ann.uid}: [image 3] cat.jpg (102.4 kB)")
    ben.types(f"/save 3 {tmp_path}/copy.jpg")
    await ben.sees("saved as")
    assert (tmp_path / "copy.jpg").read_bytes() == photo
    ann.types("/recall")
    await ben.sees(f"user{ann.uid}: recalled")
    ben.types(f"/save 3 {tmp_path}/again.jpg")
    await ben.sees("message 3 has no attachment")


async def test_a_text_is_edited_and_recalled_on_both_screens_and_its_author_sees_how_far_it_has_come(sit_down):
    ann, ben, carl = [await sit_down() for _ in range(3)]
    await befriend(ann, ben)
    ann.types("helo")
    await ann.sees("me: helo ✓✓")
    ann.types("/edit hello!")
    await ann.sees("me: hello! (edited) ✓✓")
    await ben.sees(f"user{ann.uid}: hello! (edited)")
    ann.types("/receipts")
    await ann.sees("read by 1 of 1, delivered to 1")
    ann.types("/recall")
    await ann.sees("me: recalled")
    await ben.sees(f"user{ann.uid}: recalled")
    assert "hello!" not in ben.screen()
    await befriend(carl, ben)
    ben.types(f"/open user{carl.uid}")
    await ben.sees("me: We are friends now!")
    ann.types("are you there?")
    await ann.sees("me: are you there? ✓·")
    ann.types("/date 2000-01-01")
    await ann.sees("me: hello")


async def test_a_group_is_made_named_talked_in_and_left_and_its_members_have_names(sit_down):
    ann, ben, carl = [await sit_down() for _ in range(3)]
    await befriend(ann, ben)
    await befriend(carl, ann)
    ann.types(f"/group Everybody {ben.uid} {carl.uid}")
    await ann.sees("│ Everybody")
    ann.types("hello everybody")
    await ann.sees("me: hello everybody ✓")
    for each in (ben, carl):
        await each.sees("   hello everybody")
        each.presses(UP)
        await each.sees(f"user{ann.uid}: hello everybody")
    ben.types("hello carl")
    await carl.sees(f"user{ben.uid}: hello carl")  # whom Carl knows from the group alone
    ann.types("/rename All of us")
    await carl.sees("│ All of us")
    ann.types(f"/mute {ben.uid}")
    await ann.sees(f"user {ben.uid} may write nothing for 3,600 s")
    ann.types("/members")
    await ann.sees(f"3: user{ann.uid} ({ann.uid}), creator", "muted until")
    ben.types("may I?")
    await ben.sees("me: may I? ✗ failed")
    carl.types("/leave")
    await ann.sees("hello carl")
    ann.types(f"/kick {ben.uid}")
    for each in (ben, carl):
        await each.sees("no conversation is open")
        each.types("anybody here?")
        await each.sees("this conversation is not loaded yet, or you have left it")
        each.presses(UP)
        await each.sees(f"│ user{ann.uid} ({ann.uid})")


async def test_a_conversation_that_is_not_open_says_how_much_of_it_is_unread_and_moves_up(sit_down):
    ann, ben, carl = [await sit_down() for _ in range(3)]
    await befriend(ann, ben)
    await carl.sees("ready")
    ann.types(f"/add {carl.uid}")
    await carl.sees(f"/accept {ann.uid}")
    carl.types(f"/accept {ann.uid}")
    await ann.sees(" 1 ", "   We are friends now!")
    await carl.sees("me: We are friends now!")
    for text in ("one", "two"):
        carl.types(text)
    await ann.sees(" 3 ", "   two")
    ann.presses(UP)
    await ann.sees(f"user{carl.uid}: two")
    await carl.sees("me: two ✓✓")
    assert " 3 " not in ann.screen()
    ann.presses(DOWN)
    await ann.sees(f"user{ben.uid}: ")
    ann.types(f"/open user{carl.uid}")
    await ann.sees(f"user{carl.uid}: two")


async def test_a_text_that_the_server_refuses_has_failed_and_can_be_sent_again(sit_down):
    ann, ben = await sit_down(), await sit_down()
    await befriend(ann, ben)
    ann.types("/resend")
    await ann.sees("nothing has failed here")
    ann.types("x" * 1_025)
    await ann.sees("xx ✗ failed")
    ann.types("/resend")
    await ann.sees("xx ✗ failed")
    ann.types("x" * 3_000)
    await ann.sees("a server accepts 2048")
    ann.types("the next")
    await ben.sees("the next")


async def test_what_others_write_is_shown_and_not_obeyed(sit_down):
    ann, ben = await sit_down(), await sit_down()
    await befriend(ann, ben)
    ann.presses("\x1b[200~\x1b[2J\x07\n\u202eoops\x1b[201~\r")  # pasted
    await ben.sees("\\x1b[2J\\x07⏎\\u202eoops")
    assert "\x1b" not in ben.screen()


async def test_older_messages_are_loaded_where_one_scrolls_up_to_them(sit_down):
    ann, ben = await sit_down(), await sit_down()
    await befriend(ann, ben)
    for number in range(70):
        ben.types(f"number {number}")
    await ben.sees("number 69 ✓")
    await ann.sees("number 69")
    await ann.leave()
    again = await sit_down(ann.login)
    await again.sees("number 69")
    assert "number 0" not in again.screen()
    begins, ends = "this is where the conversation begins", f"user{ben.uid}: number 69"
    for sign, key in (("me: hello", PAGE_UP), (begins, PAGE_UP), (ends, PAGE_DOWN)):
        while sign not in again.screen():
            again._drawn.clear()
            again.presses(key)
            await again._drawn.wait()


async def test_what_is_written_while_the_server_is_away_is_sent_when_it_is_back(sit_down, tmp_path):
    store = str(tmp_path / "local.db")
    ann, ben = await sit_down(store=store), await sit_down()
    await befriend(ann, ben)
    await ann.leave()
    nowhere = Login(ann.login.host, 1, ann.uid, ann.login.token)
    away = await sit_down(nowhere, store=store)
    await away.sees("connecting", "no connection to", f"user{ben.uid}: ")
    away.types("I am offline")
    await away.sees("me: I am offline …")
    away.types(f"/find {ben.uid}")
    await away.sees("no connection to")
    await away.leave()
    await sit_down(ann.login, store=store)
    await ben.sees(f"user{ann.uid}: I am offline")
    with pytest.raises(WrongOwnerError, match=f"user {ann.uid}'s, not user {ben.uid}'s"):
        await sit_down(ben.login, store=store)


async def test_a_chat_is_over_when_the_user_is_elsewhere(sit_down):
    here = await sit_down()
    await here.sees("ready")
    there = await sit_down(here.login)
    await there.sees("ready")
    await asyncio.wait([here.running])
    with pytest.raises(
        WorldError, match=f"^the chat of user {here.uid} is over: ended by the server: logged in elsewhere$"
    ):
        await here.leave()


async def test_a_chat_is_over_when_the_token_is_not_good(tickets, sit_down):
    said = next(tickets)
    person = await sit_down(Login(said["host"], said["port"], said["uid"], "nonsense"))
    await asyncio.wait([person.running])
    with pytest.raises(WorldError, match=r"is over: error 1010 \(TOKEN_INVALID\)"):
        await person.leave()


# --- the command


def test_the_command_takes_a_line_of_serve_and_a_real_terminal(tickets):
    said = next(tickets)
    here, there = pty.openpty()
    termios.tcsetwinsize(there, (24, 80))
    command = [*CHATSIM, "chat", json.dumps(said)]
    with os.fdopen(here, "rb+", buffering=0) as terminal:
        process = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, start_new_session=True)
        os.close(there)
        shown = b""
        while b"ready" not in shown:
            shown += terminal.read(65_536)
            if b"\x1b[6n" in shown:
                terminal.write(b"\x1b[1;1R")  # where is the cursor?
                shown = shown.replace(b"\x1b[6n", b"")
        assert f"({said['uid']}) at {said['host']}:{said['port']}".encode() in shown
        terminal.write(b"/quit\r")
        try:
            while terminal.read(65_536):
                pass
        except OSError:
            pass  # so Linux says that the other end is closed
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Give a line that `chatsim serve` prints, or --host, --port, --uid, --token."),
        (["--host", "::1", "--uid", "1"], "Give a line that `chatsim serve` prints, or --port, --token."),
        (["{"], "Invalid value for LOGIN: .* Give a line that `chatsim serve` prints."),
        (
            ['{"port": "x"}', "--host", "h", "--uid", "1", "--token", "t"],
            r"Invalid value for LOGIN: .* at `\$\.port`\.",
        ),
        (
            ['{"port": 1}', "--host", "h", "--uid", "1", "--token", "t"],
            "chatsim chat needs a terminal, for input and for output",
        ),
    ],
)
def test_the_command_says_in_a_sentence_what_it_lacks(words, sentence):
    result = CliRunner().invoke(main, ["chat", *words])
    assert result.exit_code == 2
    assert re.search(f"Error: {sentence}$", result.stderr.strip())
