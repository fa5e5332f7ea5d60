"""Sessions that hold a lock in a statement's way: they force on a server what happens only inside statements."""

import pytest
from exploration import books

from chatsim.conformance.gates import GATE, gates
from chatsim.conformance.replay import replays
from chatsim.conformance.transactions import parse
from chatsim.experiments.exploring.exploring import Exploring
from chatsim.exploration.choices import Switches
from chatsim.worlds.mysql.settings import Servers


def inside(text):
    return Exploring(inside=True, ask=("deadlock",)).transactions(parse(text), "inside").counterexamples["deadlock"]


def test_a_gate_locks_one_record_of_one_index_and_goes():
    problem = parse(books.OPPOSITE_SCANS).problem(switches=Switches())
    found = [*gates(problem)]
    assert {each.name for each in found} == {GATE}
    assert len(found) == 2 * 3 * 2, "of two rows in three indexes, to share and to change"


def test_an_index_of_parts_of_values_and_values_without_literals_are_left_out():
    tables = "CREATE TABLE t (d DATE, s VARCHAR(9), KEY d (d), KEY s (s(2))); INSERT INTO t VALUES ('2026-01-01', 'a');"
    assert not [*gates(parse(f"{tables}\n-- transaction a\nDELETE FROM t;").problem(switches=Switches()))]


def test_a_deadlock_inside_statements_has_a_schedule_with_a_gate():
    example = inside(books.OPPOSITE_SCANS)
    assert example.inside
    assert example.why == "the session gate holds a lock in a statement's way"
    assert [each.session for each in example.schedule.steps if each.session == GATE] == [GATE] * 3
    ((deadlock,),) = example.played().deadlocks.values()
    assert {each.session for each in deadlock.participants} == {"up", "down"}


def test_where_no_lock_stops_a_statement_in_the_right_place_it_is_said():
    example = inside(books.OPPOSITE_INSERTS)
    assert example.inside
    assert example.schedule is None
    assert "no lock was found whose holder would stop it there" in example.why


@pytest.mark.slow
def test_a_server_deadlocks_inside_its_statements_behind_the_gate(mysql_url):
    schedule = inside(books.OPPOSITE_SCANS).schedule
    (comparison,) = replays([schedule], Servers(mysql_url=mysql_url))
    assert comparison.agrees, comparison.differences
