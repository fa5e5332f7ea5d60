"""The users of a mixed load and their chats: by rule, and nobody is left out."""

import pytest

from chatsim.experiments.mix.population import Population, pairs_of


@pytest.mark.parametrize("users", range(2, 12))
def test_all_pairs_come_once_the_first_of_them_with_everybody(users):
    pairs = list(pairs_of(users))
    assert {low < high for low, high in pairs} == {True}
    assert len({*pairs}) == len(pairs) == users * (users - 1) // 2
    assert {uid for pair in pairs[: -(-users // 2)] for uid in pair} == {*range(1, users + 1)}


def test_each_member_knows_a_chat_with_the_other():
    population = Population(users=4, threads=3, history=2)
    assert population.pairs == [(1, 2), (3, 4), (2, 3)]
    assert population.chats == {1: [(1, 2)], 2: [(1, 1), (3, 3)], 3: [(2, 4), (3, 2)], 4: [(2, 3)]}
    population.note(7, 4, 1)
    population.note(7, 1, 4)
    assert (population.chats[1], population.chats[4]) == ([(1, 2), (7, 4)], [(2, 3), (7, 1)])


def test_messages_are_numbered_turn_by_turn():
    population = Population(users=4, threads=3, history=2)
    assert [population.message_ids(thread) for thread in (1, 2, 3)] == [[1, 4], [2, 5], [3, 6]]
    assert population.message_ids(4) == [], "a chat that came later"
    assert population.messages == 6
