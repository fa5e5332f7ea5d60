"""What comes of a statement."""

import pytest

from chatsim.db.session import Rows


def test_a_scalar_is_the_first_column_of_the_first_row():
    assert Rows([(7, 8), (9, 10)]).scalar() == 7
    assert Rows([("7",)]).scalar() == 7


@pytest.mark.parametrize("rows", [(), [(None, 1)]])
def test_a_scalar_of_nothing_or_null_is_none(rows):
    assert Rows(rows).scalar() is None
