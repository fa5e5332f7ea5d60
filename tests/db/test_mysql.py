"""MySQL's numbers: each gives an error of the class of its kind."""

import pytest

from chatsim.db import errors
from chatsim.db.errors import DatabaseError, Kind
from chatsim.db.mysql import database_error, kind_of

NUMBERS = [
    (1062, "DuplicateKeyError", Kind.DUPLICATE_KEY),
    (1205, "LockWaitTimeoutError", Kind.LOCK_TIMEOUT),
    (1213, "DeadlockError", Kind.DEADLOCK),
    (2003, "ConnectionLostError", Kind.CONNECTION_LOST),
    (2006, "ConnectionLostError", Kind.CONNECTION_LOST),
    (2013, "ConnectionLostError", Kind.CONNECTION_LOST),
    (3572, "LockNotAvailableError", Kind.LOCK_NOT_AVAILABLE),
    (1054, "WrongStatementError", Kind.WRONG_STATEMENT),
    (1064, "WrongStatementError", Kind.WRONG_STATEMENT),
    (1146, "WrongStatementError", Kind.WRONG_STATEMENT),
    (1452, "DatabaseError", Kind.OTHER),  # a foreign key: another session may have deleted the row
]


@pytest.mark.parametrize(("errno", "name", "kind"), NUMBERS)
def test_the_number_picks_the_class_and_the_kind(errno, name, kind):
    error = database_error(errno, "as the server said")
    assert type(error) is getattr(errors, name)
    assert isinstance(error, DatabaseError)
    assert (error.errno, error.kind, error.message) == (errno, kind, "as the server said")
    assert kind_of(errno) is kind


def test_no_number_means_nothing_in_particular():
    assert kind_of(None) is Kind.OTHER
