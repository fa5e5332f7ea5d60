"""COLLATE in expressions: which collation it names, and whether an index of another one can be searched."""

import pytest
from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.innodb.sql.expressions.explicit_collation import (
    check_collation,
    explicit_type,
    is_collated_as,
    is_found_by_codes,
)
from chatsim.innodb.sql.parser import parse
from chatsim.innodb.storage.collations import collation_named
from chatsim.innodb.storage.column_types import Binary, Text


def expression(text):
    (statement,) = parse(f"SELECT {text}")
    return statement.expressions[0]


def collation_of(*texts):
    found = explicit_type(*map(expression, texts))
    return found and found.collation.name


def test_it_names_the_collation_of_what_it_stands_in():
    assert collation_of("a COLLATE utf8mb4_bin") == "utf8mb4_bin"
    assert collation_of("a", "LOWER(b COLLATE 'utf8mb4_general_ci')") == "utf8mb4_general_ci"


def test_a_comparison_or_a_plain_operand_has_none():
    assert collation_of("a", "'b'") is None
    assert collation_of("(a COLLATE utf8mb4_bin = 'b') + 1") is None


def test_two_different_ones_do_not_go_together():
    with pytest.raises(DatabaseError, match="Illegal mix"):
        collation_of("a COLLATE utf8mb4_bin", "b COLLATE utf8mb4_general_ci")


def test_an_unknown_one_is_an_error_and_one_that_the_model_does_not_have_is_refused():
    with pytest.raises(DatabaseError, match="Unknown collation: 'no_such'"):
        collation_of("a COLLATE no_such")
    with pytest.raises(NotImplementedError, match="utf8mb4_german2_ci"):
        collation_of("a COLLATE utf8mb4_german2_ci")


@pytest.mark.parametrize("kind", [Text(9, 9, collation_named("latin1")), Binary(9, 9)])
def test_it_belongs_to_the_character_set_of_what_it_stands_behind(kind):
    node = expression("a COLLATE utf8mb4_bin")
    assert isinstance(node, exp.Collate)
    check_collation(node, None)
    with pytest.raises(DatabaseError, match="is not valid for CHARACTER SET"):
        check_collation(node, kind)


def test_an_index_of_another_collation_is_searched_only_for_equal_codes():
    own, codes = Text(9, 9), explicit_type(expression("'a' COLLATE utf8mb4_bin"))
    assert not is_collated_as(own, codes)
    assert is_found_by_codes(codes, "=")
    assert not is_found_by_codes(codes, "<")
    assert not is_found_by_codes(explicit_type(expression("'a' COLLATE utf8mb4_general_ci")), "=")
