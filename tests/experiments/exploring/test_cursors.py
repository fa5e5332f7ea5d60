"""Kinds of cursor in every order of writers and a reader: which of them can skip something that is new."""

from dataclasses import replace

import pytest

from chatsim.conformance import model_player
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.exploring.exploring import Exploring, explore
from chatsim.worlds.world import BadParameterError


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "watermark")) for name in CURSORS]
)
def test_no_kind_skips_a_message_of_two_writers_but_the_sources(name):
    explored = explore(f"cursor:{name}", prune=True)
    assert explored.found.whole
    wrong = {question for question, proof in explored.found.verdicts.items() if proof != "proved"}
    assert wrong == ({"skipped"} if name == "message_id" else set())


def test_a_message_is_skipped_when_the_one_after_it_is_committed_and_read_first():
    example = explore("cursor:message_id").counterexamples["skipped"]
    assert example.steps == 8
    played = model_player.play(example.schedule)
    reads = [each.rows for step in played.steps for each in step.completed if each.session == "reader"]
    assert [[2]] in reads, "the second message is read, and the cursor passes the first"


def test_one_writer_loses_nothing_whatever_the_cursor():
    assert explore("cursor:message_id", callers=1).proved


NUMBERED_BY_USER = {"user_log", "user_version"}
REREADS = {"overlap"}
"""It has the last hundred messages again each time, with what has become of them."""


@pytest.mark.parametrize("name", CURSORS)
@pytest.mark.parametrize(("news", "reported_by"), [("threads", set()), ("changes", REREADS)])
def test_only_kinds_that_number_what_concerns_a_user_report_new_threads_and_changes(name, news, reported_by):
    explored = explore(f"cursor:{name}", looks=1, news=news, prune=True)
    assert explored.found.whole
    wrong = {question for question, proof in explored.found.verdicts.items() if proof != "proved"}
    assert wrong == (set() if name in NUMBERED_BY_USER | reported_by else {"skipped"})


@pytest.mark.parametrize("news", ["threads", "changes"])
def test_a_number_that_is_read_before_a_smaller_one_is_committed_hides_that_one(news):
    async def by_id(tx, thread, users, message):
        entry = "INSERT INTO user_log (user_id, n, thread_id, message_id) VALUES (?, ?, ?, ?)"
        await tx.execute(entry, (users[0], message or thread, thread, message))

    kind = replace(CURSORS["user_log"], name="by_id", tell=by_id)
    found = explore(kind, looks=1, news=news, ask=("skipped",), prune=True).found
    assert found.verdict("skipped") == "counterexample"


@pytest.mark.parametrize(
    ("what", "how", "sentence"),
    [
        ("cursor:mine", {}, "unknown kind of cursor 'mine'; there are: message_id, overlap"),
        ("cursor:all", {}, "one kind of cursor is explored at a time, not 7"),
        ("cursor:message_id", {"looks": 0}, "looks is 0; it must be at least 1"),
        ("cursor:message_id", {"news": "x"}, "news is 'x'; it can be: messages, threads, changes"),
        (
            "cursor:message_id",
            {"isolation": "READ COMMITTED"},
            "the isolation level of the cursor message_id is its own",
        ),
        ("cursor:message_id", {"ask": ["orphans"]}, "ask names 'orphans'; there are: stuck, deadlock, skipped"),
    ],
)
def test_wrong_values_name_culprit_and_choices(what, how, sentence):
    with pytest.raises(BadParameterError, match=sentence):
        explore(what, **how)


def test_a_kind_of_ones_own_is_explored_as_well():
    assert Exploring(callers=1, looks=1).cursor(CURSORS["thread_sequence"]).proved
