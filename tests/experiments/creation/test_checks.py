"""The checks find what must not be, name the operations that prove it, and find nothing in what is right."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.db.errors import Kind
from chatsim.experiments.checks import Word
from chatsim.experiments.creation.checks import TWO_THREADS, PrivateChats, check_creation, pair_of
from chatsim.experiments.history import Operation, Outcome

OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN


def asked(uid, other, thread=None, *, at=0.0, client=0, outcome=OK, refusals=(), reason=""):
    return Operation(
        client=client,
        round=0,
        kind="create",
        asked={"uid": uid, "other": other},
        intended=at,
        start=at,
        end=at + 0.01,
        outcome=outcome,
        attempts=1 + len(refusals),
        refusals=refusals,
        value={} if thread is None else {"thread": thread},
        reason=reason,
    )


def check(history, *rows, orphans=0):
    return check_creation(history, PrivateChats(rows, orphans))


# --- by hand


def test_one_thread_that_all_got_is_safe():
    verdict = check([asked(1, 2, 7), asked(2, 1, 7, client=1), asked(3, 4, 8)], (7, 1, 2), (8, 3, 4))
    assert verdict.word is Word.SAFE
    assert verdict.why == "3 operations on 2 pairs: one thread each, and all got it"
    assert verdict.anomalies == ()
    assert verdict.explain() == f"safe: {verdict.why}"


def test_the_order_in_which_a_pair_is_stored_does_not_matter():
    assert check([asked(1, 2, 7), asked(2, 1, 7, client=1)], (7, 2, 1)).word is Word.SAFE


def test_an_orphan_is_counted_but_is_no_anomaly():
    assert check([asked(1, 2, 7), asked(2, 1, 7, client=1)], (7, 1, 2), orphans=3).word is Word.SAFE


def test_operations_that_were_not_carried_out_are_errors():
    verdict = check_creation([asked(10, 20, 7)], PrivateChats([(7, 10, 20)], orphans=0), asked=3)
    assert (verdict.word, verdict.why) == (Word.ERRORS, "2 of 3 operations have not been carried out")


def test_two_threads_for_one_pair():
    later, first = asked(2, 1, 8, at=0.2, client=1), asked(1, 2, 7, at=0.1)
    again = asked(1, 2, 7, at=0.3, client=2)
    verdict = check([later, first, again], (8, 2, 1), (7, 1, 2))
    assert verdict.word is Word.UNSAFE
    assert verdict.count(TWO_THREADS) == 1
    (anomaly,) = verdict.anomalies
    assert (anomaly.kind, anomaly.subject) == ("two threads", (1, 2))
    assert verdict.why == anomaly.sentence == "the pair (1, 2) has 2 threads: 7, 8"
    assert anomaly.steps == (first, later), "the first that got each"


def test_two_threads_of_which_only_one_was_given_out():
    verdict = check([asked(1, 2, 7)], (7, 1, 2), (8, 2, 1))
    assert verdict.word is Word.UNSAFE
    assert verdict.anomalies[0].steps == (asked(1, 2, 7),)


def test_a_thread_that_is_not_the_pairs():
    right, wrong = asked(1, 2, 7), asked(2, 1, 8, client=1)
    verdict = check([right, wrong], (7, 1, 2))
    (anomaly,) = verdict.anomalies
    assert (verdict.word, anomaly.kind, anomaly.subject) == (Word.UNSAFE, "wrong thread", (1, 2))
    assert anomaly.steps == (wrong,)
    assert anomaly.sentence == "the pair (1, 2) has thread 7, but callers were given 8"
    assert verdict.count(TWO_THREADS) == 0


def test_a_thread_of_another_pair_is_wrong():
    verdict = check([asked(1, 2, 7), asked(3, 4, 7)], (7, 1, 2), (8, 3, 4))
    assert [(each.kind, each.subject) for each in verdict.anomalies] == [("wrong thread", (3, 4))]


def test_a_private_chat_whose_thread_is_not_in_chat_thread_is_unsafe():
    steps = [asked(1, 2, 7), asked(2, 1, 7, at=1)]
    verdict = check_creation(steps, PrivateChats([(7, 1, 2)], 0, dangling=frozenset({7})))
    (anomaly,) = verdict.anomalies
    assert (verdict.word, anomaly.kind, anomaly.steps) == (Word.UNSAFE, "no such thread", tuple(steps))
    assert anomaly.sentence == "the pair (1, 2) has thread 7, which chat_thread has not"


@pytest.mark.parametrize(("at", "word"), [(0.0, "safe"), (0.009, "safe"), (0.01, "not tested"), (1.0, "not tested")])
def test_without_two_operations_on_one_pair_that_overlap_nothing_is_tested(at, word):
    verdict = check([asked(1, 2, 7), asked(2, 1, 7, at=at, client=1), asked(3, 4, 8)], (7, 1, 2), (8, 3, 4))
    assert verdict.word.value == word
    assert ("ask for the pattern same_pair, more clients or more rounds" in verdict.why) is (word == "not tested")


def test_a_pair_that_was_acknowledged_and_is_gone():
    step = asked(2, 1, 7)
    verdict = check([step], (8, 3, 4))
    (anomaly,) = verdict.anomalies
    assert (verdict.word, anomaly.kind, anomaly.subject) == (Word.UNSAFE, "lost pair", (1, 2))
    assert anomaly.steps == (step,)
    assert anomaly.sentence == "the pair (1, 2) has no thread, though a caller was given one"


def test_refused_callers_are_errors_by_their_cause():
    history = [
        asked(1, 2, 7),
        asked(3, 4, outcome=FAIL, refusals=(Kind.DUPLICATE_KEY, Kind.DEADLOCK), reason="1213 (deadlock): found"),
        asked(5, 6, outcome=FAIL, refusals=(Kind.DEADLOCK,), reason="1213 (deadlock): found"),
        asked(7, 8, outcome=FAIL, refusals=(Kind.OTHER,), reason="1064: You have an error in your SQL syntax"),
        asked(9, 10, outcome=FAIL, refusals=(Kind.DEADLOCK,), reason="lock timeout: chat:9:10 was held for 5 s"),
    ]
    verdict = check(history, (7, 1, 2))
    assert verdict.word is Word.ERRORS
    assert verdict.why == (
        "4 of 5 callers got no thread: 2 by 1213 (deadlock), 1 by 1064, 1 by lock timeout; for one, "
        "client 0, round 0: create uid 3, other 4 at 0.0000 s, fail at 0.0100 s after duplicate key, deadlock "
        "(1213 (deadlock): found)"
    )
    assert verdict.anomalies == ()


def test_an_anomaly_counts_more_than_a_refusal():
    history = [asked(1, 2, 7), asked(3, 4, outcome=FAIL, refusals=(Kind.DEADLOCK,))]
    assert check(history).word is Word.UNSAFE


@pytest.mark.parametrize("rows", [[], [(7, 1, 2)]], ids=["did not happen", "happened"])
def test_an_unknown_outcome_is_allowed_either_way(rows):
    verdict = check([asked(1, 2, outcome=UNKNOWN, refusals=(Kind.CONNECTION_LOST,))], *rows)
    assert verdict.word is Word.ERRORS
    assert verdict.anomalies == ()


def test_an_unknown_outcome_does_not_excuse_a_second_thread():
    history = [asked(1, 2, 7), asked(2, 1, outcome=UNKNOWN, refusals=(Kind.CONNECTION_LOST,))]
    assert check(history, (7, 1, 2)).word is Word.ERRORS
    assert check(history, (7, 1, 2), (8, 2, 1)).word is Word.UNSAFE


def test_nobody_is_given_the_blame_for_a_second_thread_that_nobody_got():
    verdict = check([asked(1, 2, outcome=UNKNOWN, refusals=(Kind.CONNECTION_LOST,))], (7, 1, 2), (8, 2, 1))
    assert verdict.word is Word.UNSAFE
    assert verdict.anomalies[0].steps == ()


def test_the_explanation_names_the_operations():
    history = [asked(1, 2, 7, at=0.1), asked(2, 1, 8, at=0.2, client=5, refusals=(Kind.DEADLOCK, Kind.DUPLICATE_KEY))]
    assert set(check(history, (7, 1, 2), (8, 2, 1)).explain().splitlines()) == {
        "unsafe: the pair (1, 2) has 2 threads: 7, 8",
        "the pair (1, 2) has 2 threads: 7, 8",
        "  client 0, round 0: create uid 1, other 2 at 0.1000 s, thread 7 at 0.1100 s",
        "  client 5, round 0: create uid 2, other 1 at 0.2000 s, thread 8 at 0.2100 s after deadlock, duplicate key",
    }


def test_the_proof_is_in_the_order_of_the_starts():
    history = [asked(2, 1, 8, at=0.2), asked(1, 2, 7, at=0.1), asked(1, 2, 9, at=0.3)]
    (anomaly,) = check(history, (7, 1, 2), (8, 2, 1), (9, 1, 2)).anomalies
    assert [step.start for step in anomaly.steps] == [0.1, 0.2, 0.3]


def test_more_anomalies_than_one_are_counted():
    verdict = check([asked(1, 2, 7), asked(3, 4, 8), asked(5, 6, 9)])
    assert verdict.why == "the pair (1, 2) has no thread, though a caller was given one (and 2 more)"
    assert len(verdict.anomalies) == 3
    assert verdict.explain().count("has no thread") == 4


def test_a_pair_has_the_smaller_id_first():
    assert pair_of(asked(20, 10)) == pair_of(asked(10, 20)) == (10, 20)


def test_rows_of_pairs_that_nobody_asked_for_do_not_matter():
    history = [asked(1, 2, 7), asked(2, 1, 7, client=1)]
    assert check(history, (7, 1, 2), (8, 3, 4), (9, 4, 3)).word is Word.SAFE


# --- whatever a correct system does is safe, and no defect planted in it is missed

calls = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 6)).filter(lambda pair: pair[0] != pair[1]), min_size=1, max_size=40
)


def sequential(pairs):
    """The history and the rows of a system that is asked by all at once, and does it right."""
    threads = {}
    history = []
    for turn, (uid, other) in enumerate(pairs):
        thread = threads.setdefault((min(uid, other), max(uid, other)), 100 + len(threads))
        history.append(asked(uid, other, thread, at=turn * 0.0001, client=turn))
    return history, [(thread, *pair) for pair, thread in threads.items()]


def blames(verdict, kind, pair):
    """Whether exactly this is what it says, and says it of the pair."""
    (anomaly,) = verdict.anomalies
    return (verdict.word, anomaly.kind, anomaly.subject) == (Word.UNSAFE, kind, pair) and f"{pair}" in verdict.why


@given(calls, st.randoms(use_true_random=False))
def test_a_correct_system_is_safe_in_whatever_order_it_is_recorded(pairs, random):
    history, rows = sequential(pairs)
    random.shuffle(history)
    random.shuffle(rows)
    verdict = check(history, *rows)
    assert verdict.word is (Word.SAFE if len(rows) < len(history) else Word.NOT_TESTED)
    assert verdict.count(TWO_THREADS) == 0


@given(calls, st.data())
def test_a_correct_system_that_refuses_some_has_errors_and_no_anomaly(pairs, data):
    history, rows = sequential(pairs)
    at = data.draw(st.integers(0, len(history) - 1))
    outcome = data.draw(st.sampled_from([FAIL, UNKNOWN]))
    refused = dataclasses.replace(history[at], outcome=outcome, value={}, refusals=(Kind.CONNECTION_LOST,))
    only_one = [pair_of(refused) == pair_of(each) for each in history].count(True) == 1
    if only_one and data.draw(st.booleans()):
        rows = [row for row in rows if row[1:] != pair_of(refused)]  # it did not take effect
    verdict = check([*history[:at], refused, *history[at + 1 :]], *rows)
    assert verdict.word is Word.ERRORS
    assert verdict.anomalies == ()


@given(calls, st.data())
def test_a_second_thread_is_never_missed(pairs, data):
    history, rows = sequential(pairs)
    _, low, high = data.draw(st.sampled_from(rows))
    verdict = check(history, *rows, (999, *data.draw(st.permutations([low, high]))))
    assert blames(verdict, "two threads", (low, high))
    assert verdict.count(TWO_THREADS) == 1


@given(calls, st.data())
def test_a_wrong_thread_is_never_missed(pairs, data):
    history, rows = sequential(pairs)
    at = data.draw(st.integers(0, len(history) - 1))
    right = history[at].value["thread"]
    other_ids = [row[0] for row in rows if row[0] != right]
    wrong = dataclasses.replace(history[at], value={"thread": data.draw(st.sampled_from([999, *other_ids]))})
    verdict = check([*history[:at], wrong, *history[at + 1 :]], *rows)
    assert blames(verdict, "wrong thread", pair_of(wrong))
    assert verdict.anomalies[0].steps == (wrong,)


@given(calls, st.data())
def test_a_lost_pair_is_never_missed(pairs, data):
    history, rows = sequential(pairs)
    lost = data.draw(st.sampled_from(rows))
    verdict = check(history, *(row for row in rows if row != lost))
    assert blames(verdict, "lost pair", lost[1:])
    assert verdict.anomalies[0].steps == tuple(each for each in history if pair_of(each) == lost[1:])
