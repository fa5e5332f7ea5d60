"""The graph of states: how many ways lead to an end, how long they are, how far it is to something wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.exploration.graph import Graph


def graph(*lines, wrong=(), wrong_steps=()):
    """States with one letter each, from lines such as ``ab``; a state that nothing follows is an end."""
    made = Graph()
    names = list(dict.fromkeys("".join(lines)))
    for name in names:
        made.add(name.encode())
    for one, other in lines:
        made.connect(one.encode(), other.encode(), ["bad"] if one + other in wrong_steps else [])
    for name in names:
        if not made.states[name.encode()].following:
            made.end(name.encode(), ["bad"] if name in wrong else [])
    return made


DIAMOND = ("ab", "ac", "bd", "cd", "de")


def test_ways_are_counted_from_the_beginning_to_all_ends():
    assert graph(*DIAMOND).paths() == 2
    assert graph("ab", "ac", "bd", "cd", "de", "df").paths() == 4
    assert graph(*DIAMOND).ends == 1


def test_two_choices_that_lead_to_the_same_state_are_two_ways():
    assert graph("ab", "ab").paths() == 2


def test_the_longest_way_is_not_that_of_whoever_comes_first():
    assert graph("ad", "ab", "bc", "cd", "de").longest() == 4


def test_a_graph_without_states_has_no_way():
    assert (Graph().paths(), Graph().longest(), Graph().has_circles()) == (0, 0, False)


def test_circles_are_seen_and_nothing_is_counted_then():
    circle = graph("ab", "bc", "cb", "cd")
    assert circle.has_circles()
    assert not graph(*DIAMOND).has_circles()
    for count in (circle.paths, circle.longest):
        with pytest.raises(AssertionError):
            count()


def test_distances_are_the_fewest_steps_to_a_wrong_end():
    found = graph("ab", "bc", "cd", "ae", "ed", "ef", wrong="d")
    assert found.distances("bad") == {b"d": 0, b"c": 1, b"e": 1, b"b": 2, b"a": 2}
    assert found.distances("other") == {}


def test_a_wrong_step_counts_as_the_step_that_it_is_even_if_its_state_is_met_otherwise_too():
    found = graph("ab", "ac", "bd", "cd", wrong_steps=["cd"])
    assert found.distances("bad") == {b"c": 1, b"a": 2}
    assert found.is_faulty_step(b"c", b"d", "bad")
    assert not found.is_faulty_step(b"b", b"d", "bad")
    assert found.faulty("bad") == [b"c"]


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1]), min_size=1))
def test_ways_and_their_length_are_those_that_one_by_one_are_found(edges):
    letters = "abcdefgh"
    first = min(one for one, _ in edges)
    lines = sorted(letters[one] + letters[other] for one, other in edges)
    made = graph(*lines)
    following = {letters[at]: [other for one, other in lines if one == letters[at]] for at in range(8)}

    def ways(name):
        return [[name, *rest] for other in following[name] for rest in ways(other)] or [[name]]

    every = ways(letters[first])
    assert made.paths() == len(every)
    assert made.longest() == max(map(len, every)) - 1
