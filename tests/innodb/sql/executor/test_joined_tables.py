"""Conditions over several tables: what an OR says of one is checked on its rows, and leaves none out that is wanted."""

from hypothesis import given
from hypothesis import strategies as st

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import current_loop, run

TABLES = [
    "CREATE TABLE x (id INT PRIMARY KEY, a INT, b INT)",
    "CREATE TABLE y (id INT PRIMARY KEY, a INT, b INT)",
]
COLUMNS = ("x.a", "x.b", "y.a", "y.b")
VALUES = st.none() | st.integers(0, 2)
ROWS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=4)
LEAVES = st.tuples(st.sampled_from(COLUMNS), st.sampled_from(("=", "<>", "<")), st.integers(0, 2))
CONDITIONS = st.recursive(LEAVES, lambda each: st.tuples(each, st.sampled_from(("AND", "OR")), each), max_leaves=5)


def there(body, rows):
    """Run a test with a session on the tables, filled with rows that are numbered; gives what the test gives."""

    async def main():
        engine = Engine(current_loop().time)
        session = EngineSession(engine)
        for sql in TABLES:
            await session.run(sql)
        for name, each in rows.items():
            numbered = ((number, *row) for number, row in enumerate(each, start=1))
            await session.run(f"INSERT INTO {name} VALUES {', '.join(map(_literal, numbered))}")
        return await body(engine, session)

    return run(main())


def _literal(row):
    return "(" + ", ".join("NULL" if value is None else str(value) for value in row) + ")"


def sql_of(condition):
    return "(" + " ".join(sql_of(each) if isinstance(each, tuple) else str(each) for each in condition) + ")"


def value_of(condition, row):
    """Whether it is true of a row; None is unknown."""
    left, word, right = condition
    if word in ("AND", "OR"):
        sides = [value_of(each, row) for each in (left, right)]
        decides = word == "OR"
        return decides if decides in sides else None if None in sides else not decides
    if row[left] is None:
        return None
    return {"=": row[left] == right, "<>": row[left] != right, "<": row[left] < right}[word]


@given(ROWS, ROWS, CONDITIONS, st.sampled_from(("JOIN", "LEFT JOIN")))
def test_the_rows_are_those_for_which_it_is_true(ones, others, condition, join):
    sql = f"SELECT x.id, y.id FROM x {join} y ON x.a = y.id WHERE {sql_of(condition)} ORDER BY x.id"

    async def body(_, session):
        (answer,) = await session.run(sql)
        return [tuple(row) for row in answer.rows]

    wanted = []
    for number, (a, b) in enumerate(ones, start=1):
        matches = [a] if a is not None and 1 <= a <= len(others) else [None] if join == "LEFT JOIN" else []
        for other in matches:
            c, d = (None, None) if other is None else others[other - 1]
            if value_of(condition, dict(zip(COLUMNS, (a, b, c, d), strict=True))):
                wanted.append((number, other))
    assert there(body, {"x": ones, "y": others}) == wanted


def test_the_other_table_is_not_asked_for_a_row_that_no_side_lets_through():
    sql = "SELECT * FROM x JOIN y ON x.a = y.id WHERE x.b = 1 AND y.b = 1 OR x.b = 2 FOR UPDATE"

    async def body(engine, session):
        await session.run(f"BEGIN; {sql}")
        return {lock.data for lock in engine.data_locks() if lock.table == "y" and lock.index is not None}

    assert there(body, {"x": [(1, 1), (2, 0), (3, 2)], "y": [(0, 1), (0, 1), (0, 1)]}) == {"1", "3"}
