"""Checks compose: a verdict is made of a history and what the checks have found, and lists are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.experiments.checks import Anomaly, Word, disordered, judge, missing, repeated, unexpected
from chatsim.experiments.history import Operation, Outcome


def operation(outcome=Outcome.OK, reason=""):
    return Operation(0, 0, "read", {"thread": 5}, 0.0, 0.0, 0.1, outcome, reason=reason)


def judged(history, anomalies=()):
    return judge(history, anomalies, safe="all is well", refused="reads were refused")


def test_if_all_went_well_and_nothing_is_wrong_it_is_safe():
    verdict = judged([operation()])
    assert (verdict.word, verdict.why, verdict.anomalies) == (Word.SAFE, "all is well", ())
    assert verdict.explain() == "safe: all is well"


def test_who_was_refused_is_counted_by_cause_the_most_frequent_first():
    history = [
        operation(),
        operation(Outcome.FAIL, "late: 5 s"),
        operation(Outcome.UNKNOWN, "gone: away"),
        operation(Outcome.FAIL, "gone: away"),
    ]
    verdict = judged(history)
    assert verdict.word is Word.ERRORS
    assert verdict.why == f"3 of 4 reads were refused: 2 by gone, 1 by late; for one, {history[1]}"


def test_an_anomaly_counts_more_than_a_refusal_and_the_others_are_counted():
    step = operation()
    wrong = [Anomaly("lost", 7, "7 is lost", (step,)), Anomaly("lost", 8, "8 is lost"), Anomaly("new", 9, "9 is new")]
    verdict = judged([operation(Outcome.FAIL, "late")], iter(wrong))
    assert (verdict.word, verdict.why, verdict.anomalies) == (Word.UNSAFE, "7 is lost (and 2 more)", tuple(wrong))
    assert [verdict.count(kind) for kind in ("lost", "new", "doubled")] == [2, 1, 0]
    assert verdict.explain().splitlines() == [
        "unsafe: 7 is lost (and 2 more)",
        "7 is lost",
        f"  {step}",
        "8 is lost",
        "9 is new",
    ]


def test_an_explanation_has_the_first_three_anomalies():
    verdict = judged([], [Anomaly("lost", at, f"{at} is lost") for at in range(5)])
    assert verdict.explain().splitlines()[1:] == ["0 is lost", "1 is lost", "2 is lost"]


@pytest.mark.parametrize(("worse", "better"), [("unsafe", "errors"), ("errors", "safe"), ("unsafe", "safe")])
def test_words_have_an_order(worse, better):
    assert Word(worse).is_worse_than(Word(better))
    assert not Word(better).is_worse_than(Word(worse))
    assert not Word(worse).is_worse_than(Word(worse))


# --- lists


def test_what_is_missing_unexpected_or_repeated():
    assert missing([3, 1, 2], [2, 2, 9]) == [3, 1]
    assert unexpected([3, 1, 2], [2, 9, 8, 9]) == [9, 8]
    assert repeated([2, 9, 2, 9, 2, 1]) == [2, 9]


def test_what_was_first_seen_behind_what_belongs_behind_it_is_out_of_order():
    assert disordered([1, 2, 3, 4], [1, 3, 2, 4]) == [2]
    assert disordered([1, 2, 3], [1, 2, 1, 3]) == [], "what is seen again was seen in its place"
    assert disordered([1, 2, 3], [9, 1, 8, 3]) == [], "what is not expected has no place"


@given(st.permutations(range(5)))
def test_only_one_order_is_in_order(seen):
    assert (disordered(range(5), seen) == []) == (seen == [*range(5)])
    assert missing(range(5), seen) == unexpected(range(5), seen) == repeated(seen) == []
