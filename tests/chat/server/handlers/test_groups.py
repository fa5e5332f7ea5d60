"""Groups, as devices of their members see them."""

import pytest
from harness import ANN, BOB, CAT, DAN, in_both_worlds

from chatsim.db.errors import ConnectionLostError
from chatsim.worlds.loading import add_users

BOTH = ("source", "hardened")


def text(group, sender, name="u", content="hello"):
    batch = [{"content": content, "unique_id": name}]
    return 1017, {"fromuid": sender, "touid": 0, "thread_id": group, "text_array": batch}


async def say(device, group, name="u", content="hello"):
    return (await device.ask(*text(group, device.uid, name, content)))["error"]


async def state(device, group):
    """The state of a group, as a device is told it; None if it is not told any."""
    reply = await device.ask(1103, {"since": 0, "before": 0})
    return next((each for each in reply["threads"] if each["thread_id"] == group), None)


async def listed(device):
    reply = await device.ask(1025, {"uid": device.uid, "thread_id": 0})
    return [(each["thread_id"], each["type"], each["user1_id"], each["user2_id"]) for each in reply["threads"]]


async def made(harness, device, *members, name="us", unique_id="g"):
    for uid in members:
        await harness.befriend(device.uid, uid)
    reply = await device.ask(1117, {"name": name, "unique_id": unique_id, "members": [*members]})
    assert reply["error"] == 0
    return reply["thread_id"]


# --- creating


@in_both_worlds(BOTH)
async def test_a_new_group_is_in_the_list_of_each_member_and_of_nobody_else(harness):
    ann, bob, cat = [await harness.log_in(uid) for uid in (ANN, BOB, CAT)]
    group = await made(harness, ann, BOB)
    for device in (ann, bob):
        assert await listed(device) == [(group, "group", 0, 0)]
    assert await listed(cat) == []
    assert await harness.rows("SELECT user_id, role FROM group_chat_member ORDER BY user_id") == [(ANN, 2), (BOB, 0)]


@in_both_worlds(nodes=2)
async def test_it_is_told_to_all_devices_with_a_feed_but_the_one_that_made_it(harness):
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB, 1, feed=True)
    tablet, plain = await harness.log_in(ANN, 1, feed=True), await harness.log_in(BOB)
    group = await made(harness, ann, BOB)
    await harness.settled()
    for device in (bob, tablet):
        assert await device.notices() == [(1111, {"thread_id": group})]
    assert (await ann.notices(), await plain.notices()) == ([], [])
    found = await state(bob, group)
    assert found.pop("version") == 1
    assert found == {"thread_id": group, "type": "group", "user1_id": 0, "user2_id": 0, "last_seq": 0} | {
        "read1": 0,
        "read2": 0,
        "unread": 0,
        "name": "us",
    }
    assert (await state(ann, group))["role"] == 2


@in_both_worlds()
async def test_a_creation_that_is_sent_again_finds_the_group_and_tells_nobody(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    group = await made(harness, ann, BOB)
    await harness.settled()
    await bob.notices()
    before = await harness.tables()
    again = await ann.ask(1117, {"name": "other", "unique_id": "g", "members": []})
    assert again == {"error": 0, "thread_id": group}
    await harness.settled()
    assert (await harness.tables(), await bob.notices()) == (before, [])


@in_both_worlds()
async def test_a_unique_id_is_its_creators_own(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    assert await made(harness, ann, CAT) != await made(harness, bob, CAT)


@in_both_worlds(BOTH, group_members=3)
async def test_a_group_has_as_many_members_as_are_allowed(harness):
    ann = await harness.log_in(ANN)
    group = await made(harness, ann, BOB, CAT)
    await harness.befriend(ANN, DAN)
    assert (await ann.ask(1119, {"thread_id": group, "members": [DAN]}))["error"] == 1104
    more = {"name": "us", "unique_id": "h", "members": [BOB, CAT, DAN]}
    assert (await ann.ask(1117, more))["error"] == 1104
    assert await ann.ask(1119, {"thread_id": group, "members": [BOB, CAT]}) == {"error": 0}, "they are there"


@in_both_worlds(BOTH, strangers=True)
async def test_among_strangers_anybody_who_exists_can_be_added(harness):
    ann = await harness.log_in(ANN)
    group = (await ann.ask(1117, {"name": "us", "unique_id": "g", "members": [BOB]}))["thread_id"]
    assert await ann.ask(1119, {"thread_id": group, "members": [CAT]}) == {"error": 0}
    for nobody in (0, 999, 2**31, 2**63 - 1):
        assert (await ann.ask(1119, {"thread_id": group, "members": [nobody]}))["error"] == 1011
        creation = {"name": "us", "unique_id": "h", "members": [nobody]}
        assert (await ann.ask(1117, creation))["error"] == 1011


# --- texts


@in_both_worlds(BOTH, nodes=2)
async def test_a_text_reaches_every_member_in_the_dialect_of_each_device_and_nobody_else(harness):
    ann, bob, cat = await harness.log_in(ANN), await harness.log_in(BOB, 1), await harness.log_in(CAT, 1, feed=True)
    tablet, dan = await harness.log_in(ANN, 1, feed=True), await harness.log_in(DAN, feed=True)
    group = await made(harness, ann, BOB, CAT)
    await harness.settled()
    for device in (cat, tablet):
        await device.notices()
    assert await say(ann, group) == 0
    await harness.settled()
    ((number, told),) = await bob.notices()
    assert (number, told["fromuid"], told["touid"], told["thread_id"]) == (1019, ANN, 0, group)
    for device in (cat, tablet):
        ((number, told),) = await device.notices()
        assert (number, told["fromuid"], told["touid"], told["texts"][0]["content"]) == (1109, ANN, 0, "hello")
    assert (await ann.notices(), await dan.notices()) == ([], [])


@in_both_worlds(BOTH)
async def test_a_group_has_no_one_receiver(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    group, private = await made(harness, ann, BOB), await harness.thread(ANN, BOB)
    assert await say(ann, group) == 0
    nobody = None if harness.schema == "hardened" else 0
    assert await harness.rows("SELECT thread_id, recv_id FROM chat_message") == [(group, nobody)]
    for thread, receiver in ((group, BOB), (private, 0)):
        asked = text(thread, ANN)[1] | {"touid": receiver}
        assert (await ann.ask(1017, asked))["error"] == 1102
    assert len((await bob.ask(1029, {"thread_id": group, "message_id": 0}))["chat_datas"]) == 1


@in_both_worlds(nodes=2)
async def test_each_member_gets_the_texts_of_a_group_in_their_order(harness):
    ann = await harness.log_in(ANN)
    cats = [await harness.log_in(CAT, node, feed=True) for node in (0, 1)]
    group = await made(harness, ann, BOB, CAT)
    for number in range(20):
        await ann.say(*text(group, ANN, f"u{number}"))
    for _ in range(20):
        while (await ann.hear())[0] != 1018:
            pass
    await harness.settled()
    for device in cats:
        told = [body["texts"][0]["unique_id"] for number, body in await device.notices() if number == 1109]
        assert told == [f"u{number}" for number in range(20)]


@in_both_worlds()
async def test_what_is_unread_is_each_members_own_and_reading_concerns_the_reader_only(harness):
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB)
    cat, tablet = await harness.log_in(CAT), await harness.log_in(CAT, feed=True)
    group = await made(harness, ann, BOB, CAT)
    for device, name in ((ann, "a"), (ann, "b"), (bob, "c")):
        assert await say(device, group, name) == 0
    assert [(await state(each, group))["unread"] for each in (ann, bob, cat)] == [1, 2, 3]
    await harness.settled()
    before = {each.uid: (await state(each, group))["version"] for each in (ann, bob)}
    for device in (ann, tablet):
        await device.notices()
    assert await cat.ask(1105, {"thread_id": group, "seq": 2}) == {"error": 0}
    await harness.settled()
    assert await tablet.notices() == [(1107, {"thread_id": group, "uid": CAT, "seq": 2})]
    assert await ann.notices() == []
    assert {each.uid: (await state(each, group))["version"] for each in (ann, bob)} == before
    found = await state(cat, group)
    assert (found["read1"], found["unread"], found["last_seq"]) == (2, 1, 3)
    assert (await state(ann, group))["read1"] == 0


# --- muting


@in_both_worlds(BOTH)
async def test_who_is_muted_reads_and_does_not_write_until_it_is_over(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    group = await made(harness, ann, BOB)
    assert await say(bob, group, "before") == 0
    assert await ann.ask(1127, {"thread_id": group, "user_id": BOB, "seconds": 60}) == {"error": 0}
    assert await say(bob, group, "now") == 1110
    assert len((await bob.ask(1029, {"thread_id": group, "message_id": 0}))["chat_datas"]) == 1
    await harness.world.admin.execute("UPDATE group_chat_member SET muted_until = NOW() - INTERVAL 1 SECOND")
    assert await say(bob, group, "later") == 0
    await ann.ask(1127, {"thread_id": group, "user_id": BOB, "seconds": 60})
    assert await ann.ask(1127, {"thread_id": group, "user_id": BOB, "seconds": 0}) == {"error": 0}
    assert await say(bob, group, "again") == 0


@in_both_worlds()
async def test_a_text_that_was_stored_before_its_author_was_muted_is_acknowledged_again(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    group = await made(harness, ann, BOB)
    await say(bob, group, "before")
    await ann.ask(1127, {"thread_id": group, "user_id": BOB, "seconds": 60})
    assert (await state(bob, group))["muted_until"] > "2"
    assert await say(bob, group, "before") == 0
    both = text(group, BOB, "before")[1]
    both["text_array"] = [*both["text_array"], {"content": "new", "unique_id": "new"}]
    assert (await bob.ask(1017, both))["error"] == 1110
    assert await harness.rows("SELECT unique_id FROM chat_message") == [("before",)]


# --- coming and going


@in_both_worlds(nodes=2)
async def test_who_is_added_later_is_told_of_the_group_and_of_nothing_that_was_written_before(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    cat = await harness.log_in(CAT, 1, feed=True)
    group = await made(harness, ann, BOB)
    for name in "abc":
        await say(ann, group, name)
    later = await harness.talking(CAT, DAN)  # a thread that is newer than the group, and known
    since = (await cat.ask(1103, {"since": 0, "before": 0}))["threads"][0]["version"]
    await harness.befriend(ANN, CAT)
    assert await ann.ask(1119, {"thread_id": group, "members": [CAT]}) == {"error": 0}
    await say(bob, group, "d")
    await harness.settled()
    assert [number for number, _ in await cat.notices()] == [1111, 1109]
    (found,) = (await cat.ask(1103, {"since": since, "before": 0}))["threads"]
    assert {name: found.get(name) for name in ("thread_id", "first", "last_seq", "read1", "unread", "name")} == {
        "thread_id": group,
        "first": 4,
        "last_seq": 4,
        "read1": 3,
        "unread": 1,
        "name": "us",
    }
    for backward, start in ((False, 0), (True, 5)):
        page = await cat.ask(1101, {"thread_id": group, "seq": start, "backward": backward})
        assert ([each["seq"] for each in page["texts"]], page["load_more"]) == ([4], False)
    caught_up = await cat.ask(1113, {"threads": [group, later], "after": [0, 0], "below": [0, 0]})
    assert caught_up == {"error": 0}
    ((_, part),) = cat.unasked
    assert [(each["thread_id"], len(each["texts"])) for each in part["threads"]] == [(group, 1)]
    page = await cat.ask(1029, {"thread_id": group, "message_id": 0})
    assert (len(page["chat_datas"]), page["load_more"]) == (1, False)


@in_both_worlds("source")
async def test_in_the_sources_tables_who_is_added_later_reads_everything(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    group = await made(harness, ann)
    await say(ann, group, "before")
    await harness.befriend(ANN, BOB)
    await ann.ask(1119, {"thread_id": group, "members": [BOB]})
    assert await listed(bob) == [(group, "group", 0, 0)]
    assert len((await bob.ask(1029, {"thread_id": group, "message_id": 0}))["chat_datas"]) == 1


@in_both_worlds(nodes=2)
async def test_who_is_removed_is_told_once_and_learns_nothing_more(harness):
    ann, bob, cat = await harness.log_in(ANN), await harness.log_in(BOB, 1, feed=True), await harness.log_in(CAT)
    group = await made(harness, ann, BOB, CAT)
    await say(ann, group, "before")
    await harness.settled()
    await bob.notices()
    assert await ann.ask(1121, {"thread_id": group, "user_id": BOB}) == {"error": 0}
    assert await ann.ask(1121, {"thread_id": group, "user_id": BOB}) == {"error": 0}
    await harness.settled()
    assert await bob.notices() == [(1111, {"thread_id": group})]
    gone = await state(bob, group)
    assert (gone["role"], gone["last_seq"], "name" in gone, "roster" in gone) == (-1, 0, False, False)
    await say(ann, group, "behind his back")
    await ann.ask(1123, {"thread_id": group, "name": "without Bob"})
    await cat.ask(1105, {"thread_id": group, "seq": 2})
    await harness.settled()
    assert (await bob.notices(), await state(bob, group)) == ([], gone)
    assert (await bob.ask(1103, {"since": gone["version"], "before": 0}))["threads"] == []
    assert await listed(bob) == []
    for number, body in (
        (1029, {"thread_id": group, "message_id": 0}),
        (1101, {"thread_id": group, "seq": 0, "backward": False}),
        (1105, {"thread_id": group, "seq": 1}),
        (1113, {"threads": [group], "after": [0], "below": [0]}),
        (1129, {"thread_id": group, "after": 0}),
    ):
        reply = await bob.ask(number, body)
        assert reply["error"] == 1102
        assert not any(reply.get(key) for key in ("texts", "chat_datas", "members", "roster"))
    assert bob.unasked == []


@in_both_worlds(BOTH)
async def test_who_leaves_is_gone_and_may_say_so_again(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    group = await made(harness, ann, BOB)
    assert await bob.ask(1121, {"thread_id": group, "user_id": BOB}) == {"error": 0}
    before = await harness.tables()
    again = (await bob.ask(1121, {"thread_id": group, "user_id": BOB}))["error"]
    assert again == (0 if harness.schema == "hardened" else 1102), "the source's tables know no earlier members"
    assert await harness.tables() == before
    private = await harness.talking(ANN, CAT)
    assert (await ann.ask(1121, {"thread_id": private, "user_id": ANN}))["error"] == 1102, "it is no group"


@in_both_worlds(BOTH)
async def test_the_creator_who_leaves_hands_over_to_the_oldest_admin_or_else_the_oldest_member(harness):
    group = await harness.group(ANN, CAT, DAN, roles={7: 1, BOB: 1})
    ages = {ANN: 1, BOB: 30, 7: 40, CAT: 20, DAN: 10}
    for uid, days in ages.items():
        await harness.world.admin.execute(
            "UPDATE group_chat_member SET joined_at = NOW() - INTERVAL ? DAY WHERE user_id = ?", (days, uid)
        )
    creators = []
    for uid in (ANN, 7, BOB, CAT, DAN):
        device = await harness.log_in(uid)
        assert await device.ask(1121, {"thread_id": group, "user_id": uid}) == {"error": 0}
        creators += [user for (user,) in await harness.rows("SELECT user_id FROM group_chat_member WHERE role = 2")]
    assert creators == [7, BOB, CAT, DAN]
    assert await harness.rows("SELECT COUNT(*) FROM group_chat_member") == [(0,)]
    assert await harness.rows("SELECT COUNT(*) FROM group_chat") == [(1,)]


# --- roles and names


@in_both_worlds(BOTH)
async def test_a_group_is_handed_over_once_however_often_it_is_asked_for(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    group = await made(harness, ann, BOB, CAT)
    for _ in range(2):
        assert await ann.ask(1125, {"thread_id": group, "user_id": BOB, "role": 2}) == {"error": 0}
        roles = await harness.rows("SELECT user_id, role FROM group_chat_member ORDER BY user_id")
        assert roles == [(ANN, 1), (BOB, 2), (CAT, 0)]
    assert (await ann.ask(1125, {"thread_id": group, "user_id": CAT, "role": 2}))["error"] == 1109
    assert (await bob.ask(1125, {"thread_id": group, "user_id": BOB, "role": 1}))["error"] == 1109
    assert await bob.ask(1125, {"thread_id": group, "user_id": ANN, "role": 0}) == {"error": 0}


@in_both_worlds(BOTH)
async def test_nobody_removes_or_mutes_who_ranks_as_high(harness):
    group = await harness.group(ANN, DAN, roles={BOB: 1, CAT: 1})
    bob = await harness.log_in(BOB)
    for user, refused in ((ANN, 1109), (CAT, 1109), (DAN, 0)):
        for number, more in ((1127, {"seconds": 60}), (1121, {})):
            asked = {"thread_id": group, "user_id": user} | more
            assert (await bob.ask(number, asked))["error"] == refused, (user, number)
    assert (await (await harness.log_in(ANN)).ask(1121, {"thread_id": group, "user_id": CAT}))["error"] == 0


@in_both_worlds()
async def test_a_change_is_told_to_all_members_and_one_that_changes_nothing_to_nobody(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    group = await made(harness, ann, BOB)
    await harness.settled()
    await bob.notices()
    changes = (
        (1123, {"name": "them"}, {"name": "them"}),
        (1125, {"user_id": BOB, "role": 1}, {"role": 1, "roster": 1}),
        (1127, {"user_id": BOB, "seconds": 60}, {"roster": 2}),
        (1127, {"user_id": BOB, "seconds": 0}, {"roster": 3}),
    )
    for number, body, expected in changes:
        assert await ann.ask(number, {"thread_id": group} | body) == {"error": 0}
        await harness.settled()
        assert await bob.notices() == [(1111, {"thread_id": group})]
        told = await state(bob, group)
        assert {name: told[name] for name in expected} == expected
        before = await harness.tables()
        if body.get("seconds") != 60:
            assert await ann.ask(number, {"thread_id": group} | body) == {"error": 0}
            await harness.settled()
            assert (await harness.tables(), await bob.notices()) == (before, [])


@in_both_worlds(BOTH)
async def test_members_are_listed_page_by_page_with_the_names_to_show(harness):
    many = range(100, 250)
    await add_users(harness.world.admin, many)
    await harness.world.admin.execute("UPDATE user SET nick = 'Annie' WHERE uid = ?", (ANN,))
    group = await harness.group(ANN, *many)
    ann = await harness.log_in(ANN)
    await ann.ask(1127, {"thread_id": group, "user_id": 100, "seconds": 60})
    first = await ann.ask(1129, {"thread_id": group, "after": 0})
    second = await ann.ask(1129, {"thread_id": group, "after": first["members"][-1]["uid"]})
    third = await ann.ask(1129, {"thread_id": group, "after": second["members"][-1]["uid"]})
    assert [each["load_more"] for each in (first, second, third)] == [True, False, False]
    found = first["members"] + second["members"]
    assert [each["uid"] for each in found] == [ANN, *many]
    assert [(each["nick"], each["role"]) for each in found[:3]] == [("Annie", 2), ("user100", 0), ("user101", 0)]
    assert [bool(each["muted_until"]) for each in found[:3]] == [False, True, False]
    assert first["roster"] == (1 if harness.schema == "hardened" else 0)
    assert third["members"] == []


@in_both_worlds()
async def test_members_are_listed_with_what_they_have_got_and_read(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    group = await made(harness, ann, BOB)
    for name in "abc":
        await say(ann, group, name)
    await bob.ask(1105, {"thread_id": group, "seq": 2})
    await harness.befriend(ANN, CAT)
    await ann.ask(1119, {"thread_id": group, "members": [CAT]})
    found = (await ann.ask(1129, {"thread_id": group, "after": 0}))["members"]
    assert [(each["uid"], each["delivered"], each["read"]) for each in found] == [(ANN, 0, 0), (BOB, 2, 2), (CAT, 3, 3)]


@in_both_worlds()
async def test_names_of_any_length_fit_into_a_page_of_states(harness):
    groups = [await harness.group(ANN, BOB, name="\x01" * 255) for _ in range(100)]
    ann = await harness.log_in(ANN)
    found, before, more = [], 0, True
    while more:
        page = await ann.ask(1103, {"since": 0, "before": before})
        found += [each["thread_id"] for each in page["threads"]]
        more, before = page["load_more"], page["threads"][-1]["version"]
    assert found == groups[::-1]


# --- what is not certain


REPEATED = {
    1117: {"name": "more", "unique_id": "h", "members": [BOB]},
    1119: {"members": [DAN]},
    1121: {"user_id": CAT},
    1123: {"name": "them"},
    1125: {"user_id": BOB, "role": 2},
    1127: {"user_id": CAT, "seconds": 60},
}


@pytest.mark.parametrize("number", REPEATED)
@in_both_worlds()
async def test_a_change_whose_commit_was_not_answered_is_made_once_and_told(harness, number):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    group = await made(harness, ann, BOB, CAT)
    await harness.befriend(ANN, DAN)
    await harness.settled()
    await bob.notices()
    harness.spoil(3 if number == 1117 else 1, failure=ConnectionLostError(2013, "lost"), behind=True)
    thread = {} if number == 1117 else {"thread_id": group}
    assert (await ann.ask(number, thread | REPEATED[number]))["error"] == 0
    await harness.settled()
    assert [notice for notice, _ in await bob.notices()] == [1111]
    once = {1117: "SELECT COUNT(*) - 1 FROM group_chat", 1123: "SELECT COUNT(*) FROM group_chat WHERE name = 'them'"}
    rosters = await harness.rows("SELECT roster FROM chat_thread WHERE id = ?", group)
    if number in once:
        assert await harness.rows(once[number]) == [(1,)]
    else:
        assert rosters == [(2 if number == 1127 else 1,)], "a mute counts from the last request on"


@in_both_worlds()
async def test_who_leaves_although_the_answer_is_lost_is_gone_and_the_others_are_told(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    group = await made(harness, ann, BOB)
    await harness.settled()
    await bob.notices()
    harness.spoil(2, failure=ConnectionLostError(2013, "lost"), behind=True)
    assert await ann.ask(1121, {"thread_id": group, "user_id": ANN}) == {"error": 0}
    await harness.settled()
    assert await bob.notices() == [(1111, {"thread_id": group})]
    assert await harness.rows("SELECT user_id, role FROM group_chat_member") == [(BOB, 2)]


@in_both_worlds("source")
async def test_in_the_sources_tables_nobody_is_told_since_there_is_nothing_to_ask_for(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    await made(harness, ann, BOB)
    await harness.settled()
    assert await bob.notices() == []
