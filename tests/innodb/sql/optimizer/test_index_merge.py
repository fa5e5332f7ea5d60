"""When several indexes are searched for one table, by the figures of a MySQL 9.7's optimizer trace for the same."""

import pytest

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.optimizer.index_merge import IndexMerges
from chatsim.innodb.storage.index_merge import Intersection, SortedUnion, Union
from chatsim.innodb.storage.scan import Path
from chatsim.simulation.loop import run

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c INT, KEY by_a (a), KEY by_b (b))"


def rows(count):
    each = (f"({n}, {'NULL' if n % 7 == 0 else n % 4}, {n % 3}, {n % 2})" for n in range(1, count + 1))
    return f"INSERT INTO t VALUES {', '.join(each)}"


@pytest.fixture
def considered(monkeypatch):
    """The merges that are cheaper than what was known before, for a statement, in the order that they are looked at."""
    found = []

    def noted(whole):
        def ask(self, *args):
            way = whole(self, *args)
            found.extend([way] if way else [])
            return way

        return ask

    for name in ("intersection", "union"):
        monkeypatch.setattr(IndexMerges, name, noted(getattr(IndexMerges, name)))

    async def ask(sql, count):
        session = EngineSession(Engine(lambda: 0.0))
        for statement in (TABLE, rows(count), "ANALYZE TABLE t"):
            await session.run(statement)
        found.clear()
        await session.run(sql)
        return list(found)

    return lambda sql, count=10: run(ask(sql, count))


def names(path):
    match path:
        case Path():
            return path.index.definition.name
        case Intersection():
            return [*map(names, path.paths), *(["within PRIMARY"] if path.within else [])]
        case Union():
            return [*map(names, path.parts)]
        case SortedUnion():
            return [*map(names, path.paths), *([names(path.clustered)] if path.clustered else [])]


@pytest.mark.parametrize(
    ("sql", "way", "rows", "cost"),
    [
        ("SELECT * FROM t WHERE a = 1 AND b = 1", (Intersection, ["by_a", "by_b"]), 1, 0.751372),
        ("SELECT * FROM t WHERE id < 3 AND b = 1", (Intersection, ["by_b", "within PRIMARY"]), 1, 0.3),
        ("SELECT * FROM t WHERE a = 1 OR id = 2", (Union, ["by_a", "PRIMARY"]), 4, 1.80414),
        ("DELETE FROM t WHERE a = 1 OR b = 1", (Union, ["by_a", "by_b"]), 6, 2.34339),
        ("SELECT * FROM t WHERE a > 2 OR b = 1", (SortedUnion, ["by_a", "by_b"]), 5, 2.7307),
    ],
)
def test_it_costs_what_the_server_says(considered, sql, way, rows, cost):
    (found,) = considered(sql)
    assert ((type(found.path), names(found.path)), found.rows) == (way, rows)
    assert found.reading == pytest.approx(cost, abs=5e-6)


def test_what_an_update_writes_has_to_be_known_by_the_indexes_too(considered):
    (way,) = considered("UPDATE t SET c = 3 WHERE a = 2 AND id BETWEEN 2 AND 6", 20)
    assert names(way.path) == ["by_a", "within PRIMARY"]
    assert way.reading == pytest.approx(0.350274, abs=5e-7)
    # by_a knows all that this one touches: nothing is passed over, and one index is no intersection
    assert considered("UPDATE t SET a = 3 WHERE a = 2 AND id BETWEEN 2 AND 6", 20) == []


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM t WHERE a = 1 AND b = 1",  # of which the server makes none
        "SELECT * FROM t WHERE a = 1 AND c = 1",  # one index
        "SELECT * FROM t WHERE a = 1 OR c = 1",  # a side that no index can be asked for
        "SELECT * FROM t WHERE a = 1 OR a > 2",  # one index for both
        "SELECT * FROM t WHERE a < 3 OR a > 1",  # which leaves nothing out
        "SELECT * FROM t WHERE a > 0 OR b > 0",  # nearly all rows: the table is read
        "SELECT * FROM t WHERE a BETWEEN 1 AND 2 AND b < 2",  # entries in no order of their rows
    ],
)
def test_there_is_none(considered, sql):
    assert considered(sql) == []


def test_sides_that_share_an_index_are_one_child(considered):
    (way,) = considered("SELECT * FROM t WHERE id < 3 OR a = 9 OR id > 198", 200)
    assert names(way.path) == ["PRIMARY", "by_a"]
    assert [len(part.ranges) for part in way.path.parts] == [2, 1]


def test_a_side_of_two_indexes_can_be_an_intersection(considered):
    table = considered("SELECT * FROM t WHERE id = 1 OR (a = 1 AND b = 1)", 40)
    assert [names(way.path) for way in table][-1] == ["PRIMARY", ["by_a", "by_b"]]
