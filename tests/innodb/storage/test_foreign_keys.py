"""Foreign keys, as MySQL 9.7 keeps them: looked after before a row is written, each by a locking read of one index.

What is locked here was seen on a server.
"""

import pytest

from chatsim.conformance.model_player import play
from chatsim.conformance.schedule import AWAIT, Schedule, Step

RR, RC, SERIALIZABLE = "REPEATABLE READ", "READ COMMITTED", "SERIALIZABLE"
END = "supremum pseudo-record"

PARENT = "CREATE TABLE p (id INT PRIMARY KEY, u INT, v INT, UNIQUE KEY uu (u))"
CHILD = "CREATE TABLE c (id INT PRIMARY KEY, pid INT, v INT, KEY fk (pid), FOREIGN KEY (pid) REFERENCES p (id) {})"
ROWS = [
    "INSERT INTO p VALUES (1, 1, 1), (5, 5, 5), (9, 9, 9)",
    "INSERT INTO c VALUES (10, 1, 0), (20, 1, 0), (30, 5, 0)",
]

NODE = "CREATE TABLE s (id INT PRIMARY KEY, pid INT, KEY fk (pid), FOREIGN KEY (pid) REFERENCES s (id) {})"
NODES = "INSERT INTO s VALUES (1, NULL), (5, 1), (7, 5), (9, 9)"


def family(rule="", *more):
    """Parents 1, 5 and 9; 1 has the children 10 and 20, 5 has 30."""
    return [PARENT, CHILD.format(rule), *ROWS, *more]


def tree(rule=""):
    """5 below 1, 7 below 5, and 9, which is its own parent."""
    return [NODE.format(rule), NODES]


def shown(table, index, kind, mode, _, data):
    if kind == "TABLE":
        return f"{table} {mode}"
    if "GAP" not in mode:
        mode = f"next-key {mode}"
    return f"{table}.{index} {mode.removesuffix(',REC_NOT_GAP')} {data}"


class Played:
    """What came of a script: lines like ``a: BEGIN``, ``a`` the session."""

    def __init__(self, setup, script, isolation=RR, purge="eager"):
        lines = [line.split(": ", 1) for line in script]
        schedule = Schedule(
            id="test",
            isolation=isolation,
            purge=purge,
            lock_wait_timeout=2,
            setup=setup,
            sessions=sorted({session for session, _ in lines}),
            steps=[Step(n, session, sql) for n, (session, sql) in enumerate(lines, start=1)],
        )
        self.outcome = play(schedule)

    def locks(self, session="a", step=-1):
        """What a session has locked, or waits to lock: ``p IS``, ``p.uu X 5, 5``, ``p.uu next-key X 5, 5``."""
        return {shown(*lock) for owner, *lock in self.outcome.steps[step].locks if owner == session}

    def end(self, session="a", step=-1):
        """How a session's statement ended in a step: the rows affected, what it read, or the number of its error."""
        (end,) = [each for each in self.outcome.steps[step].completed if each.session == session]
        return {"ok": end.affected, "rows": end.rows, "error": end.errno}[end.result]

    def message(self, step=-1):
        (end,) = self.outcome.steps[step].completed
        return end.message

    def waiting(self, step=-1):
        return {session: each.by for session, each in self.outcome.steps[step].blocked.items()}

    def rows(self, table):
        return self.outcome.final[table].rows


def alone(setup, *statements, isolation=RR, purge="eager"):
    """One session's transaction."""
    return Played(setup, ["a: BEGIN", *(f"a: {sql}" for sql in statements)], isolation, purge)


both_levels = pytest.mark.parametrize("isolation", [RR, RC])


class TestAChildThatComes:
    @pytest.mark.parametrize("isolation", [RR, RC, SERIALIZABLE])
    def test_shares_its_parent(self, isolation):
        played = alone(family(), "INSERT INTO c VALUES (15, 5, 0)", isolation=isolation)
        assert played.end() == 1
        assert played.locks() == {"c IX", "p IS", "p.PRIMARY S 5"}

    def test_shares_but_the_index_entry_where_it_refers_to_another_key(self):
        setup = [
            PARENT,
            "CREATE TABLE c (id INT PRIMARY KEY, pid INT, KEY fk (pid), FOREIGN KEY (pid) REFERENCES p (u))",
            ROWS[0],
        ]
        played = alone(setup, "INSERT INTO c VALUES (15, 5)")
        assert played.locks() == {"c IX", "p IS", "p.uu S 5, 5"}

    def test_is_refused_without_a_parent_before_its_table_is_locked(self):
        played = alone(family(), "INSERT INTO c VALUES (15, 3, 0)")
        assert played.end() == 1452
        assert played.message() == (
            "Cannot add or update a child row: a foreign key constraint fails"
            " (`c`, CONSTRAINT `c_ibfk_1` FOREIGN KEY (`pid`) REFERENCES `p` (`id`))"
        )
        assert played.locks() == {"p IS", "p.PRIMARY S,GAP 5"}

    def test_leaves_no_gap_locked_at_read_committed(self):
        played = alone(family(), "INSERT INTO c VALUES (15, 3, 0)", isolation=RC)
        assert played.locks() == {"p IS"}

    def test_needs_no_parent_if_it_names_none(self):
        assert alone(family(), "INSERT INTO c VALUES (15, NULL, 0)").locks() == {"c IX"}

    def test_is_its_own_parent_if_it_wants(self):
        played = alone(tree(), "INSERT INTO s VALUES (20, 20)")
        assert played.end() == 1
        assert played.locks() == {"s IX"}

    def test_is_a_duplicate_only_if_it_has_a_parent(self):
        assert alone(family(), "INSERT INTO c VALUES (10, 6, 0)").end() == 1452
        played = alone(family(), "INSERT INTO c VALUES (10, 5, 0)")
        assert played.end() == 1062
        assert played.locks() == {"c IX", "c.PRIMARY S 10", "p IS", "p.PRIMARY S 5"}

    def test_uses_up_no_number_if_it_is_refused(self):
        setup = [
            "CREATE TABLE p (id INT PRIMARY KEY)",
            "CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, pid INT, FOREIGN KEY (pid) REFERENCES p (id))",
            "INSERT INTO p VALUES (1)",
        ]
        played = alone(setup, "INSERT INTO c (pid) VALUES (3)", "INSERT INTO c (pid) VALUES (1)", "COMMIT")
        assert played.rows("c") == [[1, 1]]

    @both_levels
    def test_waits_for_a_parent_that_is_not_committed(self, isolation):
        script = ["b: BEGIN", "b: INSERT INTO p VALUES (7, 7, 7)", "a: BEGIN", "a: INSERT INTO c VALUES (15, 7, 0)"]
        played = Played(family(), [*script, "b: COMMIT"], isolation)
        assert played.waiting(3) == {"a": ["b"]}
        assert played.locks(step=3) == {"p IS", "p.PRIMARY S 7"}
        assert played.end() == 1
        assert Played(family(), [*script, "b: ROLLBACK"], isolation).end() == 1452

    def test_finds_no_parent_in_one_that_is_deleted(self):
        script = ["b: DELETE FROM p WHERE id = 9", "a: BEGIN", "a: INSERT INTO c VALUES (15, 9, 0)"]
        played = Played(family(), script, purge="held")
        assert played.end() == 1452
        assert played.locks() == {"p IS", "p.PRIMARY S 9"}
        assert Played(family(), script, RC, purge="held").locks() == {"p IS"}

    def test_looks_for_its_parents_in_the_order_of_the_constraints_names(self):
        setup = [
            "CREATE TABLE p (id INT PRIMARY KEY)",
            "CREATE TABLE q (id INT PRIMARY KEY)",
            (
                "CREATE TABLE c (id INT PRIMARY KEY, pid INT, qid INT,"
                " CONSTRAINT zz FOREIGN KEY (pid) REFERENCES p (id), CONSTRAINT aa FOREIGN KEY (qid) REFERENCES q (id))"
            ),
        ]
        assert alone(setup, "INSERT INTO c VALUES (1, 1, 1)", isolation=RC).locks() == {"q IS"}

    def test_of_many_rows_one_without_a_parent_takes_back_those_before_it(self):
        played = alone(family(), "INSERT INTO c VALUES (15, 5, 0), (16, 6, 0), (17, 1, 0)")
        assert played.end() == 1452
        assert played.locks() == {
            *("c IX", "c.PRIMARY X,GAP 20", "c.fk X,GAP 5, 30"),
            *("p IS", "p.PRIMARY S 5", "p.PRIMARY S,GAP 9"),
        }

    def test_is_passed_over_by_insert_ignore(self):
        played = alone(family(), "INSERT IGNORE INTO c VALUES (15, 5, 0), (16, 6, 0), (17, 1, 0)", "COMMIT")
        (end,) = played.outcome.steps[1].completed
        assert (end.affected, end.warnings) == (2, [1452])
        assert [row[0] for row in played.rows("c")] == [10, 15, 17, 20, 30]


class TestAChildThatChanges:
    def test_shares_its_new_parent(self):
        played = alone(family(), "UPDATE c SET pid = 9 WHERE id = 10")
        assert played.locks() == {"c IX", "c.PRIMARY X 10", "p IS", "p.PRIMARY S 9"}

    def test_stays_as_it_is_without_one(self):
        played = alone(family(), "UPDATE c SET pid = 7 WHERE id = 10")
        assert played.end() == 1452
        assert played.locks() == {"c IX", "c.PRIMARY X 10", "p IS", "p.PRIMARY S,GAP 9"}

    @pytest.mark.parametrize("change", ["v = 7", "id = 11", "pid = NULL", "pid = 1"])
    def test_leaves_parents_alone_if_it_gets_no_other(self, change):
        assert alone(family(), f"UPDATE c SET {change} WHERE id = 10").locks() == {"c IX", "c.PRIMARY X 10"}

    def test_with_a_key_of_two_columns_needs_a_parent_once_both_are_there(self):
        setup = [
            "CREATE TABLE p (a INT, b INT, PRIMARY KEY (a, b))",
            "CREATE TABLE c (id INT PRIMARY KEY, x INT, y INT, FOREIGN KEY (x, y) REFERENCES p (a, b))",
            "INSERT INTO p VALUES (1, 1), (1, 5)",
            "INSERT INTO c VALUES (12, 1, NULL), (13, NULL, 5)",
        ]
        played = alone(setup, "UPDATE c SET x = 2 WHERE id = 12", "UPDATE c SET x = 1 WHERE id = 13")
        assert played.locks() == {"c IX", "c.PRIMARY X 12", "c.PRIMARY X 13", "p IS", "p.PRIMARY S 1, 5"}

    def test_by_an_upsert_shares_the_parent_it_came_with_too(self):
        played = alone(family(), "INSERT INTO c VALUES (10, 5, 6) ON DUPLICATE KEY UPDATE pid = 9")
        assert played.end() == 2
        assert played.locks() == {"c IX", "c.PRIMARY X 10", "p IS", "p.PRIMARY S 5", "p.PRIMARY S 9"}


class TestAParentWithChildren:
    @pytest.mark.parametrize("statement", ["DELETE FROM p WHERE id = 1", "UPDATE p SET id = 2 WHERE id = 1"])
    def test_stays_for_the_first_of_them(self, statement):
        played = alone(family(), statement)
        assert played.end() == 1451
        assert played.message() == (
            "Cannot delete or update a parent row: a foreign key constraint fails"
            " (`c`, CONSTRAINT `c_ibfk_1` FOREIGN KEY (`pid`) REFERENCES `p` (`id`))"
        )
        assert played.locks() == {"c IS", "c.fk next-key S 1, 10", "p IX", "p.PRIMARY X 1"}
        played = alone(family(), statement, isolation=RC)
        assert played.locks() == {"c IS", "c.fk S 1, 10", "p IX", "p.PRIMARY X 1"}

    def test_stays_even_if_its_new_key_is_a_duplicate(self):
        assert alone(family(), "UPDATE p SET id = 9 WHERE id = 5").end() == 1451

    def test_may_change_in_other_columns(self):
        assert alone(family(), "UPDATE p SET u = 6, v = 6 WHERE id = 5").locks() == {"p IX", "p.PRIMARY X 5"}

    def test_asks_its_children_before_its_own_parent(self):
        setup = [
            "CREATE TABLE g (id INT PRIMARY KEY)",
            "CREATE TABLE p (id INT PRIMARY KEY, gid INT, FOREIGN KEY (gid) REFERENCES g (id))",
            "CREATE TABLE c (id INT PRIMARY KEY, pid INT, KEY k (pid), FOREIGN KEY (pid) REFERENCES p (id))",
            "INSERT INTO g VALUES (1)",
            "INSERT INTO p VALUES (1, 1)",
            "INSERT INTO c VALUES (10, 1)",
        ]
        played = alone(setup, "UPDATE p SET id = 6, gid = 3 WHERE id = 1")
        assert played.end() == 1451
        assert played.locks() == {"c IS", "c.k next-key S 1, 10", "p IX", "p.PRIMARY X 1"}

    def test_waits_for_a_child_that_is_being_deleted(self):
        script = ["b: BEGIN", "b: DELETE FROM c WHERE id = 30", "a: BEGIN", "a: DELETE FROM p WHERE id = 5"]
        played = Played(family(), [*script, "b: COMMIT"], purge="held")
        assert played.waiting(3) == {"a": ["b"]}
        assert played.end() == 1
        assert played.locks() == {"c IS", "c.fk next-key S 5, 30", f"c.fk next-key S {END}", "p IX", "p.PRIMARY X 5"}

    def test_does_not_wait_for_who_has_locked_but_the_childs_row(self):
        script = ["b: BEGIN", "b: SELECT * FROM c WHERE id = 30 FOR UPDATE", "a: DELETE FROM p WHERE id = 5"]
        assert Played(family(), script).end() == 1451

    def test_may_be_replaced_by_one_with_the_same_key(self):
        played = alone(family(), "REPLACE INTO p VALUES (5, 6, 6)")
        assert played.end() == 2
        assert played.locks() == {"p IX", "p.PRIMARY X 5"}

    def test_may_not_be_replaced_by_one_with_another(self):
        played = alone(family("ON UPDATE CASCADE"), "REPLACE INTO p VALUES (6, 5, 6)")
        assert played.end() == 1451
        assert played.locks() == {
            *("c IS", "c.fk next-key S 5, 30"),
            *("p IX", "p.PRIMARY X 5", "p.PRIMARY X,GAP 9", "p.uu next-key X 5, 5"),
        }

    def test_is_kept_with_a_warning_by_an_upsert_that_ignores(self):
        played = alone(family(), "INSERT IGNORE INTO p VALUES (5, 5, 5) ON DUPLICATE KEY UPDATE id = 6")
        (end,) = played.outcome.steps[-1].completed
        assert (end.affected, end.warnings) == (0, [1451])

    def test_that_is_its_own_child_can_not_go(self):
        played = alone(tree(), "DELETE FROM s WHERE id = 9")
        assert played.end() == 1451
        assert played.locks() == {"s IX", "s.PRIMARY X 9", "s.fk next-key S 9, 9"}


class TestAParentWithoutChildren:
    def test_goes_and_keeps_the_place_of_its_children_locked(self):
        played = alone(family("", "INSERT INTO p VALUES (3, 3, 3)"), "DELETE FROM p WHERE id = 3")
        assert played.end() == 1
        assert played.locks() == {"c IS", "c.fk S,GAP 5, 30", "p IX", "p.PRIMARY X 3"}

    def test_locks_no_gap_at_read_committed(self):
        assert alone(family(), "DELETE FROM p WHERE id = 9", isolation=RC).locks() == {"c IS", "p IX", "p.PRIMARY X 9"}

    def test_keeps_other_parents_children_from_coming(self):
        script = ["a: BEGIN", "a: DELETE FROM p WHERE id = 9", "b: BEGIN", "b: INSERT INTO c VALUES (40, 5, 0)"]
        assert Played(family(), script).waiting() == {"b": ["a"]}
        assert Played(family(), script, RC).waiting() == {}

    def test_is_unlike_one_whose_last_child_one_has_deleted_oneself(self):
        played = alone(family(), "DELETE FROM c WHERE id = 30", "DELETE FROM p WHERE id = 5")
        assert played.end() == 1
        assert played.locks() == {
            *("c IX", "c.PRIMARY X 30", "c.fk X 5, 30", "c.fk S,GAP 5, 30", f"c.fk next-key S {END}"),
            *("p IX", "p.PRIMARY X 5"),
        }


class TestACascade:
    def test_takes_the_children_along(self):
        played = alone(family("ON DELETE CASCADE"), "DELETE FROM p WHERE id = 1", "COMMIT")
        assert played.end(step=1) == 1
        assert played.locks(step=1) == {
            *("c IX", "c.PRIMARY X 10", "c.PRIMARY X 20"),
            *("c.fk next-key X 1, 10", "c.fk next-key X 1, 20", "c.fk X,GAP 5, 30"),
            *("p IX", "p.PRIMARY X 1"),
        }
        assert played.rows("c") == [[30, 5, 0]]

    def test_locks_no_gaps_at_read_committed(self):
        played = alone(family("ON DELETE CASCADE"), "DELETE FROM p WHERE id = 1", isolation=RC)
        assert played.locks() == {
            *("c IX", "c.PRIMARY X 10", "c.PRIMARY X 20", "c.fk X 1, 10", "c.fk X 1, 20"),
            *("p IX", "p.PRIMARY X 1"),
        }

    def test_leaves_the_children_without_a_parent(self):
        played = alone(family("ON DELETE SET NULL"), "DELETE FROM p WHERE id = 1", "COMMIT")
        assert played.locks(step=1) == {
            *("c IX", "c.PRIMARY X 10", "c.PRIMARY X 20", "c.fk next-key X 1, 10", "c.fk next-key X 1, 20"),
            *("c.fk X,GAP NULL, 10", "c.fk X,GAP NULL, 20", "c.fk X,GAP 5, 30", "p IX", "p.PRIMARY X 1"),
        }
        assert played.rows("c") == [[10, None, 0], [20, None, 0], [30, 5, 0]]

    def test_gives_the_children_the_parents_new_key(self):
        played = alone(family("ON UPDATE CASCADE"), "UPDATE p SET id = 6 WHERE id = 5", "COMMIT", isolation=RC)
        assert played.locks(step=1) >= {"c IX", "c.PRIMARY X 30", "c.fk X 5, 30"}
        assert played.rows("c") == [[10, 1, 0], [20, 1, 0], [30, 6, 0]]

    def test_meets_at_its_end_what_it_has_moved_itself(self):
        played = alone(family("ON UPDATE CASCADE"), "UPDATE p SET id = 2 WHERE id = 1")
        assert {lock for lock in played.locks() if lock.startswith("c.fk")} == {
            *("c.fk next-key X 1, 10", "c.fk next-key X 1, 20", "c.fk X 2, 10", "c.fk X,GAP 2, 10"),
        }

    def test_comes_before_the_parents_own_duplicate_is_found(self):
        played = alone(family("ON UPDATE CASCADE"), "UPDATE p SET id = 9 WHERE id = 1", "COMMIT", isolation=RC)
        assert played.end(step=1) == 1062
        assert played.locks(step=1) == {
            *("c IX", "c.PRIMARY X 10", "c.PRIMARY X 20", "c.fk X 1, 10", "c.fk X 1, 20"),
            *("p IX", "p.PRIMARY X 1", "p.PRIMARY S 9"),
        }
        assert played.rows("c") == [[10, 1, 0], [20, 1, 0], [30, 5, 0]]

    def test_writes_a_child_before_it_looks_for_the_childs_children(self):
        setup = [
            "CREATE TABLE p (id INT PRIMARY KEY)",
            (
                "CREATE TABLE c (id INT PRIMARY KEY, v INT, KEY kv (v), FOREIGN KEY (id) REFERENCES p (id)"
                " ON UPDATE CASCADE)"
            ),
            "CREATE TABLE g (n INT PRIMARY KEY, id INT, KEY k (id), FOREIGN KEY (id) REFERENCES c (id))",
            "INSERT INTO p VALUES (1), (5)",
            "INSERT INTO c VALUES (1, 100), (5, 500)",
            "INSERT INTO g VALUES (10, 1)",
        ]
        played = alone(setup, "UPDATE p SET id = 3 WHERE id = 1")
        assert played.end() == 1451
        assert "c.PRIMARY X,GAP 5" in played.locks()  # where the row 3 was, until it was taken back

    def test_asks_a_childs_other_parents_before_its_children(self):
        setup = [
            "CREATE TABLE p (id INT PRIMARY KEY)",
            "CREATE TABLE q (id INT PRIMARY KEY)",
            (
                "CREATE TABLE c (n INT PRIMARY KEY, id INT, UNIQUE KEY k (id),"
                " CONSTRAINT a1 FOREIGN KEY (id) REFERENCES p (id) ON UPDATE CASCADE,"
                " CONSTRAINT a2 FOREIGN KEY (id) REFERENCES q (id))"
            ),
            "CREATE TABLE g (m INT PRIMARY KEY, id INT, KEY k (id), FOREIGN KEY (id) REFERENCES c (id))",
            "INSERT INTO p VALUES (1)",
            "INSERT INTO q VALUES (1)",
            "INSERT INTO c VALUES (10, 1)",
            "INSERT INTO g VALUES (100, 1)",
        ]
        played = alone(setup, "UPDATE p SET id = 4 WHERE id = 1", isolation=RC)
        assert played.end() == 1452
        assert played.locks() == {"c IX", "c.PRIMARY X 10", "c.k X 1, 10", "p IX", "p.PRIMARY X 1", "q IS"}

    def test_that_makes_a_duplicate_of_a_child_names_the_parents_new_key(self):
        setup = [
            "CREATE TABLE p (a INT, b INT, PRIMARY KEY (a, b))",
            (
                "CREATE TABLE c (n INT PRIMARY KEY, a INT, b INT, UNIQUE KEY u (b), KEY fk (a, b),"
                " FOREIGN KEY (a, b) REFERENCES p (a, b) ON UPDATE CASCADE)"
            ),
            "INSERT INTO p VALUES (1, 1), (2, 2)",
            "INSERT INTO c VALUES (10, 1, 1), (20, 2, 2)",
        ]
        played = alone(setup, "UPDATE p SET b = 2 WHERE a = 1")
        assert played.end() == 1761
        assert played.message() == (
            "Foreign key constraint for table 'p', record '1-2' would lead to a duplicate entry in table 'c', key 'u'"
        )

    def test_goes_through_the_constraints_in_the_order_in_which_they_were_made(self):
        setup = [
            "CREATE TABLE p (id INT PRIMARY KEY)",
            (
                "CREATE TABLE z (id INT PRIMARY KEY, pid INT, KEY k (pid), FOREIGN KEY (pid) REFERENCES p (id)"
                " ON DELETE CASCADE)"
            ),
            "CREATE TABLE c (id INT PRIMARY KEY, pid INT, KEY k (pid), FOREIGN KEY (pid) REFERENCES p (id))",
            "INSERT INTO p VALUES (1)",
            "INSERT INTO z VALUES (10, 1)",
            "INSERT INTO c VALUES (10, 1)",
        ]
        played = alone(setup, "DELETE FROM p WHERE id = 1", "SELECT * FROM z", isolation=RC)
        assert played.end(step=1) == 1451
        assert played.locks() == {
            *("c IS", "c.k S 1, 10", "p IX", "p.PRIMARY X 1"),
            *("z IX", "z.PRIMARY X 10", "z.k X 1, 10"),
        }
        assert played.end() == [[10, 1]]

    def test_goes_down_within_a_table(self):
        played = alone(tree("ON DELETE CASCADE"), "DELETE FROM s WHERE id = 1", "COMMIT")
        assert played.end(step=1) == 1
        assert played.locks(step=1) == {
            *("s IX", "s.PRIMARY X 1", "s.PRIMARY X 5", "s.PRIMARY X 7"),
            *("s.fk next-key X 1, 5", "s.fk next-key X 5, 7", "s.fk X,GAP 9, 9"),
        }
        assert played.rows("s") == [[9, 9]]

    def test_takes_a_row_that_is_its_own_child(self):
        played = alone(tree("ON DELETE CASCADE"), "DELETE FROM s WHERE id = 9", "COMMIT")
        assert played.end(step=1) == 1
        assert played.locks(step=1) == {"s IX", "s.PRIMARY X 9", "s.fk next-key X 9, 9", f"s.fk next-key X {END}"}
        assert played.rows("s") == [[1, None], [5, 1], [7, 5]]

    @pytest.mark.parametrize("rule", ["CASCADE", "SET NULL"])
    def test_of_a_new_key_stops_within_a_table(self, rule):
        played = alone(tree(f"ON UPDATE {rule}"), "UPDATE s SET id = 2 WHERE id = 1")
        assert played.end() == 1451
        assert played.locks() == {"s IX", "s.PRIMARY X 1", "s.PRIMARY X 5", "s.fk next-key X 1, 5"}

    @pytest.mark.parametrize(("rows", "end"), [(15, 1), (16, 3008)])
    def test_goes_down_fourteen_steps_and_no_more(self, rows, end):
        chain = [f"INSERT INTO s VALUES ({each}, {each - 1})" for each in range(2, rows + 1)]
        setup = [NODE.format("ON DELETE CASCADE"), "INSERT INTO s VALUES (1, NULL)", *chain]
        assert alone(setup, "DELETE FROM s WHERE id = 1").end() == end

    def test_is_what_replace_sets_off_if_the_key_changes(self):
        played = alone(family("ON DELETE CASCADE"), "REPLACE INTO p VALUES (6, 5, 6)", "COMMIT")
        assert played.end(step=1) == 2
        assert played.rows("c") == [[10, 1, 0], [20, 1, 0]]
        assert played.rows("p") == [[1, 1, 1], [6, 5, 6], [9, 9, 9]]


class TestACascadeThatWaits:
    LOCKED = ("b: BEGIN", "b: SELECT * FROM c WHERE id = 20 FOR UPDATE", "a: BEGIN")

    @both_levels
    def test_has_written_the_children_before_the_one_it_waits_for(self, isolation):
        script = [*self.LOCKED, "a: DELETE FROM p WHERE id = 1", "b: COMMIT", "a: COMMIT"]
        played = Played(family("ON DELETE CASCADE"), script, isolation)
        assert played.waiting(3) == {"a": ["b"]}
        assert {"c.PRIMARY X 10", "c.PRIMARY X 20", "p.PRIMARY X 1"} <= played.locks(step=3)
        assert played.end(step=4) == 1
        assert played.rows("c") == [[30, 5, 0]]

    def test_too_long_gives_up_without_an_error_and_keeps_what_it_has_done(self):
        script = [*self.LOCKED, "a: DELETE FROM p", f"a: {AWAIT}", "a: COMMIT"]
        played = Played(family("ON DELETE CASCADE"), script)
        assert played.end(step=4) == 2
        assert played.rows("p") == [[1, 1, 1]]
        assert played.rows("c") == [[20, 1, 0]]

    @pytest.mark.parametrize(
        "statement",
        ["REPLACE INTO p VALUES (2, 1, 1)", "INSERT INTO p VALUES (1, 1, 1) ON DUPLICATE KEY UPDATE id = 2"],
    )
    def test_too_long_leaves_the_row_that_was_to_be_replaced(self, statement):
        script = [*self.LOCKED, f"a: {statement}", f"a: {AWAIT}"]
        played = Played(family("ON DELETE CASCADE ON UPDATE CASCADE"), script)
        assert played.end() == 0
        assert played.rows("p") == [[1, 1, 1], [5, 5, 5], [9, 9, 9]]

    def test_too_long_for_a_childs_child_is_an_error(self):
        grandchild = "CREATE TABLE g (id INT PRIMARY KEY, cid INT, KEY gk (cid), FOREIGN KEY (cid) REFERENCES c (id))"
        script = [
            "b: BEGIN",
            "b: SELECT * FROM g WHERE cid = 20 FOR UPDATE",
            "a: BEGIN",
            "a: DELETE FROM p",
            f"a: {AWAIT}",
        ]
        setup = family("ON DELETE CASCADE", grandchild, "INSERT INTO g VALUES (7, 20)")
        assert Played(setup, script).end() == 1205

    def test_in_a_circle_is_a_deadlock_that_is_told(self):
        script = [
            *("b: BEGIN", "b: UPDATE c SET v = 9", "a: BEGIN", "a: DELETE FROM p WHERE id = 1"),
            "b: SELECT * FROM p WHERE id = 1 FOR UPDATE",
        ]
        assert Played(family("ON DELETE CASCADE"), script).end() == 1213


def test_two_children_that_share_a_parent_deadlock_when_both_delete_it():
    script = [
        *("a: BEGIN", "b: BEGIN", "a: INSERT INTO c VALUES (40, 9, 0)", "b: INSERT INTO c VALUES (41, 9, 0)"),
        *("a: DELETE FROM p WHERE id = 9", "b: DELETE FROM p WHERE id = 9"),
    ]
    played = Played(family(), script)
    assert played.waiting(4) == {"a": ["b"]}
    assert played.end("b") == 1213
    assert played.end("a") == 1451
