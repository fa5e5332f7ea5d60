"""GROUPING: the bits of the arguments by which a group of ROLLUP is not grouped."""

from chatsim.innodb.sql.executor.group_levels import grouping_values


def test_a_group_of_all_expressions_has_no_bit():
    assert grouping_values({7: [0, 1]}, 2) == {7: 0}


def test_the_first_argument_is_the_highest_bit():
    assert grouping_values({7: [0, 1], 8: [1, 0]}, 1) == {7: 0b01, 8: 0b10}


def test_of_the_whole_result_all_bits_are_set():
    assert grouping_values({7: [0, 1]}, 0) == {7: 0b11}
