"""Several repetitions of a variant are one row: counts are added up, the rest is a mean, the verdict is the worst."""

import pytest

from chatsim.experiments.checks import Anomaly, Verdict, Word
from chatsim.experiments.history import Operation
from chatsim.experiments.variant import Variant, combined


def verdict(word, why="so", *anomalies):
    return Verdict(word, why, anomalies)


def run(seed=1, word=Word.SAFE, why="so", anomalies=(), **measures):
    operation = Operation(0, seed, "create", {}, 0.0, 0.0, 1.0)
    return Variant({"strategy": "mine"}, measures, verdict(word, why, *anomalies), [operation], 2.0, seed=seed)


def test_one_repetition_stays_as_it_is():
    one = run(p50_ms=3)
    assert combined([one], ()) is one
    assert one.runs == (one,)


def test_totals_are_added_up_and_other_numbers_have_their_mean():
    both = combined([run(lost=2, p50_ms=3.0, trips=4), run(lost=1, p50_ms=5.0, trips=4)], ("lost",))
    assert both.measures == {"lost": 3, "p50_ms": 4.0, "trips": 4}
    assert isinstance(both.measures["trips"], int)
    assert (both.numbers("p50_ms"), both.numbers("nothing")) == ([3.0, 5.0], [])


def test_counts_by_name_are_added_up_and_words_stay():
    both = combined(
        [run(refusals={"deadlock": 2}, plan="a"), run(refusals={"deadlock": 1, "duplicate": 1}, plan="a")], ()
    )
    assert both.measures == {"refusals": {"deadlock": 3, "duplicate": 1}, "plan": "a"}


def test_what_is_not_known_in_one_repetition_is_known_from_the_others():
    both = combined([run(p99_ms=None, p50_ms=None), run(p99_ms=8.0, p50_ms=None)], ())
    assert both.measures == {"p99_ms": 8.0, "p50_ms": None}


def test_the_history_and_the_windows_are_those_of_all():
    three = combined([run(1), run(2), run(3)], ())
    assert [each.round for each in three.operations] == [1, 2, 3]
    assert three.window_s == 6.0
    assert [each.seed for each in three.runs] == [1, 2, 3]


@pytest.mark.parametrize(
    ("words", "worst"),
    [
        ("safe safe", Word.SAFE),
        ("safe unsafe errors", Word.UNSAFE),
        ("errors safe", Word.ERRORS),
        ("not tested,safe", Word.SAFE),
        ("not tested,not tested", Word.NOT_TESTED),
        ("not tested,errors", Word.ERRORS),
    ],
)
def test_one_repetition_that_has_tested_something_is_enough_and_the_worst_of_them_decides(words, worst):
    several = words.split(",") if "," in words else words.split()
    assert combined([run(word=Word(each)) for each in several], ()).verdict.word is worst


def test_a_verdict_says_in_how_many_repetitions_and_with_which_seed_and_has_every_proof():
    lost = [Anomaly("lost", number, f"{number} is lost") for number in (7, 8)]
    three = combined(
        [run(4), run(5, Word.UNSAFE, "7 is lost", lost[:1]), run(6, Word.UNSAFE, "8 is lost", lost[1:])], ()
    )
    assert three.verdict.why == "2 of 3 repetitions, the first with seed 5: 7 is lost"
    assert three.verdict.anomalies == tuple(lost)


def test_repetitions_without_a_verdict_have_none_together():
    assert combined([Variant({}, {}), Variant({}, {})], ()).verdict is None
