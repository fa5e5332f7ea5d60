"""The stated rule: which index a statement goes by, as a MySQL 9.7 told it of the same tables."""

import pytest

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.executor import nested_loop, update
from chatsim.innodb.sql.optimizer import access_path
from chatsim.simulation.loop import run

FOUR = [
    "CREATE TABLE t (id BIGINT PRIMARY KEY, u BIGINT, k BIGINT, v VARCHAR(20), UNIQUE KEY uu (u), KEY kk (k))",
    "INSERT INTO t VALUES (10, 100, 1, 'a'), (20, 200, 1, 'b'), (30, 300, 3, 'c'), (40, 400, 5, 'd')",
]
CHATS = [
    """CREATE TABLE chats (
      id BIGINT UNSIGNED NOT NULL PRIMARY KEY, one BIGINT UNSIGNED NOT NULL, other BIGINT UNSIGNED NOT NULL,
      made TIMESTAMP NOT NULL, UNIQUE KEY pair (one, other), KEY by_one (one, id), KEY by_other (other, id))""",
    "INSERT INTO chats VALUES " + ", ".join(f"({n}, {n % 30}, {30 + n}, '2024-01-01')" for n in range(1, 301)),
]


class _Chosen(Exception):  # noqa: N818 - it is what a test wants to happen
    pass


@pytest.fixture
def chosen(monkeypatch):
    """What is chosen for a statement, in words: access, index, and how it is walked."""

    def choose(*args, **kwargs):
        raise _Chosen(access_path.choose(*args, **kwargs))

    monkeypatch.setattr(nested_loop, "choose", choose)
    monkeypatch.setattr(update, "choose", choose)

    async def ask(setup, sql):
        session = EngineSession(Engine(lambda: 0.0))
        for statement in setup:
            await session.run(statement)
        with pytest.raises(_Chosen) as caught:
            await session.run(sql)
        return caught.value.args[0]

    def said(sql, setup=FOUR):
        found = run(ask(setup, sql))
        if found is None:
            return "nothing"
        path, ordered = found
        words = [path.access] if path.access == "ALL" else [path.access, path.index.definition.name]
        words += ["backward"] * path.descending + ["pushed"] * (path.pushed is not None) + ["sorted"] * (not ordered)
        return " ".join(words)

    said.path = lambda sql, setup=FOUR: run(ask(setup, sql))[0]
    return said


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t WHERE id = 20", "const PRIMARY"),
        ("SELECT * FROM t WHERE u = 200 FOR UPDATE", "const uu"),
        ("SELECT * FROM t WHERE u = 200 AND id = 20", "const PRIMARY"),
        ("SELECT * FROM t WHERE u IS NULL", "ref uu pushed"),
        ("SELECT * FROM t WHERE id IN (20)", "const PRIMARY"),
    ],
)
def test_a_unique_key_is_found_at_once(chosen, sql, expected):
    assert chosen(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t FORCE INDEX (kk) WHERE u = 100 AND k = 1", "ref kk"),
        ("SELECT * FROM t IGNORE INDEX (kk) WHERE k = 1", "ALL"),
        ("SELECT * FROM t USE INDEX (kk) WHERE id = 20", "ALL"),
        ("SELECT * FROM t FORCE INDEX (kk) WHERE k >= 1", "range kk pushed"),
        ("SELECT id FROM t USE INDEX (kk)", "index kk"),
    ],
)
def test_hints_say_which_indexes_are_looked_at(chosen, sql, expected):
    assert chosen(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id FROM t WHERE id > 15 AND id < 35 FOR UPDATE", "index uu"),  # two rows by PRIMARY cost two pages
        ("SELECT id FROM t WHERE id > 15 FOR UPDATE", "range PRIMARY"),  # three rows cost one
        ("SELECT COUNT(*) FROM t WHERE id > 15", "range PRIMARY"),
        ("SELECT * FROM t WHERE id > 15 AND id < 35 FOR UPDATE", "range PRIMARY"),
        ("SELECT * FROM t WHERE v = 'a'", "ALL"),
        ("SELECT k FROM t", "index kk"),
    ],
)
def test_a_range_has_to_be_cheaper_than_a_scan_of_the_shortest_covering_index(chosen, sql, expected):
    assert chosen(sql) == expected


def test_a_scan_of_the_table_is_cheaper_than_a_wide_range_of_a_secondary_index(chosen):
    assert chosen("SELECT * FROM chats WHERE one BETWEEN 5 AND 12", CHATS) == "range pair pushed"
    assert chosen("SELECT * FROM chats WHERE one BETWEEN 5 AND 25", CHATS) == "ALL"
    assert chosen("DELETE FROM chats WHERE one BETWEEN 5 AND 25", CHATS) == "ALL"
    assert chosen("SELECT * FROM chats FORCE INDEX (pair) WHERE one BETWEEN 5 AND 25", CHATS) == "range pair pushed"


def test_an_equality_on_the_first_columns_is_a_ref(chosen):
    assert chosen("SELECT * FROM t WHERE k = 1 FOR UPDATE") == "ref kk"
    assert chosen("SELECT * FROM t WHERE k = 1 AND v = 'a'") == "ref kk"
    assert chosen("SELECT * FROM chats WHERE one = 7 AND made > '2023-01-01'", CHATS) == "ref pair"


def test_a_ref_gives_way_to_a_range_of_its_index_that_goes_by_more_columns(chosen):
    assert chosen("SELECT other FROM chats WHERE one = 7 AND other > 100 AND other < 150", CHATS) == "range pair"


@pytest.mark.parametrize("statement", ["UPDATE t SET v = 'x'", "DELETE FROM t"])
def test_update_and_delete_have_only_ranges_and_push_no_condition(chosen, statement):
    assert chosen(f"{statement} WHERE k = 5 AND v = 'd'") == "range kk"
    assert chosen(f"{statement} WHERE v = 'a'") == "ALL"
    assert chosen(statement) == "ALL"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t ORDER BY id", "index PRIMARY"),
        ("SELECT * FROM t ORDER BY id DESC", "index PRIMARY backward"),
        ("SELECT * FROM t WHERE k = 1 ORDER BY id DESC", "ref kk backward"),
        ("SELECT * FROM t WHERE k = 1 ORDER BY k", "ref kk"),
        ("SELECT * FROM t WHERE k = 1 ORDER BY u", "ref kk sorted"),
        ("SELECT * FROM t ORDER BY k", "ALL sorted"),
        ("SELECT k FROM t ORDER BY k DESC", "index kk backward"),
        ("SELECT * FROM t ORDER BY k, u", "ALL sorted"),
        ("SELECT * FROM t FORCE INDEX (uu) ORDER BY u", "index uu"),
    ],
)
def test_the_wanted_order_comes_from_the_path_or_from_an_index_that_has_all(chosen, sql, expected):
    assert chosen(sql) == expected


def test_with_a_limit_an_index_is_walked_in_order_where_its_keys_occur_more_than_once(chosen):
    assert chosen("SELECT * FROM t ORDER BY k DESC LIMIT 1") == "index kk backward"
    assert chosen("SELECT * FROM t ORDER BY u DESC LIMIT 1") == "ALL sorted"


def test_update_and_delete_walk_an_index_in_order_only_with_a_limit(chosen):
    assert chosen("DELETE FROM t ORDER BY id DESC") == "ALL sorted"
    assert chosen("UPDATE t SET v = 'x' ORDER BY id DESC") == "ALL sorted"
    assert chosen("DELETE FROM t ORDER BY id DESC LIMIT 1") == "index PRIMARY backward"
    assert chosen("UPDATE t SET v = 'x' ORDER BY k LIMIT 4") == "ALL sorted"


def test_a_key_of_a_forced_unique_index_is_one_row_and_of_another_what_analyze_says(chosen):
    setup = [*FOUR, "ANALYZE TABLE t"]
    assert chosen("SELECT u FROM t FORCE INDEX (uu) WHERE u IN (1, 2)", setup) == "range uu"
    assert chosen("SELECT k FROM t FORCE INDEX (kk) WHERE k IN (1, 5, 6)", setup) == "range kk"
    alike = [FOUR[0], "INSERT INTO t VALUES (10, 100, 1, 'a'), (20, 200, 1, 'b'), (30, 300, 1, 'c')", "ANALYZE TABLE t"]
    assert chosen("SELECT k FROM t FORCE INDEX (kk) WHERE k IN (1, 5, 6)", alike) == "index kk"


def test_a_limit_below_what_is_expected_favours_a_range(chosen):
    assert chosen("SELECT * FROM chats WHERE one BETWEEN 5 AND 25 LIMIT 2", CHATS) == "range pair pushed"
    ordered = "SELECT * FROM chats WHERE one BETWEEN 5 AND 25 ORDER BY one DESC, other DESC LIMIT 2"
    assert chosen(ordered, CHATS) == "range pair backward pushed"


def test_what_a_ref_went_by_is_not_pushed_again(chosen):
    assert chosen("SELECT * FROM t WHERE k = 1 AND k > 0") == "ref kk"
    assert chosen("SELECT * FROM t WHERE k = 1 AND id + 1 > 11") == "ref kk pushed"


def test_the_end_of_a_range_goes_on_into_the_next_column(chosen):
    path = chosen.path("SELECT * FROM chats WHERE one >= 29 AND other >= 299", CHATS)
    (span,) = path.ranges
    assert (path.index.definition.name, span.low, span.high) == ("pair", (29, 299), None)
    path = chosen.path("SELECT * FROM chats WHERE one > 28 AND other >= 299", CHATS)
    assert path.ranges[0].low == (28,)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t WHERE id > 20 AND id < 20", "nothing"),
        ("SELECT * FROM t WHERE k = NULL", "nothing"),
        ("SELECT * FROM t WHERE v = 'a' AND v = 'b'", "nothing"),
        ("SELECT * FROM t WHERE v > 'b' AND v < 'b'", "ALL"),  # no index tells it
        ("SELECT * FROM t USE INDEX (uu) WHERE id > 20 AND id < 20", "ALL"),
    ],
)
def test_nothing_is_read_where_conditions_contradict_each_other_in_an_index_or_an_equality(chosen, sql, expected):
    assert chosen(sql) == expected
