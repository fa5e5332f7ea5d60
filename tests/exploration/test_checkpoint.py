"""Going on from a checkpoint: everything is as if all steps before had been taken again."""

from random import Random

import pytest
from exploration import books
from exploration.steps import problem

from chatsim.conformance.transactions import parse
from chatsim.exploration import checkpoint
from chatsim.exploration.choices import Choice, Switches
from chatsim.exploration.execution import Execution
from chatsim.exploration.problem import Server
from chatsim.exploration.questions import ENDS, NO_DEADLOCK
from chatsim.exploration.search import explore

BOOKS = ("TRANSFERS", "COUNTER", "LAST_SEAT", "MISSING_ROW", "FAMILY", "QUEUE")
EVERYTHING = Switches(deaths=1, losses=1, timeouts=1)

NAMED = """
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT, KEY n (n DESC)) PARTITION BY HASH (id) PARTITIONS 2;
INSERT INTO t (n) VALUES (1), (NULL);
-- transaction a
SELECT GET_LOCK('x', 5);
SET @n = (SELECT COUNT(*) FROM t);
INSERT INTO t (n) VALUES (@n), (RAND() * 10);
SAVEPOINT s;
UPDATE t SET n = NULL WHERE n = 1;
ROLLBACK TO SAVEPOINT s;
PREPARE p FROM 'DELETE FROM t WHERE n = ?';
EXECUTE p USING @n;
DO RELEASE_LOCK('x');
"""
"""What a server and its sessions may know besides rows and their locks."""


def run_another(execution, chance):
    """Take choices until there are none, so that the server is no more as it was."""
    while choices := execution.choices:
        execution.take(chance.choice(choices))
    execution.close()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("text", [*(getattr(books, name) for name in BOOKS), NAMED], ids=[*BOOKS, "NAMED"])
def test_what_follows_is_the_same(text, seed):
    what = parse(text).problem(copies=2 if text is NAMED else None, switches=EVERYTHING)
    server, chance = Server(what), Random(seed)
    execution = Execution(what, server)
    path, digests, checkpoints = [], [execution.digest()], [execution.checkpoint()]
    while choices := execution.choices:
        path.append(chance.choice(choices))
        execution.take(path[-1], digests[-1][1])
        digests.append(execution.digest())
        checkpoints.append(execution.checkpoint())
    ended, steps = execution.ended, execution.steps
    execution.close()
    assert sum(each is not None for each in checkpoints) > 3
    for at in chance.sample([at for at, each in enumerate(checkpoints) if each is not None], 4):
        run_another(Execution(what, server), Random(seed + 1))
        again = Execution(what, server, checkpoints[at])
        assert again.steps == steps[:at]
        assert again.digest() == digests[at]
        for number, choice in enumerate(path[at:], at):
            assert choice in again.choices
            again.take(choice, digests[number][1])
            assert again.digest() == digests[number + 1]
        assert [(each.value, each.outcome) for each in again.ended] == [(each.value, each.outcome) for each in ended]
        again.close()


def test_there_is_none_while_a_statement_waits():
    what = problem("CREATE TABLE t (n INT);\n-- transaction a\nSELECT GET_LOCK('x', 5); SELECT 1;", copies=2)
    execution = Execution(what)
    for caller in (0, 1, 0, 1):  # BEGIN, and the lock that the second one waits for
        assert execution.checkpoint() is not None
        execution.take(Choice("go", caller))
    assert execution.checkpoint() is None
    execution.close()


@pytest.mark.parametrize(
    "statement", ["CREATE TEMPORARY TABLE u (n INT)", "ALTER TABLE t ADD m INT"], ids=["temporary", "changed"]
)
def test_there_is_none_once_tables_are_defined(statement):
    execution = Execution(problem(f"CREATE TABLE t (n INT);\n-- transaction a\n{statement};\nSELECT 1;"))
    assert execution.checkpoint() is not None
    for _ in range(2):  # BEGIN, and the statement
        execution.take(execution.choices[0])
    assert execution.checkpoint() is None
    execution.close()


UNCHANGED = {
    "Engine": {
        *("_clock", "_purges", "_purging", "autoinc_lock_mode", "_durability", "process"),
        *("tables", "views", "find", "prepared"),  # by definitions only
        *("on_deadlock", "after_record"),  # set by each execution
    },
    "Table": {
        *("name", "columns", "indexes", "parents", "orphaned", "children", "checks", "hidden", "altered"),
        *("expressions", "partitioning", "triggers", "temporary", "transactional", "declared", "numbers", "auto"),
        *("has_singles", "generated", "arrays", "statistics", "locks"),
    },
    "Index": {"definition", "_columns", "_key_parts", "_plain", "home", "is_shared", "size_of"},
    "Statistics": set(),
    "TableLocks": {"table"},
}
"""Of the objects that stay, the attributes that only definitions of tables change."""


def test_every_attribute_of_what_stays_is_either_kept_or_known_to_stay():
    engine = Server(parse(NAMED).problem(switches=EVERYTHING)).start()
    places = [engine, *checkpoint._places(engine)]
    assert {type(each) for each in places} == set(checkpoint._CHANGED)
    for place in places:
        assert set(vars(place)) == {*checkpoint._CHANGED[type(place)], *UNCHANGED[type(place).__name__]}


def test_a_search_takes_few_steps_again(monkeypatch):
    taken = []
    take = Execution.take
    monkeypatch.setattr(Execution, "take", lambda self, *choice: (taken.append(choice), take(self, *choice))[1])
    found = explore(parse(books.COUNTER).problem(copies=3, switches=Switches()), [ENDS, NO_DEADLOCK])
    assert len(taken) < 4 * found.states
