"""A table as the rest of the model sees it: its columns by name, its indexes in order, where a row is in each."""

from datetime import datetime
from types import SimpleNamespace

import pytest

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.storage.values import NULL
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0


def tables(*statements):
    """The tables that are there after these statements, by name."""

    async def main():
        engine = Engine(lambda: NOW, purges=False)
        session = EngineSession(engine)
        for each in statements:
            await session.run(each)
        return engine.tables

    return run(main())


def table(declaration, *statements):
    return tables(f"CREATE TABLE t ({declaration})", *statements)["t"]


def records(index):
    found, record = [], index.supremum.following
    while not record.is_supremum:
        found.append(record)
        record = record.following
    return found


def index_named(made, name):
    return next(each for each in made.indexes if each.definition.name == name)


# --- columns


def test_columns_are_found_by_their_names_in_lower_case():
    made = table("Id INT PRIMARY KEY, userName VARCHAR(9)")
    assert [each.name for each in made.columns] == ["Id", "userName"]
    assert made.numbers == {"id": 0, "username": 1}


def test_a_column_may_be_null_and_is_then_null_unless_something_is_said():
    made = table("id INT PRIMARY KEY, a INT, b INT NOT NULL, c INT NOT NULL DEFAULT 3, d INT DEFAULT 4")
    said = [(each.name, each.nullable, each.has_default, each.default) for each in made.columns]
    assert said == [
        ("id", False, False, None),
        ("a", True, True, None),
        ("b", False, False, None),
        ("c", False, True, 3),
        ("d", True, True, 4),
    ]


def test_a_moment_as_a_default_is_that_of_the_row_not_of_the_declaration():
    at = table("id INT PRIMARY KEY, at DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP").columns[1]
    session = SimpleNamespace(now=lambda digits: datetime.fromisoformat(f"2023-11-14 22:13:2{digits}"))
    assert at.default(session) == at.on_update(session) == datetime.fromisoformat("2023-11-14 22:13:20")


def test_the_numbered_column_is_known():
    assert table("a INT, id INT AUTO_INCREMENT PRIMARY KEY").auto == 1
    assert table("a INT, id INT PRIMARY KEY").auto is None


# --- indexes


def test_the_table_itself_comes_first_then_unique_indexes_those_without_null_first_then_the_rest():
    made = table("id INT PRIMARY KEY, a INT, b INT NOT NULL, KEY k (a), UNIQUE KEY ua (a), UNIQUE KEY ub (b)")
    assert [each.definition.name for each in made.indexes] == ["PRIMARY", "ub", "ua", "k"]
    assert made.clustered is made.indexes[0]
    assert list(made.secondary) == made.indexes[1:]


def test_a_secondary_index_has_the_primary_key_behind_its_columns_each_column_once():
    made = table("a INT, b INT, c INT, PRIMARY KEY (a, b), KEY k (c), KEY kb (b)")
    assert index_named(made, "PRIMARY").definition.place == (0, 1)
    assert index_named(made, "k").definition.place == (2, 0, 1)
    assert index_named(made, "kb").definition.place == (1, 0)
    assert index_named(made, "k").definition.columns == (2,)


def test_without_a_primary_key_the_first_unique_index_without_null_is_the_table():
    made = table("a INT UNIQUE, b INT NOT NULL, c INT NOT NULL, UNIQUE KEY ub (b), UNIQUE KEY uc (c)")
    assert made.clustered.definition.name == "ub"
    assert made.clustered.definition.clustered
    assert made.hidden is None


def test_without_any_such_index_a_hidden_column_is_the_key():
    made = table("a INT UNIQUE, b INT", "INSERT INTO t VALUES (5, 1), (NULL, 1)")
    assert made.hidden == 2
    assert made.clustered.definition.name == "GEN_CLUST_INDEX"
    assert set(made.numbers) == {"a", "b"}
    first, second = (record.key for record in records(made.clustered))
    assert first < second


# --- rows and their places


def test_a_rows_place_is_made_of_what_its_columns_are_sorted_by():
    made = table("id INT PRIMARY KEY, n VARCHAR(9), e ENUM('z', 'a'), KEY kn (n), KEY ke (e)")
    row = (7, "Ä", "a")
    assert made.clustered.key_of(row) == (7,)
    assert index_named(made, "kn").key_of(row) == ("a", 7)
    assert index_named(made, "ke").key_of(row) == (2, 7)
    assert index_named(made, "kn").key_of((7, None, None)) == (NULL, 7)
    assert made.order(1, None) is NULL
    assert made.order(1, "B") == "b"


def test_the_table_keeps_whole_rows_and_another_index_its_own_columns():
    made = table("id INT PRIMARY KEY, a INT, b INT, KEY k (b)")
    assert made.clustered.entry_of((1, 2, 3)) == (1, 2, 3)
    assert index_named(made, "k").entry_of((1, 2, 3)) == (3, 1)


def test_from_an_entry_of_an_index_one_comes_to_its_row():
    made = table("a INT, b INT, c INT, PRIMARY KEY (a, b), KEY k (c, b)", "INSERT INTO t VALUES (1, 2, 9), (3, 4, 8)")
    found = [made.row_of(entry).row for entry in records(index_named(made, "k"))]
    assert found == [(3, 4, 8), (1, 2, 9)]
    record = records(made.clustered)[0]
    assert made.row_of(record) is record


def test_the_next_number_is_above_all_that_rows_were_given():
    made = table("id INT AUTO_INCREMENT PRIMARY KEY")
    assert made.next_number == 1
    made.numbered(7)
    made.numbered(3)
    assert made.next_number == 8


def test_a_counter_that_is_as_logged_goes_on_when_a_session_opens_the_table():
    made = table("id INT AUTO_INCREMENT PRIMARY KEY")
    made.next_number = 9
    made.logged((9,))
    made.logged((3,))
    made.opened(77)
    assert made.next_number == 10
    made.logged((10,))
    made.opened(77)  # which has it open
    assert made.next_number == 10
    made.opened(78)
    assert made.next_number == 11


def test_a_counter_that_is_not_as_logged_stays():
    made = table("id INT AUTO_INCREMENT PRIMARY KEY")
    made.logged((20,))
    made.opened(77)
    assert made.next_number == 1


def test_an_emptied_table_has_its_indexes_no_rows_and_numbers_them_from_1_again():
    made = table("id INT AUTO_INCREMENT PRIMARY KEY, a INT, KEY k (a)", "INSERT INTO t (a) VALUES (5), (6)")
    before = [each.definition for each in made.indexes]
    made.empty()
    assert [each.definition for each in made.indexes] == before
    assert [len(each) for each in made.indexes] == [0, 0]
    assert made.next_number == 1


# --- foreign keys


@pytest.mark.parametrize("declared", ["p INT, KEY k (p), ", "p INT, "])
def test_a_foreign_key_is_known_to_both_its_tables_and_has_an_index_in_each(declared):
    found = tables(
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        f"CREATE TABLE child (id INT PRIMARY KEY, {declared}FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
    )
    (constraint,) = found["child"].parents
    assert found["parent"].children == [constraint]
    assert (constraint.child, constraint.parent) == (found["child"], found["parent"])
    assert (constraint.columns, constraint.parent_columns) == ((1,), (0,))
    assert constraint.index.definition.columns[:1] == (1,)
    assert constraint.parent_index is found["parent"].clustered
    assert (constraint.on_delete, constraint.on_update) == ("CASCADE", "RESTRICT")


def test_a_table_that_is_dropped_is_no_child_any_more():
    found = tables(
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
        "DROP TABLE child",
    )
    assert list(found) == ["parent"]
    assert found["parent"].children == []
