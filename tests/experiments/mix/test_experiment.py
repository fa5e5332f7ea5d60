"""A mixed load: what is a row, what is measured when, what is refused, and that both worlds find the same."""

import asyncio
import re
from collections import Counter

import pytest
from click.testing import CliRunner

import chatsim
from chatsim.chat.creation import creation_strategy
from chatsim.chat.server.store.texts import HardenedTexts
from chatsim.chat.strategies import StrategyError
from chatsim.cli import main
from chatsim.experiments.history import Outcome
from chatsim.experiments.mix.experiment import Mix
from chatsim.experiments.mix.user import KINDS
from chatsim.experiments.runner import run
from chatsim.worlds.world import BadParameterError

SMALL = {"clients": 8, "threads": 6, "history": 3, "duration": 0.2, "rate": 300}
CLOSED = {"rate": None}


def mixed(world="model", **parameters):
    return asyncio.run(run(Mix(**{**SMALL, **parameters}), world, progress=False))


def words(result):
    return {each.name: each.verdict.word for each in result.variants}


@pytest.fixture(scope="module")
def result():
    return mixed(operations="creation=2,text=10,page=5,catchup=2", duration=0.1, warm_up=0.05, ramp=0.1, **CLOSED)


# --- what is a row


def test_a_row_is_a_kind_of_operation_and_one_is_all_together(result):
    rows = {row["operation"]: row for row in result.rows()}
    assert [*rows] == [*KINDS, "all"]
    assert {row["verdict"] for row in rows.values()} == {"safe"}
    alone = [row for name, row in rows.items() if name != "all"]
    for column in ("operations", "goodput_per_s", "failed"):
        assert rows["all"][column] == pytest.approx(sum(row[column] for row in alone))
    assert rows["all"]["statements_per_op"] > 1
    assert {row["statements_per_op"] for row in alone} == {None}, "what the database did was for all"


def test_the_kinds_are_as_frequent_as_their_weights():
    variants = mixed(operations="text=1,page=3", rate=2_000, duration=0.1).variants
    texts, pages, _ = (each["operations"] for each in variants)
    assert pages / texts == pytest.approx(3, rel=0.3)
    assert texts + pages == pytest.approx(200, rel=0.2)


def test_only_what_is_asked_for_is_done():
    result = mixed(operations={"text": 1})
    assert words(result) == {"look_first, text": "safe", "look_first, all": "safe"}


def test_each_strategy_is_run_alone():
    result = mixed(strategies="upsert,one_round_trip", operations="creation=1")
    assert [(each.key["strategy"], each.key["operation"]) for each in result.variants] == [
        (name, kind) for name in ("upsert", "one_round_trip") for kind in ("creation", "all")
    ]


# --- what is measured, and when


def test_what_is_due_in_the_warm_up_is_in_the_history_and_in_no_measure(result):
    for each in result.variants[:-1]:
        early = [step for step in each.operations if step.intended < 0.05]
        assert early
        assert each["operations"] == len(each.operations) - len(early)


def test_within_the_ramp_users_begin_one_after_the_other(result):
    begun = {}
    for each in result.variants:
        for step in each.operations:
            if step.kind != "creation":  # the other member of a pair has not begun by itself
                begun[step.client] = min(step.start, begun.get(step.client, 1.0))
    for client, start in begun.items():
        assert start >= client * 0.1 / 8 - 1e-9


def test_pauses_leave_each_user_fewer_requests():
    busy, pausing = (
        mixed(operations="page=1", think_time=pause, duration=0.05, **CLOSED).variants[-1]["operations"]
        for pause in (0, 50)
    )
    assert pausing < 2 * 8 < busy


def test_latencies_of_an_open_loop_count_from_when_a_request_was_due():
    (variant, _) = mixed(operations="page=1", clients=2, threads=1, rate=5_000, duration=0.1).variants
    assert variant["p50_ms"] > 10 * variant["service_p50_ms"], "more comes than can be answered"
    assert variant["operations"] == len(variant.operations) == pytest.approx(500, rel=0.2), "and all is carried out"
    assert variant["goodput_per_s"] < 3_000, "which is not all within the window"


def test_the_report_per_second_has_each_kind_in_each_second():
    result = mixed(duration=1.5, warm_up=0.5, ramp=1.0, rate=50, operations="creation=1,text=1,page=1,catchup=1")
    table = result.per_second()
    assert {*table["operation"]} == {*KINDS}
    assert {*table["second"]} >= {0, 1}
    assert table["ok"].sum() == len(result.samples)
    named = [each.get_text() for each in result.plot_per_second().legends[0].get_texts()]
    assert named[-2:] == ["warm-up, not measured", "end of the ramp"]


def test_users_far_away_wait_for_the_round_trip():
    (variant, _) = mixed(operations="page=1", rtt=40.0).variants
    assert 40 < variant["service_p50_ms"] < 45


# --- what is found


def test_a_strategy_that_gives_a_pair_two_threads_is_unsafe_and_all_else_is_not():
    result = mixed(strategies="unordered", schema="source", operations="creation=2,text=5,page=2")
    found = words(result)
    assert found["unordered, creation"] == found["unordered, all"] == "unsafe"
    assert {found[f"unordered, {kind}"] for kind in ("text", "page")} == {"safe"}
    both = result.variants[0].verdict.anomalies[0].steps
    assert len({step.client for step in both}) == 2, "both members of the pair asked at once"


def test_texts_that_a_node_takes_and_does_not_store_are_lost(monkeypatch):
    send = HardenedTexts.send

    async def forgets(self, tx, batch, *, friends):
        stored = await send(self, tx, batch, friends=friends)
        if (number := stored.texts[0].message_id) % 10 == 0:
            await tx.execute("DELETE FROM chat_message WHERE message_id = ?", (number,))
        return stored

    monkeypatch.setattr(HardenedTexts, "send", forgets)
    texts, catchups, everything = mixed(operations="text=10,catchup=5").variants
    assert texts.verdict.word == everything.verdict.word == "unsafe"
    assert {each.kind for each in texts.verdict.anomalies} == {"lost"}
    assert catchups.verdict.word == "errors", "a catch-up does not go on behind the gap"
    assert {each.kind for each in everything.verdict.anomalies} == {"lost", "stuck"}


def test_refused_creations_are_errors_with_their_kinds():
    variants = mixed(strategies="unordered", operations="creation=1").variants  # the hardened tables refuse one side
    creation, everything = variants
    assert creation.verdict.word == everything.verdict.word == "errors"
    refused = [step for step in creation.operations if step.outcome is Outcome.FAIL]
    assert creation["failed"] == len(refused) > 0
    assert creation["refusals"] == everything["refusals"] == {"other": len(refused)}


def test_readers_of_what_nobody_writes_test_nothing():
    assert {*words(mixed(operations="page=5,catchup=1")).values()} == {"not tested"}


def test_a_broken_strategy_ends_the_run():
    @creation_strategy()
    async def broken(tx, low, high):
        """It has a mistake."""
        raise ZeroDivisionError

    with pytest.raises(StrategyError, match="broken"):
        mixed(strategies=broken)


# --- what is refused


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"operations": "texts=1"}, "unknown 'texts' in operations; there are: creation, text, page, catchup"),
        ({"operations": "text=0"}, "the weight of text in operations is 0; leave text out, or raise it"),
        ({"operations": ""}, "operations is empty; name at least one of creation, text, page, catchup"),
        ({"threads": 29}, "threads is 29; 8 clients have only 28 pairs"),
        (
            {"threads": 3},
            "threads is 3; with 8 clients it must be at least 4, so that everybody has a chat to write into",
        ),
        ({"ramp": 1.0}, "ramp is 1, longer than warm_up and duration together (0.2 s)"),
        ({"think_time": 5.0, "rate": 10}, "think_time is 5.0, which does nothing here: only without a rate"),
        ({"clients": 1}, "clients is 1; it must be a whole number of at least 2"),
        ({"duration": 0}, "duration is 0; it must be a number from 0.001 to 86,400 seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(given, sentence):
    with pytest.raises(BadParameterError, match=rf"^{re.escape(sentence)}$"):
        Mix(**{**SMALL, **given})


def test_readers_need_no_chats():
    assert Mix(**{**SMALL, "threads": 0, "operations": "page=1,creation=1"}).threads == 0


# --- the command


def test_the_command_judges_by_strategy():
    options = ["--quiet", "--world", "model", "--clients", "8", "--threads", "6", "--duration", "0.02"]
    options += ["--operations", "creation=1,text=2", "--schema", "source", "--strategies", "unordered,one_round_trip"]
    safe = CliRunner().invoke(main, ["mix", *options, "--must-pass", "one_round_trip"])
    assert (safe.exit_code, safe.stderr) == (0, "")
    unsafe = CliRunner().invoke(main, ["mix", *options, "--must-pass", "unordered"])
    assert unsafe.exit_code == 1
    assert unsafe.stderr == "Not safe: unordered (creation; all)\n"


def test_a_deadlock_of_creations_is_explained_once():
    options = ["--quiet", "--world", "model", "--clients", "8", "--threads", "6", "--duration", "0.05"]
    done = CliRunner().invoke(main, ["mix", *options, "--operations", "creation=1", "--strategies", "for_update"])
    assert done.stdout.count("A deadlock of for_update") == 1
    assert "shows none of them" not in done.stdout


# --- both worlds


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["hardened", "source"])
async def test_on_a_real_server_nothing_is_lost_either(mysql_url, schema):
    given = {**SMALL, **CLOSED, "duration": 2.0, "warm_up": 0.5, "nodes": 2, "think_time": 5.0}
    result = await chatsim.mix(world="mysql", schema=schema, progress=False, **given)
    found = words(result)
    expected = dict.fromkeys(f"look_first, {kind}" for kind in (*KINDS, "all")) if schema == "hardened" else {}
    assert {found[name] for name in expected} <= {"safe"}
    assert found["look_first, text"] == "safe"
    assert Counter(step.outcome for each in result.variants for step in each.operations).keys() == {Outcome.OK}
