"""Which texts are equal, and their order, in each collation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.innodb.storage.collations import CONNECTION, DEFAULT, collation_named

ORDER = ["a", "A", "á", "a_1", "a1", "_z", "z", "{"]


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("utf8mb4_0900_ai_ci", ["_z", "{", "a", "A", "á", "a_1", "a1", "z"]),
        ("utf8mb4_0900_as_cs", ["_z", "{", "a", "A", "á", "a_1", "a1", "z"]),
        ("utf8mb4_unicode_ci", ["_z", "{", "a", "A", "á", "a_1", "a1", "z"]),
        ("utf8mb4_general_ci", ["a", "A", "á", "a1", "a_1", "z", "_z", "{"]),
        ("utf8mb4_bin", ["A", "_z", "a", "a1", "a_1", "z", "{", "á"]),
    ],
)
def test_texts_are_ordered_as_the_server_orders_them(name, order):
    assert sorted(ORDER, key=collation_named(name).order) == order


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("utf8mb4_0900_ai_ci", {"A", "á"}),
        ("utf8mb4_0900_as_ci", {"A"}),
        ("utf8mb4_0900_as_cs", set()),
        ("utf8mb4_0900_bin", set()),
        ("utf8mb4_bin", {"a  "}),
        ("utf8mb4_general_ci", {"A", "á", "a  "}),
        ("latin1_swedish_ci", {"A", "á", "a  "}),
        ("ascii_bin", {"a  "}),
    ],
)
def test_a_collation_says_which_texts_equal_another_one(name, same):
    collation = collation_named(name)
    assert {each for each in ("A", "á", "a  ", "b") if collation.order(each) == collation.order("a")} == same


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("utf8mb4", "utf8mb4_0900_ai_ci"),
        ("UTF8", "utf8mb3_general_ci"),
        ("utf8_bin", "utf8mb3_bin"),
        ("latin1", "latin1_swedish_ci"),
        ("ascii", "ascii_general_ci"),
        ("binary", "binary"),
    ],
)
def test_a_character_set_has_a_collation_of_its_own(asked, name):
    assert collation_named(asked).name == name


@pytest.mark.parametrize("name", ["utf8mb4_tr_0900_ai_ci", "koi8r", "utf8mb4_xx_ci", "latin1_0900_bin", ""])
def test_a_collation_that_the_model_has_not_is_none(name):
    assert collation_named(name) is None


def test_tables_and_connections_have_collations_of_their_own():
    assert DEFAULT.name == "utf8mb4_0900_ai_ci"
    assert CONNECTION.order("a ") == CONNECTION.order("A")
    assert DEFAULT.order("a ") != DEFAULT.order("a")


@given(st.text(max_size=6))
def test_a_sort_key_does_not_change_with_the_case_of_ascii(text):
    lower = text.encode("ascii", "ignore").decode()
    assert DEFAULT.order(lower.lower()) == DEFAULT.order(lower.upper())
