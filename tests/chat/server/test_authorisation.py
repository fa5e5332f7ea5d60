"""Who may ask for what: every request, from nobody, from a stranger, in another's name, and with values that make none.

Whatever is refused is logged, and leaves every table as it was.
"""

import base64
import logging
from dataclasses import dataclass, field

import msgspec
import pytest
from harness import ANN, BOB, CAT, DAN, in_both_worlds
from uploads import sending, upload, wanted

from chatsim.chat.protocol import FROM_CLIENT, FROM_SERVER
from chatsim.chat.server.handlers.table import HANDLERS

LONG = "好" * 256  # a character more than a name may have
NOBODY = 4711
THREAD = object()  # stands for the id of Ann's and Bob's thread
MESSAGE = object()  # the id of Ann's message there
BOBS_MESSAGE = object()  # and of Bob's
GROUP = object()  # the id of Ann's group, in which Bob is an admin and Dan a member
UPLOAD, WHOLE = object(), object()  # the ids of Ann's uploads: one that is half there, one that is whole
PLAIN, ATTACHED = object(), object()  # the ids of Bob's messages to Ann: a text, one with an attachment
ENDS = object()  # the connection does: this is no message
ANYBODY = object()  # is answered: it concerns nobody but who asks
NO_GROUP = [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1, THREAD)]
TEXT = {"content": "hello", "unique_id": "u1"}
OTHER_TEXT = {"content": "hi", "unique_id": "u0"}


def text(**other):
    return {"text_array": [TEXT | other]}


@dataclass
class Row:
    """A request.

    Attributes:
        body: one of Ann's that is granted.
        asker: its key that says who asks, if it has one.
        stranger: what Cat is answered who asks for the same: an error, or `ANYBODY`.
        wrong: changes of the body that make it refused, and with what.
        numbered: whether only hardened tables have what it asks for.
    """

    body: dict
    asker: str | None
    stranger: object
    wrong: list = field(default_factory=list)
    numbered: bool = False


ROWS = {
    1007: Row(
        {"uid": "2"},
        None,
        ANYBODY,
        [({"uid": name}, 1011) for name in ("4711", "", "nobody", "-1", "9" * 30, LONG)]
        + [({"uid": value}, ENDS) for value in (2, None, ["2"])],
    ),
    1009: Row(
        {"uid": ANN, "applyname": "hello", "bakname": "cat", "touid": CAT},
        "uid",
        1011,  # to oneself
        [({"touid": uid}, 1011) for uid in (ANN, NOBODY, 0, 2**63 - 1)]
        + [({"touid": BOB}, 1105), ({"applyname": LONG}, 1104), ({"bakname": LONG}, 1104)]
        + [({"touid": -1}, ENDS), ({"touid": "3"}, ENDS), ({"applyname": 7}, ENDS), ({"bakname": None}, ENDS)],
    ),
    1013: Row(
        {"fromuid": ANN, "touid": 5, "back": "eve"},
        "fromuid",
        1106,
        [({"touid": uid}, 1106) for uid in (BOB, ANN, NOBODY, 0, 2**63 - 1)]
        + [({"back": LONG}, 1104), ({"touid": -5}, ENDS), ({"touid": 5.5}, ENDS), ({"back": 1}, ENDS)],
    ),
    1017: Row(
        {"fromuid": ANN, "touid": BOB, "thread_id": THREAD, "text_array": [TEXT]},
        "fromuid",
        1102,
        [({"text_array": []}, 1104), ({"text_array": [TEXT, TEXT]}, 1104), (text(content=""), 1104)]
        + [(text(unique_id=""), 1104), (text(unique_id="u" * 65), 1104), (text(content="x" * 1_025), 1104)]
        + [({"text_array": [TEXT, {"content": "", "unique_id": "u2"}]}, 1104)]
        + [({"touid": uid}, 1102) for uid in (CAT, ANN, NOBODY, 0)]
        + [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"thread_id": -1}, ENDS), ({"touid": -2}, ENDS), ({"touid": 2**63}, ENDS), ({"text_array": TEXT}, ENDS)]
        + [(text(content=7), ENDS), (text(unique_id=None), ENDS), ({"text_array": ["hello"]}, ENDS)],
    ),
    1023: Row({"fromuid": ANN}, "fromuid", ANYBODY, [({"fromuid": -1}, ENDS), ({"fromuid": "1"}, ENDS)]),
    1025: Row(
        {"uid": ANN, "thread_id": 0},
        "uid",
        ANYBODY,
        [({"thread_id": -1}, ENDS), ({"thread_id": "0"}, ENDS), ({"thread_id": 2**64}, ENDS)],
    ),
    1027: Row(
        {"uid": ANN, "other_id": 6},
        "uid",
        1103,
        [({"other_id": uid}, 1103) for uid in (CAT, NOBODY, 2**63 - 1)]
        + [({"other_id": ANN}, 1012), ({"other_id": 0}, 1012), ({"other_id": -6}, ENDS), ({"other_id": True}, ENDS)],
    ),
    1029: Row(
        {"thread_id": THREAD, "message_id": 0},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"thread_id": -1}, ENDS), ({"message_id": -1}, ENDS), ({"message_id": "0"}, ENDS)],
    ),
    1101: Row(
        {"thread_id": THREAD, "seq": 0, "backward": False},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"seq": -1}, ENDS), ({"seq": 1.5}, ENDS), ({"backward": 1}, ENDS)],
        numbered=True,
    ),
    1103: Row(
        {"since": 0, "before": 0},
        None,
        ANYBODY,
        [({"since": -1}, ENDS), ({"before": -1}, ENDS), ({"since": None}, ENDS), ({"before": "0"}, ENDS)],
        numbered=True,
    ),
    1105: Row(
        {"thread_id": THREAD, "seq": 1},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"seq": -1}, ENDS), ({"seq": "1"}, ENDS), ({"thread_id": True}, ENDS)],
        numbered=True,
    ),
    1113: Row(
        {"threads": [THREAD], "after": [0], "below": [0]},
        None,
        1102,
        [({"threads": [THREAD, thread], "after": [0, 0], "below": [0, 0]}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"threads": [], "after": [], "below": []}, 1104), ({"after": []}, 1104), ({"below": [0, 0]}, 1104)]
        + [({"below": [-1]}, ENDS), ({"below": 0}, ENDS), ({"threads": [-1]}, ENDS), ({"after": ["0"]}, ENDS)],
        numbered=True,
    ),
    1117: Row(
        {"name": "us", "unique_id": "g", "members": [BOB]},
        None,
        1103,
        [({"name": name}, 1104) for name in ("", LONG)]
        + [({"unique_id": name}, 1104) for name in ("", "u" * 65)]
        + [({"members": members}, 1104) for members in ([BOB, BOB], [ANN], [BOB, ANN])]
        + [({"members": [uid]}, 1103) for uid in (CAT, NOBODY, 0, 2**63 - 1)]
        + [({"members": [BOB, CAT]}, 1103)]
        + [({"name": 7}, ENDS), ({"unique_id": None}, ENDS), ({"members": BOB}, ENDS), ({"members": [-2]}, ENDS)],
    ),
    1119: Row(
        {"thread_id": GROUP, "members": [6]},
        None,
        1102,
        [*NO_GROUP, ({"members": []}, 1104), ({"members": [6, 6]}, 1104)]
        + [({"members": [uid]}, 1103) for uid in (CAT, NOBODY, 0, 2**63 - 1)]
        + [({"members": [6, CAT]}, 1103), ({"members": ["6"]}, ENDS), ({"members": [-6]}, ENDS)],
    ),
    1121: Row(
        {"thread_id": GROUP, "user_id": DAN},
        None,
        1102,
        [*NO_GROUP, ({"user_id": -4}, ENDS), ({"user_id": "4"}, ENDS)],
    ),
    1123: Row(
        {"thread_id": GROUP, "name": "them"},
        None,
        1102,
        [*NO_GROUP, ({"name": ""}, 1104), ({"name": LONG}, 1104), ({"name": None}, ENDS)],
    ),
    1125: Row(
        {"thread_id": GROUP, "user_id": DAN, "role": 1},
        None,
        1102,
        [*NO_GROUP, ({"role": 3}, 1104), ({"role": -1}, 1104), ({"user_id": ANN}, 1109)]
        + [({"user_id": uid}, 1102) for uid in (CAT, NOBODY, 0)]
        + [({"role": "1"}, ENDS), ({"user_id": -4}, ENDS)],
    ),
    1127: Row(
        {"thread_id": GROUP, "user_id": DAN, "seconds": 60},
        None,
        1102,
        [*NO_GROUP, ({"seconds": 31_536_001}, 1104), ({"user_id": ANN}, 1109)]
        + [({"user_id": uid}, 1102) for uid in (CAT, NOBODY, 0)]
        + [({"seconds": -1}, ENDS), ({"seconds": 1.5}, ENDS), ({"user_id": None}, ENDS)],
    ),
    1129: Row(
        {"thread_id": GROUP, "after": 0},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"after": -1}, ENDS), ({"after": "0"}, ENDS), ({"thread_id": None}, ENDS)],
    ),
    1151: Row(
        wanted(b"other", unique_id="{new}"),
        None,
        ANYBODY,
        [({"name": name}, 1113) for name in ("", LONG, "a/b", "..", "a\0b")]
        + [({"size": size}, 1113) for size in (0, 2**63 - 1)]
        + [({"msg_type": kind}, 1113) for kind in (0, 3, -1)]
        + [({"sha256": text}, 1113) for text in ("", "x" * 64)]
        + [({"unique_id": name}, 1104) for name in ("", "u" * 65, "chatsim:accept:1-2", "{half}")]
        + [({"size": -1}, ENDS), ({"size": "5"}, ENDS), ({"name": None}, ENDS), ({"msg_type": "1"}, ENDS)],
        numbered=True,
    ),
    1153: Row(
        {"attachment_id": UPLOAD, "offset": 0, "data": "aGVs"},
        None,
        1113,
        [({"attachment_id": number}, 1113) for number in (0, NOBODY, 2**63 - 1)]
        + [({"offset": offset}, 1113) for offset in (3, 2**62)]
        + [({"data": base64.b64encode(b"x" * 32_800).decode()}, 1104)]
        + [({"data": base64.b64encode(b"x" * 33_100).decode()}, ENDS)]
        + [({"attachment_id": -1}, ENDS), ({"offset": -1}, ENDS), ({"data": "?"}, ENDS), ({"data": 5}, ENDS)],
        numbered=True,
    ),
    1155: Row(
        {"fromuid": ANN, "touid": BOB, "thread_id": THREAD, "unique_id": "{whole}", "attachment_id": WHOLE},
        "fromuid",
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"touid": uid}, 1102) for uid in (CAT, ANN, NOBODY, 0)]
        + [({"attachment_id": number}, 1113) for number in (0, NOBODY, 2**63 - 1, UPLOAD)]
        + [({"attachment_id": UPLOAD, "unique_id": "{half}"}, 1113)]
        + [({"unique_id": name}, 1113) for name in ("", "{half}", "u" * 65)]
        + [({"thread_id": -1}, ENDS), ({"touid": "2"}, ENDS), ({"attachment_id": None}, ENDS)],
        numbered=True,
    ),
    1157: Row(
        {"message_id": ATTACHED, "offset": 0},
        None,
        1102,
        [({"message_id": message}, 1102) for message in (0, NOBODY, 2**63 - 1)]
        + [({"message_id": PLAIN}, 1113)]
        + [({"message_id": -1}, ENDS), ({"offset": -1}, ENDS), ({"offset": "0"}, ENDS)],
        numbered=True,
    ),
    1131: Row(
        {"thread_id": THREAD, "message_id": MESSAGE},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"thread_id": GROUP}, 1109), *(({"message_id": number}, 1109) for number in (BOBS_MESSAGE, NOBODY, 0))]
        + [({"message_id": -1}, ENDS), ({"message_id": "1"}, ENDS), ({"thread_id": None}, ENDS)],
    ),
    1133: Row(
        {"thread_id": THREAD, "message_id": MESSAGE, "content": "hello!"},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"thread_id": GROUP}, 1109), *(({"message_id": number}, 1109) for number in (BOBS_MESSAGE, NOBODY, 0))]
        + [({"content": ""}, 1104), ({"content": "x" * 1_025}, 1104)]
        + [({"message_id": -1}, ENDS), ({"content": 7}, ENDS), ({"content": None}, ENDS)],
    ),
    1137: Row(
        {"thread_id": THREAD, "revision": 0},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"revision": -1}, ENDS), ({"revision": "0"}, ENDS), ({"thread_id": -1}, ENDS)],
        numbered=True,
    ),
    1139: Row(
        {"thread_id": THREAD, "seq": 1},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"seq": number}, 1109) for number in (0, NOBODY, 2**63 - 1)]
        + [({"seq": -1}, ENDS), ({"seq": None}, ENDS)],
        numbered=True,
    ),
    1141: Row(
        {"threads": [THREAD], "seqs": [1]},
        None,
        1102,
        [({"threads": [THREAD, thread], "seqs": [1, 1]}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"threads": [], "seqs": []}, 1104), ({"seqs": []}, 1104), ({"seqs": [1, 1]}, 1104)]
        + [({"threads": [THREAD, THREAD], "seqs": [1, 1]}, 1104)]
        + [({"threads": [*range(1, 102)], "seqs": [1] * 101}, 1104)]
        + [({"seqs": [-1]}, ENDS), ({"threads": THREAD}, ENDS), ({"seqs": ["1"]}, ENDS)],
        numbered=True,
    ),
    1145: Row(
        {"thread_id": THREAD, "time": "2026-01-01 00:00:00"},
        None,
        1102,
        [({"thread_id": thread}, 1102) for thread in (0, NOBODY, 2**63 - 1)]
        + [({"time": time}, 1104) for time in ("", "2026-01-01", "2026-13-01 00:00:00", "2026-1-1 0:00:00", "now")]
        + [({"time": 7}, ENDS), ({"time": None}, ENDS), ({"thread_id": True}, ENDS)],
    ),
}
"""All requests but the login, which has tests of its own (`test_node`): it is what makes somebody of nobody."""

by_request = pytest.mark.parametrize("number", ROWS)
changes_no_table = {1007, 1023, 1025, 1029, 1101, 1103, 1113, 1129, 1137, 1139, 1145, 1153, 1157}


def test_no_request_is_without_a_row():
    assert {*ROWS, 1005} == {*FROM_CLIENT}
    assert {number: handler.request for number, handler in HANDLERS.items()} == FROM_CLIENT


def test_a_request_that_says_who_asks_is_checked_against_the_session():
    askers = {number: handler.asker for number, handler in HANDLERS.items() if number in ROWS}
    assert askers == {number: row.asker for number, row in ROWS.items()}


def test_nothing_but_a_login_may_come_before_the_login():
    assert [number for number, handler in HANDLERS.items() if handler.is_login] == [1005]


class Refusals:
    """Asks for what is to be refused, and looks at what that has done.

    Ann and Bob are friends who talk, Eve (5) has applied to Ann, Ann and 6 are friends without a chat. Ann, Bob and Dan
    are in a group, from which 7 has been removed. Cat knows nobody.
    """

    def __init__(self, harness, caplog):
        self._harness = harness
        self._caplog = caplog
        caplog.set_level(logging.INFO)

    async def furnish(self):
        harness = self._harness
        self.thread = await harness.talking(ANN, BOB)
        await harness.befriend(ANN, 6)
        self.group = await harness.group(ANN, DAN, 7, roles={BOB: 1})
        for uid, number, body in (
            (5, 1009, {"uid": 5, "applyname": "hello", "bakname": "ann", "touid": ANN}),
            (BOB, 1017, {"fromuid": BOB, "touid": ANN, "thread_id": self.thread, "text_array": [TEXT]}),
            (ANN, 1017, {"fromuid": ANN, "touid": BOB, "thread_id": self.thread, "text_array": [OTHER_TEXT]}),
        ):
            assert (await (await harness.log_in(uid)).ask(number, body))["error"] == 0
        ann = await harness.log_in(ANN)
        assert await ann.ask(1121, {"thread_id": self.group, "user_id": 7}) == {"error": 0}
        await ann.close()
        sent = dict(await harness.rows("SELECT sender_id, message_id FROM chat_message"))
        self.real = {THREAD: self.thread, GROUP: self.group, MESSAGE: sent[ANN], BOBS_MESSAGE: sent[BOB]}
        self.real |= dict.fromkeys((UPLOAD, WHOLE, PLAIN, ATTACHED), 1)
        if harness.schema == "hardened":
            ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
            self.real[UPLOAD] = await upload(ann, b"hello", at_most=0, unique_id="{half}")
            self.real[WHOLE] = await upload(ann, b"whole", unique_id="{whole}")
            # refused, but the bytes have been checked then, which is noted
            await ann.ask(*sending(self.thread, self.real[WHOLE], receiver=NOBODY, unique="{whole}"))
            number = await upload(bob, b"bob's", unique_id="{bob's}")
            message = await bob.ask(*sending(self.thread, number, BOB, ANN, unique="{bob's}"))
            self.real[ATTACHED] = message["chat_datas"][0]["message_id"]
            self.real[PLAIN] = sent[BOB]
            await ann.close()
            await bob.close()
        await harness.settled()
        return self

    def body(self, number, **changed):
        def real(value):
            return [real(each) for each in value] if isinstance(value, list) else self.real.get(value, value)

        return {
            key: value if key == "text_array" else real(value) for key, value in (ROWS[number].body | changed).items()
        }

    async def check(self, uid, number, body, expected):
        """Ask, as ``uid`` or as nobody; the refusal is the one expected, is logged once, and nothing has changed."""
        harness = self._harness
        device = await harness.connect() if uid is None else await harness.log_in(uid)
        before = await harness.tables()
        self._caplog.clear()
        reply = await device.ask(number, body)
        await harness.settled()
        case = (number, body, reply)
        assert await harness.tables() == before, case
        warnings = [each.getMessage() for each in self._caplog.records if each.levelno == logging.WARNING]
        assert len(warnings) == 1, (case, warnings)
        if expected is ENDS:
            assert reply is None, case
            assert f"{f'user {uid}' if uid else 'a client'} at " in warnings[0], warnings
            assert f"has ended: message {number}" in warnings[0], warnings
        else:
            assert reply["error"] == expected, case
            msgspec.convert(reply, FROM_SERVER[number + 1])  # a refusal, too, has the types of its reply
            assert not any(reply.get(key) for key in ("chat_datas", "texts", "threads", "load_more")), case
            assert f"{FROM_CLIENT[number].__name__} of user {uid} is refused: " in warnings[0], warnings
            assert await device.notices() == [], case
        await device.close()


@in_both_worlds()
async def test_before_the_login_nothing_is_answered(harness, caplog):
    refusals = await Refusals(harness, caplog).furnish()
    for number in ROWS:
        await refusals.check(None, number, refusals.body(number), ENDS)


@in_both_worlds()
async def test_in_anothers_name_nothing_is_answered(harness, caplog):
    refusals = await Refusals(harness, caplog).furnish()
    askers = {number: row.asker for number, row in ROWS.items() if row.asker}
    for number, asker in askers.items():
        for uid, said in ((CAT, ANN), (ANN, BOB), (ANN, 0), (ANN, NOBODY)):
            await refusals.check(uid, number, refusals.body(number, **{asker: said}), 1011)


@by_request
@in_both_worlds()
async def test_what_a_stranger_is_refused_is_granted_to_whom_it_concerns(harness, number, caplog):
    refusals = await Refusals(harness, caplog).furnish()
    row = ROWS[number]
    asked = refusals.body(number, **({row.asker: CAT} if row.asker else {}))
    if row.stranger is ANYBODY:
        cat = await harness.log_in(CAT)
        reply = await cat.ask(number, asked)
        assert (reply.get("error"), reply.get("threads", [])) == (0, [])
    else:
        await refusals.check(CAT, number, asked, row.stranger)
    ann = await harness.log_in(ANN)
    before = await harness.tables()
    granted = await ann.ask(number, refusals.body(number))
    assert granted["error"] == 0, granted
    assert (await harness.tables() == before) == (number in changes_no_table)


@in_both_worlds()
async def test_what_makes_no_sense_is_refused_or_ends_the_connection(harness, caplog):
    refusals = await Refusals(harness, caplog).furnish()
    for number, row in ROWS.items():
        assert row.wrong
        for changed, expected in row.wrong:
            await refusals.check(ANN, number, refusals.body(number, **changed), expected)


@in_both_worlds()
async def test_a_key_that_is_missing_ends_the_connection(harness, caplog):
    refusals = await Refusals(harness, caplog).furnish()
    for number, row in ROWS.items():
        for key in row.body:
            body = refusals.body(number)
            del body[key]
            await refusals.check(ANN, number, body, ENDS)


@in_both_worlds("source")
async def test_what_the_sources_tables_can_not_say_is_refused(harness, caplog):
    refusals = await Refusals(harness, caplog).furnish()
    for number in (number for number, row in ROWS.items() if row.numbered):
        await refusals.check(ANN, number, refusals.body(number), 1108)


MAY = {
    1119: ({"members": [6]}, "creator", "admin"),
    1121: ({"user_id": DAN}, "creator", "admin"),
    1123: ({"name": "them"}, "creator", "admin"),
    1125: ({"user_id": DAN, "role": 1}, "creator"),
    1127: ({"user_id": DAN, "seconds": 60}, "creator", "admin"),
    1129: ({"after": 0}, "creator", "admin", "member", "muted"),
    1017: ({"touid": 0, "text_array": [TEXT]}, "creator", "admin", "member"),
    1029: ({"message_id": 0}, "creator", "admin", "member", "muted"),
    1101: ({"seq": 0, "backward": False}, "creator", "admin", "member", "muted"),
    1105: ({"seq": 0}, "creator", "admin", "member", "muted"),
    1113: ({"after": [0], "below": [0]}, "creator", "admin", "member", "muted"),
    1131: ({"message_id": MESSAGE}, "creator", "admin", "member"),
    1133: ({"message_id": MESSAGE, "content": "hello!"}, "member"),
    1137: ({"revision": 0}, "creator", "admin", "member", "muted"),
    1139: ({"seq": 1}, "creator", "admin", "member", "muted"),
    1141: ({"seqs": [1]}, "creator", "admin", "member", "muted"),
    1145: ({"time": "2020-01-01 00:00:00"}, "creator", "admin", "member", "muted"),
}
"""Requests about a group, and who may make them; a message in it is the member's."""

PEOPLE = {"creator": ANN, "admin": BOB, "member": 8, "muted": 9, "removed": 7, "stranger": CAT}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("number", MAY)
@in_both_worlds(("hardened", "source"))
async def test_each_role_may_do_what_it_may_and_nothing_else(harness, number, who):
    if harness.schema == "source" and number in ROWS and ROWS[number].numbered:
        return
    group = await harness.group(ANN, DAN, 8, 9, 7, roles={BOB: 1})
    await harness.befriend(ANN, 6)
    await harness.befriend(BOB, 6)
    ann = await harness.log_in(ANN)
    assert await ann.ask(1127, {"thread_id": group, "user_id": 9, "seconds": 60}) == {"error": 0}
    assert await ann.ask(1121, {"thread_id": group, "user_id": 7}) == {"error": 0}
    member = await harness.log_in(PEOPLE["member"])
    sent = {"fromuid": member.uid, "touid": 0, "thread_id": group, "text_array": [OTHER_TEXT]}
    ((message,),) = [(each["message_id"],) for each in (await member.ask(1017, sent))["chat_datas"]]
    uid, (body, *may) = PEOPLE[who], MAY[number]
    device = await harness.log_in(uid)
    await harness.settled()
    before = await harness.tables()
    thread = {"threads": [group]} if number in {1113, 1141} else {"thread_id": group}
    body = {key: message if value is MESSAGE else value for key, value in body.items()}
    reply = await device.ask(number, body | thread | ({"fromuid": uid} if number == 1017 else {}))
    if who in may:
        assert reply["error"] == 0, reply
        return
    refused = 1102 if who in {"removed", "stranger"} else 1110 if number == 1017 else 1109
    assert reply["error"] == refused, reply
    assert await harness.tables() == before


def test_every_request_about_a_group_is_tried_in_each_role():
    about_threads = {number for number, row in ROWS.items() if {"thread_id", "threads"} & row.body.keys()}
    attachments = {1155}  # they go the way of texts, and have tests of their own
    assert {*MAY} == about_threads - {1025} - attachments


NAMING_ANOTHER = {1007: ("uid", 1011), 1009: ("touid", 1011), 1013: ("touid", 1106), 1017: ("touid", 1102)} | {
    1027: ("other_id", 1012),
    1155: ("touid", 1102),
}
"""All requests that name another user: the key, and the error if there is no such user and anybody may chat."""


@in_both_worlds(("source", "hardened"), strangers=True)
async def test_a_user_who_does_not_exist_is_refused_in_both_schemas_also_if_anybody_may_chat(harness, caplog):
    refusals = await Refusals(harness, caplog).furnish()
    for number, (key, expected) in NAMING_ANOTHER.items():
        for uid in (999, 2**31 - 1, 2**31, 2**32, 2**63 - 1):
            named = str(uid) if number == 1007 else uid
            missing = ROWS[number].numbered and harness.schema == "source"
            await refusals.check(ANN, number, refusals.body(number, **{key: named}), 1108 if missing else expected)


def test_every_request_that_names_another_user_is_tried():
    own = {"uid": {1009, 1025, 1027}, "fromuid": {1013, 1017, 1023, 1155}}
    naming = {
        number
        for number, row in ROWS.items()
        for key in row.body
        if key in {"uid", "fromuid", "touid", "other_id"} and number not in own.get(key, ())
    }
    assert naming == {*NAMING_ANOTHER}
