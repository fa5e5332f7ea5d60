"""Looking for users and becoming friends, as devices see it."""

import asyncio

import pytest
from harness import ANN, BOB, CAT, in_both_worlds

from chatsim.db.errors import ConnectionLostError, Kind
from chatsim.db.mysql import database_error

BOTH = ("source", "hardened")
WELCOME = "We are friends now!"


def application(uid, to, **other):
    return 1009, {"uid": uid, "applyname": "hello", "bakname": "buddy", "touid": to} | other


def acceptance(uid, applicant, **other):
    return 1013, {"fromuid": uid, "touid": applicant, "back": "pal"} | other


async def apply(device, to):
    assert await device.ask(*application(device.uid, to)) == {"error": 0}


@in_both_worlds(BOTH)
async def test_a_user_is_found_by_id_or_by_name(harness):
    ann = await harness.log_in(ANN)
    found = {"error": 0, "uid": BOB, "name": "user2", "nick": "", "desc": "", "sex": 0, "icon": ""}
    for typed in ("2", "0002", "user2"):
        assert await ann.ask(1007, {"uid": typed}) == found


@in_both_worlds(BOTH)
async def test_of_several_of_one_name_the_oldest_is_found(harness):
    await harness.world.admin.execute("UPDATE user SET name = 'someone' WHERE uid IN (?, ?)", (CAT, BOB))
    ann = await harness.log_in(ANN)
    assert (await ann.ask(1007, {"uid": "someone"}))["uid"] == BOB


@in_both_worlds(BOTH, nodes=2)
async def test_who_is_applied_to_is_told_on_every_device_wherever_it_is(harness):
    ann = await harness.log_in(ANN)
    devices = [await harness.log_in(BOB), await harness.log_in(BOB, 1), await harness.log_in(BOB, 1, feed=True)]
    await apply(ann, BOB)
    await harness.settled()
    notice = {"error": 0, "applyuid": ANN, "name": "user1", "desc": "hello", "icon": "", "sex": 0, "nick": ""}
    for device in devices:
        assert await device.notices() == [(1011, notice)]
    assert await ann.notices() == []


@in_both_worlds(BOTH)
async def test_who_was_offline_finds_the_application_in_the_login(harness):
    await apply(await harness.log_in(ANN), BOB)
    bob = await harness.connect()
    reply = await bob.ask(1005, {"uid": BOB, "token": await harness.world.tokens.issue(BOB)})
    (applied,) = reply["apply_list"]
    assert (applied["uid"], applied["desc"], applied["status"]) == (ANN, "hello", 0)


@in_both_worlds(BOTH)
async def test_an_application_that_is_there_already_is_not_pushed_again(harness):
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    for greeting in ("hello", "hello", "hello?", "hello"):
        assert await ann.ask(*application(ANN, BOB, applyname=greeting)) == {"error": 0}
    await harness.settled()
    assert [(number, notice["desc"]) for number, notice in await bob.notices()] == [(1011, "hello")]


@pytest.mark.parametrize("at", range(13))
@pytest.mark.parametrize(("asked", "told"), [(application, 1011), (acceptance, 1015)])
@in_both_worlds(worlds=["model"])
async def test_the_other_user_is_told_once_wherever_the_connection_is_lost(harness, asked, told, at):
    """Also if it is lost after the commit: the node's second try finds everything there, but nobody has been told."""
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    if asked is acceptance:
        await apply(bob, ANN)
    spoiled = harness.spoil(at, failure=ConnectionLostError(2013, "lost"), behind=True)
    assert (await ann.ask(*asked(ANN, BOB)))["error"] == 0
    await harness.settled()
    assert [number for number, _ in await bob.notices()] == [told]
    last = 2 if asked is application else 11
    assert spoiled.paused.stopped.is_set() == (at <= last), "every round trip was tried"


@in_both_worlds()
async def test_a_text_of_the_applicant_whose_id_the_server_would_choose_does_not_prevent_the_acceptance(harness):
    thread = await harness.talking(BOB, CAT)
    bob, ann = await harness.log_in(BOB), await harness.log_in(ANN)
    await apply(bob, ANN)
    for chosen in (f"apply:{BOB}-{ANN}", f"chatsim:apply:{BOB}-{ANN}", f"chatsim:accept:{BOB}-{ANN}", "chatsim:"):
        text = {"content": "mine", "unique_id": chosen}
        body = {"fromuid": BOB, "touid": CAT, "thread_id": thread, "text_array": [text]}
        assert (await bob.ask(1017, body))["error"] == (1104 if chosen.startswith("chatsim:") else 0)
    assert (await ann.ask(*acceptance(ANN, BOB)))["error"] == 0
    ids = {name for (name,) in await harness.rows("SELECT unique_id FROM chat_message WHERE thread_id <> ?", thread)}
    assert ids == {f"chatsim:apply:{BOB}-{ANN}", f"chatsim:accept:{BOB}-{ANN}"}


@pytest.mark.parametrize("applicant_is_online", [True, False])
@in_both_worlds(BOTH, nodes=2)
async def test_both_are_told_of_the_thread_and_its_opening_messages(harness, applicant_is_online):
    """A2: who accepts has them also when the applicant is offline."""
    bob = await harness.log_in(BOB, 1)
    await apply(bob, ANN)
    if not applicant_is_online:
        await bob.close()
    ann = await harness.log_in(ANN)
    reply = await ann.ask(*acceptance(ANN, BOB))
    ((thread,),) = await harness.rows("SELECT thread_id FROM private_chat")
    stored = await harness.rows("SELECT message_id FROM chat_message ORDER BY message_id")
    opening = [
        {"sender": sender, "msg_id": number, "thread_id": thread, "unique_id": "", "msg_content": said}
        for (number,), (sender, said) in zip(stored, [(BOB, "hello"), (ANN, WELCOME)], strict=True)
    ]
    profile = {"nick": "", "icon": "", "sex": 0, "chat_datas": opening}
    assert reply == {"error": 0, "name": "user2", "uid": BOB} | profile
    await harness.settled()
    if applicant_is_online:
        assert await bob.notices() == [(1015, {"error": 0, "fromuid": ANN, "touid": BOB, "name": "user1"} | profile)]


@in_both_worlds(nodes=2)
async def test_who_accepted_is_told_on_other_devices_in_the_dialect_that_has_a_word_for_it(harness):
    """The source's client takes whoever accepted for the new friend: one that says nothing of a feed is not told."""
    bob = await harness.log_in(BOB)
    await apply(bob, ANN)
    ann, ours, the_sources = (
        await harness.log_in(ANN),
        await harness.log_in(ANN, 1, feed=True),
        await harness.log_in(ANN, 1),
    )
    reply = await ann.ask(*acceptance(ANN, BOB))
    await harness.settled()
    ((number, notice),) = await ours.notices()
    assert (number, notice["fromuid"], notice["touid"], notice["name"]) == (1015, ANN, BOB, "user2")
    assert notice["chat_datas"] == reply["chat_datas"]
    notices = [message for message in await the_sources.notices() if message[0] != 1011]
    assert notices == []
    assert await ann.notices() == []


@in_both_worlds(BOTH)
async def test_who_accepts_again_gets_the_same_answer_and_nobody_is_told_again(harness):
    bob, ann = await harness.log_in(BOB), await harness.log_in(ANN)
    await apply(bob, ANN)
    first = await ann.ask(*acceptance(ANN, BOB))
    await harness.settled()
    await bob.notices()
    assert await ann.ask(*acceptance(ANN, BOB)) == first
    await harness.settled()
    assert await bob.notices() == []


@in_both_worlds(BOTH)
async def test_friends_may_not_apply_to_each_other(harness):
    bob, ann = await harness.log_in(BOB), await harness.log_in(ANN)
    await apply(bob, ANN)
    await ann.ask(*acceptance(ANN, BOB))
    for device, other in ((ann, BOB), (bob, ANN)):
        assert await device.ask(*application(device.uid, other)) == {"error": 1105}


@pytest.mark.parametrize("at", range(4))
@in_both_worlds(BOTH, retry="none")
async def test_an_acceptance_that_fails_is_answered_as_one_tells_nobody_and_may_be_tried_again(harness, at):
    """A1, A3."""
    bob, ann = await harness.log_in(BOB), await harness.log_in(ANN)
    await apply(bob, ANN)
    await harness.settled()
    await ann.notices()
    before = await harness.tables()
    harness.spoil(at, failure=database_error(1205, "too late"))
    assert await ann.ask(*acceptance(ANN, BOB)) == {
        "error": 1107,
        "uid": 0,
        "name": "",
        "nick": "",
        "icon": "",
        "sex": 0,
        "chat_datas": [],
    }
    await harness.settled()
    assert await bob.notices() == []
    assert await harness.tables() == before
    assert len((await ann.ask(*acceptance(ANN, BOB)))["chat_datas"]) == 2


@in_both_worlds("source")
async def test_whoever_accepts_without_a_profile_is_a_friend_all_the_same(harness):
    """A8. The hardened tables have no friend who is no user."""
    bob, ann = await harness.log_in(BOB), await harness.log_in(ANN)
    await apply(bob, ANN)
    await harness.world.admin.execute("DELETE FROM user WHERE uid = ?", (ANN,))
    assert (await ann.ask(*acceptance(ANN, BOB)))["error"] == 0
    await harness.settled()
    ((number, notice),) = await bob.notices()
    assert (number, notice["error"], notice["fromuid"], notice["name"]) == (1015, 0, ANN, "")
    assert len(notice["chat_datas"]) == 2


@in_both_worlds(BOTH, nodes=2)
async def test_two_who_accept_each_other_on_different_nodes_share_a_thread(harness):
    ann, bob = await harness.log_in(ANN, 0), await harness.log_in(BOB, 1)
    await apply(ann, BOB)
    await apply(bob, ANN)
    replies = await asyncio.gather(ann.ask(*acceptance(ANN, BOB)), bob.ask(*acceptance(BOB, ANN)))
    threads = {each["thread_id"] for reply in replies for each in reply["chat_datas"]}
    assert {reply["error"] for reply in replies} == {0}
    assert await harness.rows("SELECT thread_id FROM private_chat") == [(thread,) for thread in threads]
    assert await harness.rows("SELECT COUNT(*) FROM chat_message") == [(4,)]
    assert Kind.DEADLOCK not in harness.cluster.stats.refusals


@in_both_worlds(BOTH)
async def test_friends_are_in_each_others_logins_by_the_names_they_gave(harness):
    bob, ann = await harness.log_in(BOB), await harness.log_in(ANN)
    await apply(bob, ANN)
    await ann.ask(*acceptance(ANN, BOB))
    for uid, friend, name in ((ANN, BOB, "pal"), (BOB, ANN, "buddy")):
        device = await harness.connect()
        reply = await device.ask(1005, {"uid": uid, "token": await harness.world.tokens.issue(uid)})
        assert [(each["uid"], each["back"]) for each in reply["friend_list"]] == [(friend, name)]
