"""No clause of a drawn statement is passed over: each kind is taken away from many, and something else comes out."""

from collections import Counter

import sqlglot
from sqlglot import exp

from chatsim.conformance.generation.numbered import NumberedSchedules
from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

MANY = 200
NOW = 1_700_000_000.0
NEEDED = {("Update", "expressions"), ("Select", "expressions"), ("Insert", "this"), ("Insert", "expression")}
"""Parts without which there is no statement."""
FREE_PARTS = ("where", "order", "limit", "group", "having", "distinct", "locks", "ignore", "conflict", "hints", "side")
FREE_PARTS += ("on", "wait", "partition_by", "with_", "desc", "expressions")


def outcome(setup, sql, *, beside_another=False):
    """What a statement does: its rows, counts and warnings, the locks, the tables after it; or its refusal.

    With ``beside_another``, another transaction has locked the rows of a table.
    """

    async def body():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        for each in setup:
            await session.run(each)
        if beside_another:
            other = EngineSession(session.engine)
            await other.run("BEGIN")
            await other.run("SELECT * FROM t FOR UPDATE")
        await session.run("BEGIN")
        try:
            (answer,) = await session.run(sql)
        except (NotImplementedError, DatabaseError) as error:
            return type(error).__name__, str(error)
        locks = sorted((each.table, str(each.index), each.mode, str(each.data)) for each in session.engine.data_locks())
        tables = [(await session.run(f"SELECT * FROM {name}"))[0].rows for name in sorted(session.engine.tables)]
        return answer.rows, answer.affected, [errno for errno, _ in answer.warnings], locks, tables

    return run(body())


def without_a_part(sql):
    """The statement, and the same without each of its parts, one at a time, by the kind of the part."""
    if sql.startswith("UPDATE IGNORE"):
        yield ("Update", "ignore"), sql, sql.replace(" IGNORE", "", 1)
        return
    if sql.startswith("DELETE FROM x"):  # DELETE x, which means the same, is read by sqlglot
        return
    tree = sqlglot.parse_one(sql, read="mysql")
    for number, node in enumerate(tree.walk()):
        for part in FREE_PARTS:
            kind = type(node).__name__, part
            if not node.args.get(part) or kind in NEEDED or (part == "expressions" and not isinstance(node, exp.Lock)):
                continue
            copy = tree.copy()
            list(copy.walk())[number].set(part, None)
            yield kind, tree.sql("mysql"), copy.sql("mysql")


def test_each_kind_of_clause_makes_a_difference():
    source = NumberedSchedules(seed=3)
    tried, differing = Counter(), set()
    for schedule in map(source.draw, range(1, MANY + 1)):
        if "REPEAT(" in "".join(schedule.setup):
            continue  # tables of several pages take time, and have the same clauses
        for step in schedule.steps:
            if step.sql.split()[0] not in ("SELECT", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE"):
                continue
            for kind, sql, less in without_a_part(step.sql):
                if kind in differing:
                    continue
                tried[kind] += 1
                beside = kind == ("Lock", "wait")
                both = [outcome(schedule.setup, each, beside_another=beside) for each in (sql, less)]
                if both[0] != both[1]:
                    differing.add(kind)
    assert set(tried) - differing == set()
    assert differing >= {
        *(("Select", part) for part in ("where", "order", "limit", "group", "having", "distinct", "locks", "with_")),
        *(("Update", "where"), ("Update", "order"), ("Update", "limit"), ("Update", "ignore")),
        *(("Delete", "where"), ("Delete", "order"), ("Delete", "limit")),
        *(("Insert", "ignore"), ("Insert", "conflict"), ("Join", "side"), ("Join", "on"), ("Table", "hints")),
        *(("Lock", "wait"), ("Lock", "expressions"), ("Window", "partition_by"), ("Ordered", "desc")),
    }
