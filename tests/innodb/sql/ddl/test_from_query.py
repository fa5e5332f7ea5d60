"""CREATE TABLE … SELECT and CREATE TABLE … LIKE: the columns, the keys and the rows of the new table."""

import pytest

from chatsim.innodb.storage.column_types import Binary, Decimals, Enumeration, Integer, Moment, Text
from tests.engine_sessions import alone, play

WIDE = (
    "CREATE TABLE w (a DECIMAL(5,2), b CHAR(3), c ENUM('x'), d DATETIME(3), e VARBINARY(4), f INT NOT NULL DEFAULT 4)"
)


def made(*statements, name="u"):
    """The new table."""

    async def body(engine, session):
        for each in statements:
            await session.run(each)
        return engine.table(name)

    return play(body, sessions=1)


def test_a_new_table_has_the_types_of_the_columns_of_its_query():
    table = made(WIDE, "CREATE TABLE u SELECT * FROM w")
    kinds = [each.type for each in table.columns if not each.hidden]
    assert [type(each) for each in kinds] == [Decimals, Text, Enumeration, Moment, Binary, Integer]
    assert (kinds[0].digits, kinds[1].length, kinds[1].trimmed, kinds[3].digits) == (5, 3, True, 3)
    assert [each.nullable for each in table.columns][5] is False
    assert table.columns[5].default == 4


def test_declared_columns_come_first_and_those_of_the_query_are_filled():
    table = made("CREATE TABLE u (n INT AUTO_INCREMENT PRIMARY KEY, a BIGINT, KEY (a)) SELECT id, a FROM t")
    assert [each.name for each in table.columns] == ["n", "id", "a"]
    assert [record.row for record in table.clustered] == [(1, 1, 10), (2, 2, 20), (3, 3, 30)]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("CREATE TABLE u SELECT COUNT(*) AS n, MAX(a) AS m, 'x' AS s FROM t", [(3, 30, "x")]),
        ("CREATE TABLE u (s INT PRIMARY KEY) REPLACE SELECT 1 AS s, a FROM t", [(1, 30)]),
        ("CREATE TABLE u (s INT PRIMARY KEY) IGNORE SELECT 1 AS s, a FROM t", [(1, 10)]),
        ("CREATE TABLE u LIKE t", []),
    ],
)
def test_a_new_table_has_the_rows_of_its_query(sql, rows):
    assert alone(sql, "SELECT * FROM u")[-1] == rows


def test_a_table_whose_rows_do_not_fit_is_not_made():
    told, missing = alone("CREATE TABLE u (s INT PRIMARY KEY) SELECT 1 AS s, a FROM t", "SELECT * FROM u")
    assert told == "1062: Duplicate entry '1' for key 'u.PRIMARY'"
    assert missing == "1146: Table 'u' doesn't exist"


def test_a_table_like_another_one_has_its_keys_and_counts_from_one():
    table = made("ALTER TABLE t MODIFY id INT AUTO_INCREMENT", "CREATE TABLE u LIKE t")
    assert [each.definition.name for each in table.indexes] == ["PRIMARY", "a"]
    assert table.next_number == 1
    assert alone("CREATE TABLE u LIKE x")[-1] == "1146: Table 'x' doesn't exist"


def test_the_columns_of_a_union_have_to_be_declared():
    (told,) = alone("CREATE TABLE u SELECT 1 AS a UNION SELECT 2")
    assert told.startswith("the model's SQL has no CREATE TABLE … SELECT of a UNION")
