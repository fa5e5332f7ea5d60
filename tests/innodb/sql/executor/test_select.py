"""SELECT gives the rows that are meant, in the order that is meant, whichever way it takes to them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
USERS = (
    "CREATE TABLE u (id INT PRIMARY KEY, name VARCHAR(9), age INT, KEY kn (name), KEY ka (age))",
    "INSERT INTO u VALUES (1, 'bob', 30), (2, 'Ann', NULL), (3, NULL, 20), (4, 'ann', 30), (5, 'cid', -1)",
)
POSTS = (
    "CREATE TABLE p (id INT PRIMARY KEY, u INT, txt VARCHAR(9), KEY (u))",
    "INSERT INTO p VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, NULL, 'd'), (5, 9, 'e')",
)


async def outcome(session, sql, args=()):
    """The rows, how many were changed, or the refusal as text."""
    try:
        *_, answer = await session.run(sql, args)
    except DatabaseError as error:
        return f"{error.errno}: {error.message}"
    except NotImplementedError as error:
        return str(error)
    return answer.affected if answer.rows is None else answer.rows


def rows(sql, *args, setup=(*USERS, *POSTS)):
    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        for each in setup:
            await session.run(each)
        return await outcome(session, sql, args)

    return run(main())


def firsts(sql, *args):
    """The first column."""
    return [row[0] for row in rows(sql, *args)]


# --- what is read


def test_all_columns_or_some_or_what_is_made_of_them():
    assert rows("SELECT * FROM u WHERE id = 1") == [(1, "bob", 30)]
    assert rows("SELECT age, id + 1, 'x', age FROM u WHERE id = 1") == [(30, 2, "x", 30)]
    assert rows("SELECT p.*, u.name FROM p JOIN u ON u.id = p.u WHERE p.id = 1") == [(1, 1, "a", "bob")]


def test_names_of_columns_are_the_same_in_any_case_but_those_of_tables_are_not():
    assert rows("SELECT ID, `Name`, x.aGe FROM u AS x WHERE x.id = 1") == [(1, "bob", 30)]
    assert rows("SELECT 1 FROM u AS x WHERE X.id = 1").startswith("1054: Unknown column 'X.id'")
    assert rows("SELECT 1 FROM U").startswith("1146: ")


def test_without_a_table_there_is_one_row_if_the_condition_holds():
    assert rows("SELECT 1, 'a'") == [(1, "a")]
    assert rows("SELECT 1 FROM DUAL WHERE 1 = 2") == []
    assert rows("SELECT 1 LIMIT 0") == []


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("age = 30", [1, 4]),
        ("age = '30'", [1, 4]),
        ("age = 30.0", [1, 4]),
        ("age > 19.5 AND age < 20.5", [3]),
        ("age BETWEEN 20 AND 30", [1, 3, 4]),
        ("age NOT BETWEEN 20 AND 29", [1, 4, 5]),
        ("age IN (30, -1, NULL)", [1, 4, 5]),
        ("age NOT IN (30)", [3, 5]),
        ("age NOT IN (30, NULL)", []),
        ("age IS NULL", [2]),
        ("age <=> NULL", [2]),
        ("age <> 30", [3, 5]),
        ("NOT age = 30", [3, 5]),
        ("name = 'ANN'", [2, 4]),
        ("name > 'ann' AND name < 'c'", [1]),
        ("name LIKE 'A%'", [2, 4]),
        ("name = 'ann' OR age = 20", [2, 3, 4]),
        ("(id, name) = (2, 'ann')", [2]),
        ("id IN (1, 2) AND name IN ('bob', 'cid')", [1]),
        ("age", [1, 3, 4, 5]),
        ("NULL", []),
    ],
)
def test_rows_are_those_for_which_the_condition_holds(condition, ids):
    assert firsts(f"SELECT id FROM u WHERE {condition} ORDER BY id") == ids


# --- order


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("age, id", [2, 5, 3, 1, 4]),
        ("age DESC, id DESC", [4, 1, 3, 5, 2]),
        ("age DESC, id", [1, 4, 3, 5, 2]),
        ("name, id", [3, 2, 4, 1, 5]),
        ("name DESC, id", [5, 1, 2, 4, 3]),
        ("age IS NULL, age, id", [5, 3, 1, 4, 2]),
        ("-id", [5, 4, 3, 2, 1]),
        ("id = 3 DESC, id", [3, 1, 2, 4, 5]),
        ("1 DESC", [5, 4, 3, 2, 1]),
        ("x", [5, 4, 3, 2, 1]),
    ],
)
def test_rows_come_in_the_order_asked_for_null_first_case_making_no_difference(order, ids):
    assert firsts(f"SELECT id, -id AS x FROM u ORDER BY {order}") == ids


@pytest.mark.parametrize(
    ("limit", "ids"),
    [("2", [1, 2]), ("2 OFFSET 1", [2, 3]), ("1, 2", [2, 3]), ("0", []), ("9", [1, 2, 3, 4, 5]), ("3 OFFSET 9", [])],
)
def test_a_limit_gives_so_many_from_an_offset_on(limit, ids):
    assert firsts(f"SELECT id FROM u ORDER BY id LIMIT {limit}") == ids


def test_a_limit_and_an_offset_may_be_arguments():
    assert firsts("SELECT id FROM u ORDER BY id LIMIT ? OFFSET ?", 2, 1) == [2, 3]


# --- groups


def test_aggregates_leave_out_null():
    assert rows("SELECT COUNT(*), COUNT(age), MIN(age), MAX(age), SUM(age), AVG(age) FROM u") == [
        (5, 4, -1, 30, Decimal(79), Decimal("19.7500"))
    ]


def test_aggregates_of_nothing_are_null_and_count_0():
    assert rows("SELECT COUNT(*), COUNT(age), MIN(age), SUM(age), AVG(age), MIN(name) FROM u WHERE id > 99") == [
        (0, 0, None, None, None, None)
    ]
    assert rows("SELECT age, COUNT(*) FROM u WHERE id > 99 GROUP BY age") == []


def test_there_is_one_row_for_each_group_null_being_one():
    assert sorted(rows("SELECT COUNT(*), COALESCE(age, 0), MAX(id) FROM u GROUP BY age")) == [
        (1, -1, 5),
        (1, 0, 2),
        (1, 20, 3),
        (2, 30, 4),
    ]


def test_aggregates_are_part_of_expressions():
    assert rows("SELECT COUNT(*) + 1, MAX(id) - MIN(id), IF(COUNT(*) > 3, 'many', 'few') FROM u") == [(6, 4, "many")]
    assert rows("SELECT COALESCE(MAX(id), 0) FROM u WHERE id > 99") == [(0,)]


def test_groups_can_be_sorted_by_an_aggregate_and_cut():
    assert rows(
        "SELECT u.id, COUNT(p.id) AS n FROM u LEFT JOIN p ON p.u = u.id GROUP BY u.id ORDER BY n DESC, 1 LIMIT 3"
    ) == [
        (1, 2),
        (2, 1),
        (3, 0),
    ]


def test_distinct_gives_each_row_once():
    assert rows("SELECT DISTINCT age FROM u ORDER BY age") == [(None,), (-1,), (20,), (30,)]
    assert rows("SELECT DISTINCT age FROM u ORDER BY age DESC LIMIT 1 OFFSET 1") == [(20,)]


# --- several tables


JOINED = [(1, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize(
    "joined",
    ["u JOIN p ON p.u = u.id", "u, p WHERE p.u = u.id", "p JOIN u ON u.id = p.u", "u CROSS JOIN p WHERE u.id = p.u"],
)
def test_a_join_gives_the_pairs_that_match_however_it_is_written(joined):
    assert rows(f"SELECT u.id, p.id FROM {joined} ORDER BY u.id, p.id") == JOINED


def test_a_left_join_gives_null_where_nothing_matches():
    assert rows("SELECT p.id, u.name FROM p LEFT JOIN u ON u.id = p.u ORDER BY p.id") == [
        *((1, "bob"), (2, "bob"), (3, "Ann")),
        *((4, None), (5, None)),
    ]
    assert firsts("SELECT p.id FROM p LEFT JOIN u ON u.id = p.u WHERE u.id IS NULL ORDER BY p.id") == [4, 5]


def test_what_a_left_join_is_on_takes_away_matches_but_no_rows():
    assert rows("SELECT p.id, u.id FROM p LEFT JOIN u ON u.id = p.u AND p.txt = 'c' ORDER BY p.id") == [
        *((1, None), (2, None), (3, 2)),
        *((4, None), (5, None)),
    ]


def test_a_table_can_be_joined_to_itself():
    assert rows("SELECT a.id, b.id FROM u a JOIN u b ON b.age = a.age AND b.id > a.id") == [(1, 4)]


def test_union_all_puts_rows_together_sorts_and_cuts_them():
    assert rows("SELECT id FROM u WHERE id < 3 UNION ALL SELECT u FROM p WHERE u = 1 ORDER BY id DESC LIMIT 3") == [
        *((2,), (1,), (1,)),
    ]
    assert rows("SELECT 1 UNION ALL SELECT 'a' UNION ALL SELECT NULL")[1:] == [("a",), (None,)]
    assert rows("(SELECT id FROM u ORDER BY id DESC LIMIT 1) UNION ALL (SELECT 7)") == [(5,), (7,)]


# --- into variables


def test_a_row_can_be_put_into_variables_and_only_one():
    setup = (*USERS, "SELECT age INTO @a FROM u WHERE id = 3")
    assert rows("SELECT @a", setup=setup) == [(20,)]
    assert rows("SELECT id INTO @a FROM u") == "1172: Result consisted of more than one row"
    assert rows("SELECT @a", setup=(*setup, "SELECT age INTO @a FROM u WHERE id = 99")) == [(20,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, age INTO @a, @b FROM u WHERE id = 3",
        "SELECT id, age INTO @a,@b FROM u WHERE id = 3 FOR UPDATE",
        "SELECT id, age FROM u WHERE id = 3 INTO @a, @b",
        "SELECT id, age FROM u WHERE id = 3 INTO @a, @b FOR UPDATE",
        "SELECT u.id, u.age FROM u JOIN u v ON v.id = u.id WHERE u.id = 3 ORDER BY 1 LIMIT 1 FOR SHARE INTO @a, @b",
    ],
)
def test_the_variables_stand_behind_the_values_the_tables_or_the_locking_clause(sql):
    assert rows("SELECT @a, @b", setup=(*USERS, sql)) == [(3, 20)]


@pytest.mark.parametrize(
    ("sql", "errno"),
    [("SELECT id, age FROM u WHERE id = 3 INTO @a", 1222), ("SELECT id INTO @a FROM u WHERE id = 3 INTO @b", 1064)],
)
def test_there_is_one_variable_for_each_value_and_they_are_named_once(sql, errno):
    assert rows(sql, setup=USERS).startswith(f"{errno}: ")


def test_a_union_without_all_has_each_row_once_by_its_collation():
    assert rows("SELECT name FROM u WHERE id IN (2, 4) UNION SELECT 'ANN' UNION SELECT 'x' ORDER BY 1") == [
        ("Ann",),
        ("x",),
    ]


def test_groups_can_be_chosen_by_their_aggregates_and_aliases():
    assert rows("SELECT age, COUNT(*) c FROM u GROUP BY age HAVING c > 1 AND age < 40") == [(30, 2)]
    assert rows("SELECT age FROM u GROUP BY age HAVING MAX(id) = 5") == [(-1,)]
    assert rows("SELECT COUNT(*) FROM u HAVING COUNT(*) > 9") == []


def test_different_values_are_counted_once_and_null_is_none():
    assert rows("SELECT COUNT(DISTINCT age), COUNT(DISTINCT name), COUNT(DISTINCT age + 1) FROM u") == [(3, 3, 3)]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("(age, id) > (30, 1)", [4]),
        ("(age, id) >= (30, 1)", [1, 4]),
        ("(age, id) < (30, 4)", [1, 3, 5]),
        ("(age, id) <= (20, 3)", [3, 5]),
        ("(age, id) > (20, NULL)", [1, 4]),
    ],
)
def test_rows_are_compared_by_their_first_columns_that_differ(where, ids):
    assert firsts(f"SELECT id FROM u WHERE {where} ORDER BY id") == ids


# --- what is wrong, and what the model has not


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("SELECT * FROM nope", "1146: Table 'nope' doesn't exist"),
        ("SELECT nope FROM u", "1054: Unknown column 'nope' in 'field list'"),
        ("SELECT u.id FROM u AS x", "1054: Unknown column 'u.id' in 'field list'"),
        ("SELECT id FROM u JOIN p ON p.u = u.id", "1052: Column 'id' in field list is ambiguous"),
        ("SELECT id FROM u FORCE INDEX (nope)", "1176: Key 'nope' doesn't exist in table 'u'"),
        ("SELECT *", "1096: No tables used"),
        ("SELECT 1 FROM u WHERE (id, age) > (1, 2, 3)", "1241: Operand should contain 2 column(s)"),
        ("SELECT 1, 2 UNION SELECT 1", "1222: The used SELECT statements have a different number of columns"),
        ("SELECT id FROM u UNION SELECT id FROM p ORDER BY nope", "1054: Unknown column 'nope' in 'order clause'"),
    ],
)
def test_what_is_not_there_is_refused_by_name(sql, refusal):
    assert rows(sql) == refusal


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT BIT_OR(id) OVER (ORDER BY id) FROM u", "as a window function"),
        ("SELECT STD(id) OVER (ORDER BY id) FROM u", "as a window function"),
        ("SELECT * FROM u FULL JOIN p ON p.u = u.id", "FULL JOIN"),
        ("SELECT u.id FROM u JOIN p FOR UPDATE FOR SHARE OF u", "locking all tables and some"),
        ("SELECT id FROM u WHERE GET_LOCK(name, 0) = 1", "GET_LOCK"),
    ],
)
def test_a_construct_that_the_model_has_not_is_refused_by_name(sql, named):
    refusal = rows(sql)
    assert refusal.startswith("the model's SQL has no ")
    assert named in refusal


# --- every way to the rows gives the same rows


SMALL = st.none() | st.integers(-1, 4)
COLUMNS = {"id": 0, "a": 1, "b": 2}
HINTS = ["", *(f"{verb} INDEX ({name})" for name in ("PRIMARY", "ka", "kab", "kb") for verb in ("FORCE", "IGNORE"))]
COMPARED = {"=": lambda a, b: a == b, "<": lambda a, b: a < b, ">=": lambda a, b: a >= b, "<>": lambda a, b: a != b}


def shown(value):
    return "NULL" if value is None else str(value)


def comparison(column, operator, value):
    at, holds = COLUMNS[column], COMPARED[operator]
    test = lambda row: None if row[at] is None or value is None else holds(row[at], value)  # noqa: E731
    return f"{column} {operator} {shown(value)}", test


def negation(inner):
    text, test = inner
    return f"NOT ({text})", lambda row: None if (found := test(row)) is None else not found


def junction(word, left, right):
    def test(row):
        found, decides = (left[1](row), right[1](row)), word == "OR"
        return decides if decides in found else None if None in found else not decides

    return f"({left[0]} {word} {right[0]})", test


def membership(column, values):
    text, test = f"{column} IN ({', '.join(map(shown, values))})", comparison(column, "=", values[0])
    for each in values[1:]:
        test = junction("OR", test, comparison(column, "=", each))
    return text, test[1]


def between(column, low, high):
    below = junction("OR", comparison(column, "<", high), comparison(column, "=", high))
    both = junction("AND", comparison(column, ">=", low), below)
    return f"{column} BETWEEN {shown(low)} AND {shown(high)}", both[1]


def emptiness(column, word):
    return f"{column} {word}", lambda row: (row[COLUMNS[column]] is None) is (word == "IS NULL")


NAMES = st.sampled_from(list(COLUMNS))
CONDITIONS = st.recursive(
    st.one_of(
        st.builds(comparison, NAMES, st.sampled_from(list(COMPARED)), SMALL),
        st.builds(membership, NAMES, st.lists(SMALL, min_size=1, max_size=4)),
        st.builds(between, NAMES, SMALL, SMALL),
        st.builds(emptiness, NAMES, st.sampled_from(["IS NULL", "IS NOT NULL"])),
    ),
    lambda inner: st.builds(junction, st.sampled_from(["AND", "AND", "OR"]), inner, inner) | st.builds(negation, inner),
    max_leaves=5,
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(SMALL, SMALL), max_size=12),
    CONDITIONS,
    st.lists(st.tuples(NAMES, st.booleans()), max_size=2),
    st.none() | st.tuples(st.integers(0, 5), st.integers(0, 3)),
)
def test_whichever_index_is_forced_the_rows_are_those_that_a_filter_leaves(pairs, condition, order, limit):
    table = [(number, a, b) for number, (a, b) in enumerate(pairs)]
    text, test = condition
    wanted = [row for row in table if test(row)]
    for name, down in [("id", False), *reversed(order)]:
        wanted.sort(key=lambda row, at=COLUMNS[name]: (row[at] is not None, row[at] or 0), reverse=down)
    by = ", ".join(f"{name} {'DESC' if down else 'ASC'}" for name, down in [*order, ("id", False)])
    ending = f"WHERE {text} ORDER BY {by}"
    if limit is not None:
        wanted = wanted[limit[1] : limit[0] + limit[1]]
        ending += f" LIMIT {limit[0]} OFFSET {limit[1]}"

    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        await session.run("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, KEY ka (a), KEY kab (a, b), KEY kb (b))")
        for row in table:
            await session.run("INSERT INTO t VALUES (?, ?, ?)", row)
        found = [await outcome(session, f"SELECT * FROM t {hint} {ending}") for hint in HINTS]
        await session.run("BEGIN")
        return [*found, await outcome(session, f"SELECT * FROM t {ending} FOR UPDATE")]

    assert run(main()) == [wanted] * (len(HINTS) + 1)


# --- columns have their own order and collation, places and aliases mean what the select list says

TYPED = (
    """CREATE TABLE c (id INT PRIMARY KEY, e ENUM('z','m','a'), b VARCHAR(9) COLLATE utf8mb4_bin,
    p VARCHAR(9) COLLATE utf8mb4_general_ci, v VARBINARY(9), s VARCHAR(9), h CHAR(5))""",
    """INSERT INTO c VALUES (1, 'z', 'A', 'x ', 'a', 'x ', 'c  '), (2, 'm', 'a', 'x', 'A', 'x', 'c'),
    (3, 'a', 'Ä', 'X', 'b', 'X', 'd')""",
)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT id FROM c WHERE e > 'm'", [1]),
        ("SELECT id FROM c WHERE e = 2", [2]),
        ("SELECT id FROM c WHERE e > 1", [2, 3]),
        ("SELECT id FROM c ORDER BY e DESC", [3, 2, 1]),
        ("SELECT MIN(e) FROM c", ["a"]),
        ("SELECT SUM(e) FROM c", [6.0]),
        ("SELECT e + 0 FROM c", [1.0, 2.0, 3.0]),
        ("SELECT id FROM c WHERE b = 'a'", [2]),
        ("SELECT id FROM c WHERE CONCAT(b, '') = 'A'", [1]),
        ("SELECT id FROM c WHERE b = s", []),
        ("SELECT id FROM c WHERE b LIKE 'A'", [1]),
        ("SELECT id FROM c ORDER BY b", [1, 2, 3]),
        ("SELECT id FROM c WHERE p = 'x  '", [1, 2, 3]),
        ("SELECT id FROM c WHERE v = 'A'", [2]),
        ("SELECT COUNT(*) FROM c GROUP BY p", [3]),
        ("SELECT COUNT(*) FROM c GROUP BY s", [1, 2]),
        ("SELECT DISTINCT p FROM c", ["x "]),
        ("SELECT LENGTH(h) FROM c", [1, 1, 1]),
        ("SELECT -id AS id FROM c ORDER BY id", [-3, -2, -1]),
        ("SELECT -id AS id FROM c ORDER BY id + 0", [-1, -2, -3]),
        ("SELECT id % 2 FROM c GROUP BY 1", [1, 0]),
        ("SELECT id % 2 AS x FROM c GROUP BY x", [1, 0]),
        ("SELECT id FROM c GROUP BY id ORDER BY id DESC", [3, 2, 1]),
        ("SELECT COUNT(*)", [1]),
        ("SELECT AVG(id / 3) FROM c", [Decimal("0.66666667")]),
    ],
)
def test_values_are_compared_sorted_and_grouped_as_their_columns_have_it(sql, found):
    assert [row[0] for row in rows(sql, setup=TYPED)] == found


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        ("SELECT id FROM c ORDER BY 2", 1054),
        ("SELECT id FROM c GROUP BY 2", 1054),
        ("SELECT id FROM c WHERE COUNT(*) > 1", 1111),
        ("SELECT 1 LIMIT 'a'", 1064),
        ("SELECT 1 LIMIT -1", 1064),
        ("SELECT id FROM c WHERE p = s", 1267),
    ],
)
def test_what_cannot_be_meant_has_mysqls_number(sql, errno):
    assert rows(sql, setup=TYPED).startswith(f"{errno}: ")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT /*+ INDEX_MERGE(c) */ id FROM c",
        "SELECT id FROM c TABLESAMPLE (5 PERCENT)",
        "SELECT id FROM other.c",
    ],
)
def test_what_would_be_ignored_is_refused(sql):
    assert "the model's SQL has no" in rows(sql, setup=TYPED)


# --- having, rollup, windows, set operations, recursion


def test_having_without_groups_filters_what_is_selected():
    assert rows("SELECT id, age + 1 AS next FROM u HAVING next > 25 ORDER BY id") == [(1, 31), (4, 31)]


def test_a_rollup_gives_a_row_for_each_group_of_groups():
    assert rows("SELECT age, name, COUNT(*) FROM u WHERE id > 2 GROUP BY age, name WITH ROLLUP") == [
        *((-1, "cid", 1), (-1, None, 1)),
        *((20, None, 1), (20, None, 1)),
        *((30, "ann", 1), (30, None, 1)),
        (None, None, 3),
    ]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("ROW_NUMBER() OVER (ORDER BY age, id)", [2, 1, 3]),
        ("RANK() OVER (ORDER BY age)", [2, 1, 2]),
        ("DENSE_RANK() OVER (ORDER BY age DESC)", [1, 2, 1]),
        ("COUNT(*) OVER ()", [3, 3, 3]),
        ("COUNT(*) OVER (PARTITION BY age)", [2, 1, 2]),
        ("SUM(id) OVER (ORDER BY id)", [1, 4, 8]),
        ("MAX(id) OVER (PARTITION BY age ORDER BY id)", [1, 3, 4]),
        ("LAG(id) OVER (ORDER BY id)", [None, 1, 3]),
        ("LEAD(id, 2, 0) OVER (ORDER BY id)", [4, 0, 0]),
        ("FIRST_VALUE(id) OVER (PARTITION BY age ORDER BY id DESC)", [4, 3, 4]),
    ],
)
def test_a_window_function_sees_the_rows_of_its_window(function, expected):
    found = rows(f"SELECT id, {function} FROM u WHERE id IN (1, 3, 4) ORDER BY id")
    assert [value for _, value in found] == expected


def test_set_operations_combine_the_rows_of_two_queries():
    assert rows("SELECT u FROM p INTERSECT SELECT id FROM u") == [(1,), (2,)]
    assert rows("SELECT u FROM p INTERSECT ALL SELECT id FROM u") == [(1,), (2,)]
    assert rows("SELECT id FROM u EXCEPT SELECT u FROM p ORDER BY id") == [(3,), (4,), (5,)]
    assert rows("SELECT u FROM p WHERE u = 1 EXCEPT ALL SELECT 1") == [(1,)]
    assert rows("VALUES ROW(1, 'a'), ROW(2, 'b')") == [(1, "a"), (2, "b")]


def test_a_recursive_query_goes_on_until_it_finds_nothing():
    numbers = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {})"
    assert firsts(numbers.format(4) + " SELECT i FROM n") == [1, 2, 3, 4]
    assert rows(numbers.format(9) + " SELECT COUNT(*) FROM u JOIN n ON n.i = u.id") == [(5,)]
    cycle = "WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT 3 - i FROM n) SELECT i FROM n"
    assert firsts(cycle) == [1, 2]
    endless = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i FROM n) SELECT i FROM n"
    assert rows(endless).startswith("3636: Recursive query aborted after 1001 iterations")
    assert rows("WITH RECURSIVE n AS (SELECT i FROM n) SELECT i FROM n").startswith("3573: ")
    assert rows("WITH RECURSIVE n AS (SELECT i FROM n UNION SELECT 1) SELECT i FROM n").startswith("3574: ")


# --- subqueries


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("id IN (SELECT u FROM p)", [1, 2]),
        ("id NOT IN (SELECT u FROM p WHERE u IS NOT NULL)", [3, 4, 5]),
        ("id NOT IN (SELECT u FROM p)", []),
        ("EXISTS (SELECT 1 FROM p WHERE p.u = u.id)", [1, 2]),
        ("NOT EXISTS (SELECT 1 FROM p WHERE p.u = u.id)", [3, 4, 5]),
        ("id = (SELECT MAX(u) - 5 FROM p)", [4]),
        ("id > ALL (SELECT u FROM p WHERE u < 5)", [3, 4, 5]),
        ("id < ANY (SELECT u FROM p WHERE u < 5)", [1]),
        ("id = ANY (SELECT u FROM p)", [1, 2]),
        ("(id, age) IN (SELECT u, 30 FROM p)", [1]),
        ("(id, age) = (SELECT 4, 30)", [4]),
        ("age IN (SELECT age FROM u AS x WHERE x.id <> u.id)", [1, 4]),
        ("id IN (SELECT u FROM p) OR id = 5", [1, 2, 5]),
        ("(SELECT COUNT(*) FROM p WHERE p.u = u.id) = 2", [1]),
        ("id IN (SELECT u FROM p WHERE id IN (SELECT id FROM u WHERE age = 30))", [1]),
        (
            "EXISTS (SELECT 1 FROM p WHERE p.u = u.id AND EXISTS (SELECT 1 FROM p q WHERE q.u = u.id AND q.id > p.id))",
            [1],
        ),
        ("id IN (SELECT u FROM p UNION SELECT 5)", [1, 2, 5]),
        ("id IN (SELECT MAX(u) FROM p GROUP BY u)", [1, 2]),
    ],
)
def test_a_condition_asks_other_tables(condition, expected):
    assert sorted(firsts(f"SELECT id FROM u WHERE {condition}")) == expected


def test_a_subquery_has_one_value_or_none():
    assert rows("SELECT id, (SELECT COUNT(*) FROM p WHERE u = u.id) FROM u WHERE id = 1") == [(1, 2)]
    assert rows("SELECT (SELECT txt FROM p WHERE id = 99)") == [(None,)]
    assert rows("SELECT (SELECT txt FROM p)") == "1242: Subquery returns more than 1 row"
    assert rows("SELECT (SELECT id, txt FROM p)") == "1241: Operand should contain 1 column(s)"
    assert rows("SELECT id FROM u WHERE (id, age) IN (SELECT u FROM p)") == "1241: Operand should contain 2 column(s)"
    assert rows("SELECT id FROM u WHERE id IN (SELECT x.nothing FROM p)").startswith("1054: Unknown column")
