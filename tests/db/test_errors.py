"""Errors have kinds; the engine's number stands beside it."""

import pytest

from chatsim.db import errors
from chatsim.db.errors import DatabaseError, DeadlockError, DuplicateKeyError, Kind, WrongStatementError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DeadlockError(1213, "try again"), "1213 (deadlock): try again"),
        (DatabaseError(1452, "no parent"), "1452: no parent"),
        (WrongStatementError(1064, "no SQL"), "1064: no SQL"),
        (DuplicateKeyError(None, "the pair is gone"), "duplicate key: the pair is gone"),
    ],
)
def test_an_error_says_number_kind_and_message(error, text):
    assert str(error) == text


def test_no_two_classes_have_the_same_kind():
    kinds = [getattr(errors, name).kind for name in errors.__all__ if name.endswith("Error")]
    assert len(kinds) == len(set(kinds))
    assert set(kinds) == {*Kind} - {Kind.NODE_LOST}, "a lost node is known to callers alone"
