"""A walk says what was skipped, shown again or out of order, of what was there all the time."""

from hypothesis import given
from hypothesis import strategies as st

from chatsim.experiments.history import Operation
from chatsim.experiments.paging.walks import Walk

LIST = [1, 2, 3, 4, 5, 6]


def verdict(pages, *, ended=True, **changes):
    found = walked(pages, ended=ended, **changes).verdict()
    return found.word.value, found.why


def walked(pages, *, ended=True, **changes):
    history = [
        Operation(0, turn, "page", {}, turn, turn, turn + 0.5, value={"entries": [*page]})
        for turn, page in enumerate(pages)
    ]
    return Walk("message", LIST, history, ended=ended, **{"changes": 1, "others": {7, 9}} | changes)


def test_each_once_and_in_order_is_safe():
    assert verdict([(1, 2, 3), (4, 5, 6)]) == ("safe", "2 pages: each of 6 once, in order")


def test_what_has_come_meanwhile_may_be_shown_or_not():
    assert verdict([(1, 7, 2), (3, 4), (5, 6, 9)])[0] == "safe"


def test_what_has_never_been_in_the_list_is_forged():
    assert verdict([(1, 2, 8), (3, 4, 5, 6, 8)]) == (
        "unsafe",
        "1 shown again, message 8 the first (on page 1 and 2) (and 1 more)",
    )
    assert verdict([(1, 2, 8), (3, 4, 5, 6)]) == (
        "unsafe",
        "1 shown that are not in this list, message 8 the first (on page 1)",
    )


def test_a_list_that_nobody_has_changed_tests_nothing():
    assert verdict([(1, 2, 3), (4, 5, 6)], changes=0) == (
        "not tested",
        "2 pages: each of 6 once, in order, but nobody changed the list meanwhile; ask for other writers",
    )
    assert verdict([(1, 2, 3), (5, 6)], changes=0)[0] == "unsafe"


def test_what_has_gone_meanwhile_may_be_shown_or_not():
    assert verdict([(1, 2, 3), (5, 6)], gone={4, 5})[0] == "safe"


def test_what_was_there_all_the_time_and_was_not_shown_is_skipped():
    assert verdict([(1, 2, 3), (5, 6)]) == ("unsafe", "1 of 6 skipped, message 4 the first")


def test_what_was_shown_twice_is_named_with_its_pages():
    assert verdict([(1, 2, 3), (3, 4), (3, 5, 6)]) == (
        "unsafe",
        "1 shown again, message 3 the first (on page 1 and 2 and 3)",
    )


def test_what_comes_behind_what_belongs_behind_it_is_out_of_order():
    assert verdict([(1, 3, 2), (4, 5, 6)]) == ("unsafe", "1 out of order, message 2 the first (on page 1)")


def test_what_has_moved_meanwhile_has_no_place():
    assert verdict([(1, 3), (4, 5, 6, 2)], moved={2})[0] == "safe"


def test_each_thing_that_is_wrong_is_an_anomaly_with_the_pages_that_prove_it():
    found = walked([(1, 2, 4), (3, 4), (5,)]).verdict()
    assert found.why == "1 of 6 skipped, message 6 the first (and 2 more)"
    assert [(each.kind, each.subject, [page.round for page in each.steps]) for each in found.anomalies] == [
        ("skipped", 6, []),
        ("repeated", 4, [0, 1]),
        ("disordered", 3, [1]),
    ]


def test_a_strategy_that_always_has_more_is_unsafe():
    assert verdict([(1, 2)] * 30, ended=False) == ("unsafe", "after 30 pages of a list of 6 there was still more")


@given(st.permutations(LIST), st.integers(1, 6))
def test_only_the_one_order_is_in_order(order, size):
    pages = [order[at : at + size] for at in range(0, len(order), size)]
    assert (verdict(pages)[0] == "safe") == (order == LIST)


@given(st.lists(st.sampled_from(LIST), max_size=12), st.sets(st.sampled_from(LIST)))
def test_the_counts_are_those_of_the_naive_definitions(shown, gone):
    walk = walked([shown], gone=gone)
    assert set(walk.skipped) == set(LIST) - set(shown) - gone
    assert set(walk.repeated) == {each for each in shown if shown.count(each) > 1}
    firsts = list(dict.fromkeys(shown))
    late = [each for at, each in enumerate(firsts) if any(before > each for before in firsts[:at])]
    assert walk.disordered == late
