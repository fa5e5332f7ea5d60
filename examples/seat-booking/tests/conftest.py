"""What the tests share: the service's tables, and a small hall."""

from pathlib import Path

import pytest

MIGRATIONS = Path(__file__).parents[1] / "migrations"
HALL = """
INSERT INTO performance VALUES (1, 'The Tempest', 4);
INSERT INTO seat VALUES (1, 1, NULL), (1, 2, NULL), (1, 3, NULL), (1, 4, NULL);
"""


@pytest.fixture
def tables():
    """The migrations and the rows of a hall, for the assertions and for `world.apply`."""
    return [MIGRATIONS, HALL]
