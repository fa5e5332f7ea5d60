"""Leaving orders out: what is asked has the same answers, also where a caller's end lets others go on."""

import pytest
from exploration.steps import problem

from chatsim.exploration.questions import ANSWERED, ENDS, NO_DEADLOCK
from chatsim.exploration.search import explore

TABLE = "CREATE TABLE t (n INT);\n"
TABLE_LOCKS = TABLE + "-- transaction a\nSELECT 1; LOCK TABLES t WRITE;"
NAMED_LOCKS = TABLE + "-- transaction a\nSELECT GET_LOCK('x', 5); SELECT 1;"
FAILED = TABLE + "-- transaction a\nINSERT INTO t SELECT n FROM missing;\n-- transaction b\nSELECT 1; TRUNCATE t;"
"""The failed statement keeps the definition of the table that there is, until its transaction ends."""


@pytest.mark.parametrize("switches", [{}, {"timeouts": 1}], ids=["plain", "timeouts"])
@pytest.mark.parametrize("text", [TABLE_LOCKS, NAMED_LOCKS, FAILED], ids=["tables", "names", "failed"])
def test_a_statement_concerns_others_if_its_session_holds_locks_that_its_end_releases(text, switches):
    what = problem(text, retries=0, **switches)
    whole, pruned = (explore(what, [ENDS, NO_DEADLOCK, ANSWERED], prunes=prunes) for prunes in (False, True))
    assert pruned.verdicts == whole.verdicts
    assert set(pruned.outcomes) == set(whole.outcomes)
