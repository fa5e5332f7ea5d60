"""Many deadlocks, counted by the kind of their cycle."""

import pytest
from deadlock_texts import mysql_8_0

from chatsim.db.deadlock import Deadlock, Lock, LockKind, Participant
from chatsim.db.deadlock_kinds import Deadlocks, shape


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE t SET a = 1 WHERE id = 22", "UPDATE t SET a = ? WHERE id = ?"),
        ("UPDATE t SET a = 'it''s', b = \"x\"\n  WHERE id = -2.5e3;", "UPDATE t SET a = ?, b = ? WHERE id = ?"),
        ("SELECT * FROM t1 WHERE c2 IN (1, 2, 3)", "SELECT * FROM t1 WHERE c2 IN (?)"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (?)"),
        ("INSERT INTO t VALUES (1, NOW()), (2, NOW())", "INSERT INTO t VALUES (?, NOW()), (?, NOW())"),
        ("/* trace 7 */ DELETE FROM `t 1` # why\nWHERE b = 0xFF -- so", "DELETE FROM `t 1` WHERE b = ?"),
        ("", ""),
    ],
)
def test_the_shape_of_a_statement(statement, expected):
    assert shape(statement) == expected


def seat(key):
    return Lock("seat", "PRIMARY", "X", LockKind.RECORD, f"({key})")


def cycle(*rows, first=0, statement="UPDATE seat SET a = {} WHERE id = {}"):
    """Each holds one row and waits for the next one's."""
    rows = rows[first:] + rows[:first]
    return Deadlock(
        tuple(
            Participant(n, n, statement.format(n, wanted), (seat(held),), seat(wanted), 3)
            for n, (held, wanted) in enumerate(zip(rows, rows[1:] + rows[:1], strict=True), 1)
        ),
        1,
        "",
    )


def test_other_values_and_another_beginning_of_the_cycle_are_the_same_kind():
    found = Deadlocks([cycle(1, 2), cycle(30, 40), cycle(1, 2, first=1)])
    (kind,) = found.kinds()
    assert len(kind) == 3
    assert kind.shapes == ("UPDATE seat SET a = ? WHERE id = ?",)
    assert kind.example is found[2]


def test_two_statements_in_a_cycle_are_one_kind_from_whichever_it_begins():
    one = mysql_8_0()
    swapped = one.replace("(1)", "(x)").replace("(2)", "(1)").replace("(x)", "(2)")
    first, second = swapped.index("*** (2) T"), swapped.index("*** (1) T")
    end = swapped.index("*** WE ROLL")
    turned = swapped[:first] + swapped[second:end] + swapped[first:second] + swapped[end:]
    found = Deadlocks([Deadlock.read(one), Deadlock.read(turned)])
    assert [each.statement for each in found[0].participants] != [each.statement for each in found[1].participants]
    assert len(found.kinds()) == 1


def queue():
    """The same statements, but nobody holds anything."""
    statement = "UPDATE seat SET a = 1 WHERE id = 1"
    return Deadlock(tuple(Participant(n, n, statement, (), seat(1), 3) for n in (1, 2)), 1, "")


@pytest.mark.parametrize(
    "other",
    [
        cycle(1, 2, 3),
        cycle(1, 2, statement="DELETE FROM seat WHERE a = {} OR id = {}"),
        Deadlock(
            tuple(Participant(n, n, f"UPDATE seat SET a = {n} WHERE id = 1", (), seat(1), 3) for n in (1, 2)), 1, ""
        ),
    ],
    ids=["more transactions", "other statements", "other locks"],
)
def test_what_makes_another_kind(other):
    assert len(Deadlocks([cycle(1, 2), other]).kinds()) == 2


def test_the_most_frequent_kind_comes_first():
    found = Deadlocks([cycle(1, 2, 3), cycle(1, 2), cycle(4, 5)])
    assert [len(kind) for kind in found.kinds()] == [2, 1]
    assert [row["count"] for row in found.rows()] == [2, 1]
    assert found.rows()[0] == {
        "count": 2,
        "transactions": 2,
        "waits": "seat.PRIMARY",
        "statements": "UPDATE seat SET a = ? WHERE id = ?",
        "latest": "",
    }


def test_a_notebook_shows_the_kinds_or_the_only_deadlock():
    found = Deadlocks([cycle(1, 2, 3), cycle(1, 2), cycle(4, 5)])
    assert "<td>2</td>" in found._repr_html_()
    assert found[:1]._repr_html_() == found[0]._repr_html_()
    assert repr(found) == "<3 deadlocks of 2 kinds>"
    assert found[1:][0] is found[1]
