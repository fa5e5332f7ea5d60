"""A plugin for pytest: databases for tests, and assertions whose failure shows, in text, what goes wrong.

Where chatsim is installed, pytest has it (the entry point is named ``chatsim``). It costs nothing until it is used.

Fixtures:

- `mysql`: a schema of the test's own on a real MySQL, dropped afterwards
- `model`: the same in the model of InnoDB
- `world`: the same where the test is marked to run: ``@pytest.mark.worlds("model", "mysql")`` runs it in both
- `cluster`: a running chat system on such a schema
- `mysql_url`: the server of `mysql`, for the whole session: the one that ``--chatsim-mysql-url`` or CHATSIM_MYSQL_URL
  names, or else the first that can be had

Assertions, for ordinary and for async tests (they are plain functions, so there is no ``await`` to forget):

- `assert_no_deadlock`, `assert_serializable`: of transactions of anybody's, in every order that their locks allow
- `assert_safe`: of a strategy that creates private chats, in a race
- `assert_no_message_lost`: of a kind of cursor, or of a protocol to catch up
- `assert_cost`: of what was measured, as counts

An assertion fails also if nothing was tested, and says so. Wrong use is an error that names the culprit.
"""

from __future__ import annotations

from chatsim.pytest.assertions import (
    assert_cost,
    assert_no_deadlock,
    assert_no_message_lost,
    assert_safe,
    assert_serializable,
)
from chatsim.pytest.fixtures import cluster, model, mysql, mysql_url, world
from chatsim.pytest.hooks import pytest_addoption, pytest_configure, pytest_generate_tests, pytest_unconfigure

__all__ = [
    "assert_cost",
    "assert_no_deadlock",
    "assert_no_message_lost",
    "assert_safe",
    "assert_serializable",
    "cluster",
    "model",
    "mysql",
    "mysql_url",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_unconfigure",
    "world",
]
