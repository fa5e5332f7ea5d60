"""Writers write and a reader follows: the source's cursor loses what is overtaken, and it is known to whom."""

import asyncio
import re
from dataclasses import replace

import pytest
from heldback import HeldBack
from tqdm import tqdm

from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.catchup.following import LOOK, WRITE, Followed, Following
from chatsim.experiments.checks import Word
from chatsim.experiments.history import Operation
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError

SAFE = [name for name, kind in CURSORS.items() if kind.safe]


def in_model(following):
    return Model().run(lambda world: following.run(world, tqdm(disable=True)), seed=following.seed)


def on_mysql(following):
    async def body():
        async with MySQLWorld() as world:
            return await following.run(world, tqdm(disable=True))

    return asyncio.run(body())


def overtaken(kind, enough):
    """A kind whose first transaction is held back at its commit, and another comes after it.

    Args:
        kind: one whose writers do not wait for each other.
        enough: told of each look's messages while it is held back; when it says so, it goes on.
    """
    first, there, go = iter([True]), asyncio.Event(), asyncio.Event()

    async def write(tx, batch):
        if next(first, False):
            return await kind.write(HeldBack(tx, there, go), batch)
        await there.wait()
        return await kind.write(tx, batch)

    async def read(tx, uid, cursor):
        found = await kind.read(tx, uid, cursor)
        if there.is_set() and not go.is_set() and enough(found.messages):
            go.set()
        return found

    return replace(kind, write=write, read=read)


# --- what is lost


@pytest.mark.parametrize("run", [in_model, on_mysql])
def test_two_writers_of_one_message_each_lose_one_by_message_id_and_both_transactions_are_named(run, mysql_url):
    followed = run(Following(overtaken(CURSORS["message_id"], enough=len), writers=2, threads=1, messages=2))
    (lost,) = followed.lost
    (late,) = [each for each in followed.written if lost.subject in each.value["messages"]]
    (early,) = [each for each in followed.written if lost.subject not in each.value["messages"]]
    assert (lost.kind, lost.steps) == ("lost", (early, late))
    assert max(early.value["messages"]) > lost.subject
    assert run is on_mysql or early.end <= late.end, "who is told first is chance where time is real"
    assert late.client != early.client
    verdict = followed.verdict()
    assert verdict.word is Word.UNSAFE
    assert verdict.why == lost.sentence
    assert re.fullmatch(
        rf"message {lost.subject} of thread 1 was never found: at [\d.]+ s the reader had seen message"
        rf" {max(early.value['messages'])}, and not yet this one",
        lost.sentence,
    )
    assert verdict.explain().splitlines()[2:] == [f"  {early}", f"  {late}"]


def test_nobody_has_to_be_held_back_for_that(mysql_url):
    followed = in_model(Following(CURSORS["message_id"], writers=2, threads=1, messages=100))
    assert followed.lost
    for each in followed.lost:
        passed, late = each.steps
        at = float(re.search(r"at ([\d.]+) s the reader", each.sentence)[1])
        assert each.subject in late.value["messages"]
        assert passed.value["messages"][0] > each.subject
        assert passed.client != late.client
        assert passed.end <= at + 0.01 <= late.end + 0.02


def test_nobody_has_to_be_far_from_the_database_either():
    followed = in_model(Following(CURSORS["message_id"], writers=8, threads=1, messages=400, rtt=0.0))
    assert followed.lost


def test_who_was_far_in_one_run_is_near_in_the_next_in_the_same_world():
    near, far = (Following(CURSORS["user_version"], threads=1, messages=20, rtt=rtt) for rtt in (0.0, 0.1))

    async def body(world):
        return [await each.run(world, tqdm(disable=True)) for each in (near, far, near)]

    first, away, again = Model().run(body, seed=1)
    assert max(first.seconds, again.seconds) < away.seconds / 2


def test_an_overlap_finds_what_is_overtaken_by_few(mysql_url):
    followed = in_model(Following(overtaken(CURSORS["overlap"], enough=len), writers=2, threads=1, messages=2))
    assert followed.lost == []
    assert followed.verdict().word is Word.SAFE
    assert followed.repeated > 0


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("run", [in_model, on_mysql])
def test_the_recommended_cursors_lose_nothing_and_read_nothing_twice(name, run, mysql_url):
    followed = run(Following(CURSORS[name], writers=4, threads=2, messages=60, batch=3))
    assert followed.lost == []
    assert followed.repeated == 0
    verdict = followed.verdict()
    assert (verdict.word, verdict.why) == (Word.SAFE, "every one of 60 acknowledged messages was found")
    assert sorted(followed.found) == sorted(followed.acknowledged)
    assert len(set(followed.acknowledged)) == 60


@pytest.mark.parametrize("name", SAFE)
def test_they_lose_nothing_when_the_server_is_killed_and_everybody_connects_again(name):
    for seed in range(1, 6):
        followed = in_model(Following(CURSORS[name], writers=4, threads=2, messages=200, batch=5, crashes=3, seed=seed))
        assert (followed.crashes, followed.lost, followed.repeated) == (3, [], 0)
        assert len(followed.acknowledged) == 200
        assert followed.refused >= 3


@pytest.mark.needs("apt")
def test_so_it_is_on_a_mysql_that_is_killed():
    async def body():
        async with MySQLWorld(Servers(mysql_via="unpacked", mysql_url=None)) as world:
            following = Following(CURSORS["user_version"], writers=4, threads=2, messages=200, crashes=2)
            return await following.run(world, tqdm(disable=True))

    followed = asyncio.run(body())
    assert (followed.crashes, followed.verdict().word) == (2, Word.SAFE)
    assert len(followed.acknowledged) == 200


def test_what_is_lost_with_a_crash_is_lost_though_the_reader_looks_again():
    followed = in_model(Following(CURSORS["message_id"], writers=4, threads=1, messages=200, crashes=3))
    assert followed.lost
    assert len(followed.written) == len([each for each in followed.history if each.kind == WRITE]), "nobody gave up"


def test_a_server_that_is_not_ours_is_not_killed_and_everybody_stops(mysql_url):
    async def body():
        async with MySQLWorld(Servers(mysql_url=mysql_url)) as world:
            following = Following(CURSORS["user_version"], messages=200, crashes=1)
            await following.run(world, tqdm(disable=True))

    with pytest.raises(WorldError, match="is not a process of chatsim's own, and is not killed"):
        asyncio.run(body())


def test_a_watermark_shows_nothing_while_an_older_transaction_is_open_and_all_of_it_then():
    seen = []

    def enough(messages):
        seen.append(len(messages))
        return len(seen) == 50  # the other has long been acknowledged

    followed = in_model(Following(overtaken(CURSORS["watermark"], enough), writers=2, threads=1, messages=2))
    assert seen == [0] * 50
    late, early = sorted(followed.written, key=lambda each: each.value["messages"][0])
    assert early.end < late.end
    assert followed.lost == []
    (look,) = followed.looks
    assert look.value["messages"] == [*late.value["messages"], *early.value["messages"]]


# --- what else it says


def test_one_seed_is_one_story_and_another_is_another():
    following = Following(CURSORS["message_id"], writers=3, threads=4, messages=60, seed=5)
    first = in_model(following)
    assert in_model(following) == first
    assert in_model(replace(following, seed=6)) != first


def test_each_writer_writes_into_any_thread_so_that_two_can_meet_in_one():
    followed = in_model(Following(CURSORS["message_id"], writers=2, threads=4, messages=80))
    for writer in (0, 1):
        assert {each.asked["thread"] for each in followed.written if each.client == writer} == {1, 2, 3, 4}


def test_a_writer_whom_the_database_refuses_for_good_is_an_error_and_the_others_go_on():
    kind = CURSORS["user_version"]

    async def write(tx, batch):
        if batch.texts[0].unique_id.startswith("0-1-"):
            await tx.execute("SELECT * FROM nowhere")
        return await kind.write(tx, batch)

    followed = in_model(Following(replace(kind, write=write), writers=2, threads=2, messages=20))
    verdict = followed.verdict()
    assert verdict.word is Word.ERRORS
    assert verdict.why.startswith("1 of 12 transactions were given up: 1 by 1146; for one, client 0, round 1: write")
    assert "nowhere" in verdict.why
    assert sorted(each.client for each in followed.written) == [0] + [1] * 10


def written(client, thread, messages, start, end):
    return Operation(client, 0, WRITE, {"thread": thread}, start, start, end, value={"messages": messages})


def looked(at, threads, messages):
    return Operation(2, 0, LOOK, {}, at, at, at, value={"threads": threads, "messages": messages})


def test_what_no_later_message_has_hidden_is_lost_without_a_culprit():
    one = written(0, 1, [7, 8], 0.5, 0.75)
    (lost,) = Followed(CURSORS["message_id"], [one, looked(1.0, [1], [7])]).lost
    assert (lost.kind, lost.subject, lost.steps) == ("lost", 8, (one,))
    assert lost.sentence == "message 8 of thread 1 was never found"


def test_what_another_threads_message_came_after_is_not_laid_on_it():
    mine, others = written(0, 1, [1], 0.0, 0.2), written(1, 2, [2], 0.0, 0.1)
    (lost,) = Followed(CURSORS["message_id"], [mine, others, looked(0.1, [2], [2])]).lost
    assert lost.steps == (mine,)


def test_the_first_look_that_had_seen_a_later_message_and_who_wrote_that_are_named():
    late, early, third = (written(*each, 0.0, 0.2) for each in ((0, 1, [1]), (1, 1, [2]), (2, 1, [3])))
    (lost,) = Followed(
        CURSORS["message_id"], [late, early, third, looked(0.1, [2, 1], [9, 2]), looked(0.3, [1], [3])]
    ).lost
    assert lost.steps == (early, late)
    assert lost.sentence == (
        "message 1 of thread 1 was never found: at 0.1000 s the reader had seen message 2, and not yet this one"
    )
