"""What can be typed in ``chatsim chat``, without a terminal: a messenger, a view and a display that only remember."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from chatsim.chat.client.attachments import NoAttachmentError
from chatsim.chat.client.cache import LocalText, State
from chatsim.chat.client.connection import RefusedError
from chatsim.chat.client.local_files import LocalFile
from chatsim.chat.protocol import ErrorCode, Member, SearchUserReply
from chatsim.cli.chat_commands import COMMANDS, Commands, described, help_text, visible


@dataclass
class Display:
    said: list = field(default_factory=list)
    chosen: list = field(default_factory=list)
    looked_at: list = field(default_factory=list)
    followed: int = 0
    left: bool = False

    def say(self, text):
        self.said.append(text)

    def choose(self, thread_id):
        self.chosen.append(thread_id)

    def look_at(self, seq):
        self.looked_at.append(seq)

    def follow(self):
        self.followed += 1

    def leave(self):
        self.left = True


class Messenger:
    """Threads are numbered 100 + the other's id; nobody but user 7 can be found."""

    def __init__(self):
        self.applications = {9: SimpleNamespace(uid=9, name="ida", nick="")}
        self.sent = []
        self.files = []

    async def send(self, thread_id, text):
        if thread_id != 100:
            raise KeyError(thread_id)
        self.sent.append(text)

    async def send_file(self, thread_id, name, data, msg_type):
        if thread_id != 100:
            raise KeyError(thread_id)
        self.files.append((name, data, msg_type))

    async def fetch_file(self, thread_id, seq):
        if seq != 12:
            raise NoAttachmentError(f"message {seq} has no attachment")
        return b"the bytes"

    async def search(self, typed):
        if typed != "7":
            raise RefusedError(SearchUserReply, ErrorCode.UID_INVALID)
        return SimpleNamespace(uid=7, name="bob", nick="Bobby")

    async def chat_with(self, uid):
        return 100 + uid


@dataclass
class View:
    names: dict
    conversation: SimpleNamespace


@pytest.fixture
def display():
    return Display()


@pytest.fixture
def messenger():
    return Messenger()


@pytest.fixture
def typed(messenger, display):
    """A function that types a line while a thread is open, and returns what the user sees of it."""

    async def typed(line, thread_id=100):
        view = View({7: "bob", 8: "bob", 5: "eve"}, SimpleNamespace(thread_id=thread_id))
        action = Commands(messenger, view, display).typed(line)
        if action is not None:
            await action
        return display.said

    return typed


async def test_what_is_no_command_is_sent_and_the_conversation_follows(typed, messenger, display):
    assert await typed("hello") == []
    assert await typed("//quit") == []
    assert await typed("   ") == []
    assert messenger.sent == ["hello", "/quit"]
    assert (display.followed, display.left) == (2, False)


@pytest.mark.parametrize(
    ("line", "thread_id", "sentence"),
    [
        ("hello", None, "no conversation is open; /open WHO opens one"),
        ("hello", 200, "this conversation is not loaded yet, or you have left it"),
        ("/nope", 100, "there is no command /nope; /help shows all commands"),
        ("/\x1b[2J", 100, r"there is no command /\x1b[2J; /help shows all commands"),
        ("/find", 100, "/find WHO: look for a user, by id or name"),
        ("/find nobody", 100, "there is no user nobody"),
        ("/open zoe", 100, "nobody is called zoe here; give the user's id instead, /find shows it"),
        ("/open bob", 100, "several users are called bob here; give the user's id instead, /find shows it"),
    ],
)
async def test_what_can_not_be_done_is_a_sentence(typed, line, thread_id, sentence):
    assert await typed(line, thread_id) == [sentence]


@pytest.mark.parametrize("code", [each for each in ErrorCode if each not in (ErrorCode.SUCCESS, ErrorCode.ERROR_JSON)])
async def test_a_refusal_of_the_server_is_told_in_words(typed, messenger, code):
    async def refuse(uid):
        raise RefusedError(SearchUserReply, code)

    messenger.chat_with = refuse
    (said,) = await typed("/open 99")
    assert said[0].islower()
    assert "error" not in said
    assert code.name not in said
    assert str(int(code)) not in said


async def test_whom_a_chat_is_opened_with_may_be_an_id_a_name_or_somebody_who_has_asked(typed, display):
    for who in ("7", "eve", "ida"):
        await typed(f"/open {who}")
    assert display.chosen == [107, 105, 109]


async def test_a_user_who_is_found_can_be_added_by_id(typed):
    assert await typed("/find 7") == ["bob, Bobby is user 7: /add 7"]


async def test_help_names_every_command_and_fits_a_terminal(typed):
    (text,) = await typed("/help")
    assert text == help_text()
    assert all(f"/{name}" in text for name in COMMANDS)
    assert max(map(len, text.splitlines())) <= 80


async def test_a_file_is_sent_by_its_path_and_shown_by_its_name(typed, messenger, display, tmp_path):
    (tmp_path / "my notes.txt").write_bytes(b"notes")
    (tmp_path / "photo.JPG").write_bytes(b"photo")
    assert await typed(f"/send {tmp_path}/my notes.txt") == []
    assert await typed(f"/send {tmp_path}/photo.JPG") == []
    assert messenger.files == [("my notes.txt", b"notes", 2), ("photo.JPG", b"photo", 1)]
    assert display.followed == 2


@pytest.mark.parametrize(
    ("path", "thread_id", "sentence"),
    [
        ("nothing", 100, "{path} can't be read: No such file or directory"),
        ("", 100, "{path} can't be read: Is a directory"),
        ("there", None, "no conversation is open; /open WHO opens one"),
        ("there", 200, "this conversation is not loaded yet, or you have left it"),
    ],
)
async def test_a_file_that_can_not_be_sent_is_told(typed, tmp_path, path, thread_id, sentence):
    (tmp_path / "there").write_bytes(b"x")
    assert await typed(f"/send {tmp_path}/{path}", thread_id) == [sentence.format(path=f"{tmp_path}/{path}")]


async def test_an_attachment_is_saved_where_no_file_is(typed, tmp_path):
    path = tmp_path / "my copy.txt"
    assert await typed(f"/save 12 {path}") == [f"saved as {path}"]
    assert path.read_bytes() == b"the bytes"
    assert (await typed(f"/save 12 {path}"))[-1] == f"{path} is there already"
    assert (await typed(f"/save 12 {tmp_path}/no/such"))[
        -1
    ] == f"{tmp_path}/no/such can't be written: No such file or directory"
    assert (await typed(f"/save 11 {tmp_path}/other"))[-1] == "message 11 has no attachment"
    for line in ("/save x y", "/save 12", "/save -1 y", "/save ² y"):
        assert (await typed(line))[-1] == "/save N PATH: N is the number that is shown with the attachment"
    assert [each.name for each in tmp_path.iterdir()] == ["my copy.txt"]


@pytest.mark.parametrize(
    ("size", "done", "shown"),
    [
        (5, 0, "[file 12] a.txt (5 bytes)"),
        (1_234, 0, "[file 12] a.txt (1.2 kB)"),
        (2_500_000, 1_000_000, "[file 12] a.txt (2.5 MB, 40 %)"),
        (3_000_000_000, 3_000_000_000, "[file 12] a.txt (3.0 GB)"),
    ],
)
def test_an_attachment_is_shown_with_number_size_and_how_much_has_moved(size, done, shown):
    text = LocalText(100, 12, "u", 7, "a.txt", State.UNREAD, "", LocalFile(9, 2, size, done))
    assert described(text) == shown


def test_an_attachment_on_its_way_has_no_number_and_its_name_obeys_nobody():
    text = LocalText(100, None, "u", 7, "a\x1b[2J.jpg", State.SENDING, "", LocalFile(0, 1, 5, 0))
    assert described(text) == r"[image] a\x1b[2J.jpg (5 bytes)"


async def test_quit_leaves(typed, display):
    await typed("/quit")
    assert display.left


def test_what_a_terminal_might_act_upon_is_written_out():
    assert visible("a\nb\x1b[31m\u202e é") == r"a⏎b\x1b[31m\u202e é"


# --- groups

GROUP = 200


class GroupMessenger(Messenger):
    """A messenger that notes what it is asked to do with groups."""

    def __init__(self):
        super().__init__()
        self.done = []

    async def members(self, thread_id):
        assert thread_id == GROUP
        return [
            Member(1, "me", 2, "", 0, 0),
            Member(5, "zoe\x1b", 1, "", 0, 0),
            Member(6, "bob", 0, "2026-01-01 00:00:00", 0, 0),
        ]

    async def create_group(self, name, members):
        self.done.append(("create", name, members))
        return GROUP

    def __getattr__(self, name):
        if name not in {"add", "remove", "leave", "rename", "set_role", "mute"}:
            raise AttributeError(name)

        async def note(*asked):
            self.done.append((name, *asked))

        return note


@dataclass
class GroupView(View):
    def __post_init__(self):
        rows = {GROUP: SimpleNamespace(thread_id=GROUP, other=0), 100: SimpleNamespace(thread_id=100, other=7)}
        self.threads = SimpleNamespace(row=rows.get)


@pytest.fixture
def in_group(display):
    """A function that types a line while a group is open, and returns what was done, and what the user sees of it."""

    async def typed(line, thread_id=GROUP):
        messenger = GroupMessenger()
        view = GroupView({7: "bob", 8: "eve"}, SimpleNamespace(thread_id=thread_id))
        await Commands(messenger, view, display).typed(line)
        return messenger.done, display.said

    return typed


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("/group us bob 9", ("create", "us", [7, 9])),
        ("/group alone", ("create", "alone", [])),
        ("/invite bob eve", ("add", GROUP, [7, 8])),
        ("/kick bob", ("remove", GROUP, 6)),  # of two who are called so, the member
        ("/kick 5", ("remove", GROUP, 5)),
        ("/leave", ("leave", GROUP)),
        ("/rename all of us", ("rename", GROUP, "all of us")),
        ("/role bob admin", ("set_role", GROUP, 6, 1)),
        ("/role 5 creator", ("set_role", GROUP, 5, 2)),
    ],
)
async def test_each_command_for_groups_does_what_it_says(in_group, line, done):
    assert await in_group(line) == ([done], [])


@pytest.mark.parametrize(
    ("line", "seconds", "sentence"),
    [
        ("/mute bob", 3_600, "user 6 may write nothing for 3,600 s"),
        ("/mute bob 60", 60, "user 6 may write nothing for 60 s"),
        ("/mute bob 0", 0, "user 6 may write again"),
    ],
)
async def test_who_is_muted_and_for_how_long_is_said(in_group, line, seconds, sentence):
    assert await in_group(line) == ([("mute", GROUP, 6, seconds)], [sentence])


async def test_a_new_group_is_opened(in_group, display):
    await in_group("/group us bob", thread_id=None)
    assert display.chosen == [GROUP]


async def test_members_are_shown_with_their_roles_and_mutes(in_group):
    _, said = await in_group("/members")
    assert said == [r"3: me (1), creator; zoe\x1b (5), admin; bob (6), muted until 2026-01-01 00:00:00"]


@pytest.mark.parametrize(
    ("line", "thread_id", "sentence"),
    [
        ("/leave", None, "no group is open"),
        ("/members", 100, "no group is open"),
        ("/invite", GROUP, "/invite WHO …: add friends to this group"),
        ("/role bob", GROUP, "give a member and a role, one of member, admin, creator"),
        ("/role bob king", GROUP, "give a member and a role, one of member, admin, creator"),
        ("/mute bob soon", GROUP, "soon is no number of seconds"),
        ("/kick nobody", GROUP, "nobody is called nobody here; give the user's id instead, /find shows it"),
    ],
)
async def test_what_can_not_be_done_in_a_group_is_a_sentence(in_group, line, thread_id, sentence):
    assert await in_group(line, thread_id) == ([], [sentence])


# --- recalls, edits, receipts, dates


@pytest.fixture
def talked(display):
    """A function that types a line in a conversation: Bob's text, two of the user's, of which the last was recalled."""
    rows = [
        LocalText(100, 4, "a", 7, "hello", State.UNREAD, ""),
        LocalText(100, 5, "b", 1, "mine", State.READ, ""),
        LocalText(100, 6, "c", 1, "", State.RECALLED, ""),
        LocalText(100, None, "d", 1, "on its way", State.SENDING, ""),
    ]

    async def typed(line, messenger):
        view = Conversation(rows)
        action = Commands(messenger, view, display).typed(line)
        await action
        return view.shown

    return typed


class Conversation:
    def __init__(self, rows):
        self.names = {}
        self.shown = []
        self.conversation = Rows(rows)

    async def show_from(self, thread_id, seq):
        self.shown.append((thread_id, seq))


class Rows(list):
    thread_id = 100


class Changing:
    """A messenger that remembers what it was asked to change."""

    def __init__(self, first=3):
        self.cache = SimpleNamespace(uid=1)
        self.applications = {}
        self.asked = []
        self.first = first

    async def recall(self, *asked):
        self.asked.append(("recall", *asked))

    async def edit(self, *asked):
        self.asked.append(("edit", *asked))

    async def receipts(self, *asked):
        self.asked.append(("receipts", *asked))
        return SimpleNamespace(members=5, delivered=4, read=3)

    async def jump(self, *asked):
        self.asked.append(("jump", *asked))
        return self.first


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("/recall", ("recall", 100, 5)),
        ("/recall 1", ("recall", 100, 6)),
        ("/recall 3", ("recall", 100, 4)),
        ("/edit not mine", ("edit", 100, 5, "not mine")),
        ("/receipts", ("receipts", 100, 5)),
        ("/receipts 3", ("receipts", 100, 4)),
        ("/date 2026-11-29", ("jump", 100, "2026-11-29 00:00:00")),
        ("/date 2026-11-29 18:30", ("jump", 100, "2026-11-29 18:30:00")),
    ],
)
async def test_a_message_is_named_by_its_place_from_the_end_and_a_date_as_people_write_it(talked, line, asked):
    messenger = Changing()
    await talked(line, messenger)
    assert messenger.asked == [asked]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/recall 0", "there is no such message here"),
        ("/recall 4", "there is no such message here"),
        ("/receipts x", "there is no such message here"),
        ("/edit", "/edit TEXT: replace your last text"),
        ("/date", "/date DATE [TIME]: go to the first message since then: 2026-11-29 18:30"),
        ("/date yesterday", "give a date, or a date and a time: 2026-11-29 18:30"),
        ("/date 2026-02-30", "give a date, or a date and a time: 2026-11-29 18:30"),
    ],
)
async def test_what_is_no_message_and_no_date_is_said(talked, display, line, sentence):
    messenger = Changing()
    await talked(line, messenger)
    assert (display.said, messenger.asked) == ([sentence], [])


async def test_who_has_read_a_message_is_said_in_words(talked, display):
    await talked("/receipts", Changing())
    assert display.said == ["read by 3 of 5, delivered to 4"]


async def test_a_date_shows_the_conversation_from_there_on(talked, display):
    assert await talked("/date 2026-11-29", Changing()) == [(100, 3)]
    assert display.looked_at == [3]
    assert await talked("/date 2026-11-29", Changing(first=0)) == []
    assert display.said == ["nothing has been written here since then"]


def test_a_recalled_message_is_described_as_such():
    recalled = LocalText(1, 1, "u", 1, "", State.RECALLED, "")
    assert described(recalled) == "recalled"
