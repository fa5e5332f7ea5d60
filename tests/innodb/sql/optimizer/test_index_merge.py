"""When several indexes are searched for one table, by the figures of a MySQL 9.7's optimizer trace for the same."""

import pytest
from plans import two_indexes
from sqlglot import parse_one

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.expressions import Env, Scope
from chatsim.innodb.sql.optimizer.access_path import plan_access
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.conjuncts import conjuncts
from chatsim.innodb.sql.optimizer.explain import explain_access
from chatsim.innodb.sql.optimizer.index_hints import IndexHints
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.sql.optimizer.range_access import best_range_or_merge, range_candidates
from chatsim.innodb.sql.optimizer.scan_access import avoided_scan_cost, table_scan
from chatsim.innodb.storage.index_merge import Merge
from chatsim.simulation.loop import run

ID, A, B, C = range(4)
EVERY = {ID, A, B, C}


def merge(where, *, count=10, touched=EVERY, **kind):
    """The index merge that is cheaper than a range or a table scan, as EXPLAIN names it, its rows and its cost."""

    async def body():
        session = EngineSession(Engine(lambda: 0.0))
        for statement in (*two_indexes(count), "ANALYZE TABLE m"):
            await session.run(statement)
        scope = Scope([("m", session.engine.table("m"))])
        conditions = Conditions(
            scope, 0, (), conjuncts(parse_one(f"SELECT 1 FROM m WHERE {where}", "mysql").args["where"])
        )
        plan = plan_access(conditions, Env(session, ()), IndexHints(), touched=touched, **kind)
        ranges = range_candidates(plan.request)
        found = best_range_or_merge(plan.request, ranges, avoided_scan_cost(plan.request, table_scan(plan.request)))
        if found is None or not isinstance(found.path, Merge):
            return None
        row = explain_access(AccessPlan(conditions, found.path, True, found, plan.request), (), select_type="SIMPLE")
        return row.extra[0].removeprefix("Using "), found.rows, found.read_cost

    return run(body())


DELETE = {"is_select": False, "intersects": False}


@pytest.mark.parametrize(
    ("where", "kind", "merged", "rows", "cost"),
    [
        ("a = 1 AND b = 1", {}, "intersect(by_a,by_b)", 1, 0.751372),
        ("id < 3 AND b = 1", {}, "intersect(by_b,PRIMARY)", 1, 0.3),
        ("a = 1 OR id = 2", {}, "union(by_a,PRIMARY)", 4, 1.80414),
        ("a = 1 OR b = 1", DELETE, "union(by_a,by_b)", 6, 2.34339),
        ("a > 2 OR b = 1", {}, "sort_union(by_a,by_b)", 5, 2.7307),
    ],
)
def test_it_costs_what_the_server_says(where, kind, merged, rows, cost):
    assert merge(where, **kind) == (merged, rows, pytest.approx(cost, abs=5e-6))


def test_what_an_update_writes_has_to_be_known_by_the_indexes_too():
    where = "a = 2 AND id BETWEEN 2 AND 6"
    found = merge(where, count=20, touched={ID, A, C}, is_select=False)
    assert found == ("intersect(by_a,PRIMARY)", 1, pytest.approx(0.350274, abs=5e-7))
    # by_a knows all that this one touches: nothing is passed over, and one index is no intersection
    assert merge(where, count=20, touched={ID, A}, is_select=False) is None


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("a = 1 AND b = 1", DELETE),  # of which the server makes none
        ("a = 1 AND c = 1", {}),  # one index
        ("a = 1 OR c = 1", {}),  # a side that no index can be asked for
        ("a = 1 OR a > 2", {}),  # one index for both
        ("a < 3 OR a > 1", {}),  # which leaves nothing out
        ("a > 0 OR b > 0", {}),  # nearly all rows: the table is read
        ("a BETWEEN 1 AND 2 AND b < 2", {}),  # entries in no order of their rows
    ],
)
def test_there_is_none(where, kind):
    assert merge(where, **kind) is None


def test_sides_that_share_an_index_are_one_child():
    merged, _, _ = merge("id < 3 OR a = 9 OR id > 198", count=200)
    assert merged == "union(PRIMARY,by_a)"


def test_a_side_of_two_indexes_can_be_an_intersection():
    merged, _, _ = merge("id = 1 OR (a = 1 AND b = 1)", count=40)
    assert merged == "union(PRIMARY,intersect(by_a,by_b))"
