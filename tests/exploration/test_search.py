"""All interleavings of small problems: their number, what can happen in them, and the shortest that goes wrong."""

from math import factorial, prod
from random import Random

import pytest
from exploration import books
from exploration.books import explored, verdicts

from chatsim.conformance.transactions import parse
from chatsim.exploration.choices import Switches
from chatsim.exploration.execution import Execution
from chatsim.exploration.problem import Server
from chatsim.exploration.questions import ENDS, NO_DEADLOCK
from chatsim.exploration.search import explore
from chatsim.exploration.verdict import Bound

APART = """
CREATE TABLE a (n INT); CREATE TABLE b (n INT); CREATE TABLE c (n INT);
-- transaction one
INSERT INTO a VALUES (1);
-- transaction two
INSERT INTO b VALUES (1); INSERT INTO b VALUES (2);
-- transaction three
INSERT INTO c VALUES (1);
"""
"""Transactions that never meet: with BEGIN and COMMIT they have three, four and three statements."""

BOOKS = {name: text for name, text in vars(books).items() if isinstance(text, str) and "-- transaction" in text}


def multinomial(*counts):
    return factorial(sum(counts)) // prod(map(factorial, counts))


def test_where_locks_never_conflict_there_are_as_many_interleavings_as_orders_of_the_statements():
    assert explored(APART).interleavings == multinomial(3, 4, 3)


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("name", BOOKS)
def test_merged_states_give_the_same_counts_and_verdicts_as_every_interleaving_alone(name, isolation):
    merged = explored(BOOKS[name], isolation, retries=1)
    alone = explored(BOOKS[name], isolation, retries=1, merges=False)
    assert merged.interleavings == alone.interleavings == alone.ends
    assert merged.verdicts == alone.verdicts
    assert set(merged.outcomes) == set(alone.outcomes)
    assert set(merged.deadlocks) == set(alone.deadlocks)
    assert (merged.longest, merged.retries) == (alone.longest, alone.retries)
    assert merged.states < alone.states


def test_three_callers_that_are_alike_are_merged_whoever_is_where():
    text = books.ACCOUNTS + "-- transaction pay\nUPDATE account SET balance = balance - 1 WHERE id = 1;"
    merged = explored(text, copies=3)
    alone = explored(text, copies=3, merges=False)
    assert merged.interleavings == alone.interleavings == alone.ends
    assert merged.verdicts == alone.verdicts
    assert set(merged.outcomes) == set(alone.outcomes)
    assert merged.states < alone.states / 6


@pytest.mark.parametrize(
    ("name", "isolation", "wrong"),
    [
        ("TRANSFERS", "READ COMMITTED", {"deadlock"}),
        ("TRANSFERS", "REPEATABLE READ", {"deadlock"}),
        ("SORTED_TRANSFERS", "READ COMMITTED", set()),
        ("SORTED_TRANSFERS", "REPEATABLE READ", set()),
        ("COUNTER", "READ COMMITTED", {"serializable", "nothing is lost"}),
        ("COUNTER", "REPEATABLE READ", {"serializable", "nothing is lost"}),
        ("COUNTER", "SERIALIZABLE", {"deadlock"}),
        ("LOCKED_COUNTER", "READ COMMITTED", set()),
        ("LOCKED_COUNTER", "REPEATABLE READ", set()),
        ("MISSING_ROW", "READ COMMITTED", {"refusal"}),
        ("MISSING_ROW", "REPEATABLE READ", {"deadlock", "refusal"}),
        ("LAST_SEAT", "READ COMMITTED", {"serializable", "the seat is sold once"}),
        ("LAST_SEAT", "REPEATABLE READ", {"serializable", "the seat is sold once"}),
        ("LAST_SEAT", "SERIALIZABLE", {"deadlock"}),
        ("QUEUE", "READ COMMITTED", set()),
        ("QUEUE", "REPEATABLE READ", set()),
        ("FAMILY", "READ COMMITTED", {"deadlock"}),
        ("FAMILY", "REPEATABLE READ", {"deadlock"}),
    ],
)
def test_textbook_cases(name, isolation, wrong):
    assert verdicts(explored(BOOKS[name], isolation)) == wrong


def test_the_shortest_deadlock_of_two_transfers_has_two_statements_of_each_after_their_begins():
    found = explored(books.TRANSFERS)
    (finding,) = found.findings
    steps = finding.interleaving.steps
    assert finding.question == "deadlock"
    assert len(steps) == 6
    assert [bool(each.deadlocks) for each in steps] == [False] * 5 + [True]
    assert list(found.deadlocks) == ["X record of account.PRIMARY; X record of account.PRIMARY"]


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("name", BOOKS)
def test_orders_that_are_left_out_change_no_verdict_and_no_outcome(name, isolation):
    whole = explored(BOOKS[name], isolation, retries=1)
    pruned = explored(BOOKS[name], isolation, retries=1, prunes=True)
    assert pruned.verdicts == whole.verdicts
    assert set(pruned.outcomes) == set(whole.outcomes)
    assert set(pruned.deadlocks) == set(whole.deadlocks)
    assert (pruned.ends, pruned.retries) == (whole.ends, whole.retries)
    assert pruned.states < whole.states
    shortest = [
        {each.question: len(each.interleaving.steps) for each in found.findings if each.question == "deadlock"}
        for found in (whole, pruned)
    ]
    assert shortest[0] == shortest[1]


def met(problem, server, choose):
    """The choices that are taken, and the digests of the states that are met."""
    execution = Execution(problem, server)
    path, digests = [], [execution.digest()]
    while (choice := choose(execution.choices, len(path))) is not None:
        execution.take(choice, digests[-1][1])
        path.append(choice)
        digests.append(execution.digest())
    execution.close()
    return path, digests


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["TRANSFERS", "LAST_SEAT", "FAMILY", "QUEUE"])
def test_choices_that_are_taken_again_lead_through_the_same_states(name, seed):
    problem = parse(BOOKS[name]).problem(switches=Switches(deaths=1, losses=1, timeouts=1))
    server, chance = Server(problem), Random(seed)
    path, digests = met(problem, server, lambda choices, _: chance.choice(choices) if choices else None)
    for one in (server, Server(problem)):
        again = met(problem, one, lambda _, at: path[at] if at < len(path) else None)
        assert again == (path, digests)


@pytest.mark.parametrize("name", ["OPPOSITE_SCANS", "OPPOSITE_INSERTS"])
def test_a_deadlock_within_statements_is_found_only_where_they_can_be_overtaken(name):
    assert "deadlock" not in verdicts(explored(BOOKS[name]))
    found = explored(BOOKS[name], inside=True)
    assert "deadlock" in verdicts(found)
    kinds = next(each for each in found.findings if each.question == "deadlock").interleaving.choices
    assert [each.kind for each in kinds] == ["go", "go", "go", "go", "on", "on"]


@pytest.mark.parametrize("name", ["OPPOSITE_SCANS", "OPPOSITE_INSERTS", "MISSING_ROW", "QUEUE"])
def test_within_statements_too_merged_states_give_what_every_interleaving_gives(name):
    merged = explored(BOOKS[name], retries=1, inside=True)
    alone = explored(BOOKS[name], retries=1, inside=True, merges=False)
    assert merged.interleavings == alone.interleavings
    assert merged.verdicts == alone.verdicts
    assert set(merged.outcomes) == set(alone.outcomes)


def test_a_search_that_reaches_its_bound_is_inconclusive_and_keeps_what_it_has_found():
    problem = parse(books.TRANSFERS).problem(switches=Switches())
    few = explore(problem, [ENDS, NO_DEADLOCK], bound=Bound(states=5))
    assert not few.whole
    assert few.interleavings is None
    assert few.verdict("stuck") == "inconclusive"
    some = explore(problem, [NO_DEADLOCK], bound=Bound(states=30))
    assert (some.whole, some.verdict("deadlock")) == (False, "counterexample")


def test_an_interrupt_ends_a_search_with_what_it_has():
    def interrupt(seen, left):
        if seen > 10:
            raise KeyboardInterrupt

    found = explore(parse(books.TRANSFERS).problem(switches=Switches()), [ENDS], progress=interrupt)
    assert (found.interrupted, found.whole) == (True, False)
    assert 10 < found.states < 42
