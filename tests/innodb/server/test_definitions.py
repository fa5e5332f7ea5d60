"""Temporary tables: whose they are, what they hide, and what a rollback says about them."""

from tests.engine_sessions import alone, outcome, play


def test_a_temporary_table_is_in_front_of_another_one_of_its_name_for_its_session():
    async def body(_, a, b):
        told = [await outcome(a, "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY)")]
        told += [await outcome(a, "INSERT INTO t VALUES (7)"), await outcome(a, "SELECT * FROM t")]
        told += [await outcome(b, "SELECT COUNT(*) FROM t"), await outcome(b, "DROP TEMPORARY TABLE t")]
        told += [await outcome(a, "DROP TABLE t"), await outcome(a, "SELECT COUNT(*) FROM t")]
        return told

    assert play(body) == [0, 1, [(7,)], [(3,)], "1051: Unknown table 't'", 0, [(3,)]]


def test_nothing_in_a_temporary_table_is_locked():
    async def body(engine, session):
        await session.run("CREATE TEMPORARY TABLE u (id INT PRIMARY KEY); BEGIN; INSERT INTO u VALUES (1), (2)")
        await session.run("SELECT * FROM u FOR UPDATE; DELETE FROM u WHERE id = 1; SAVEPOINT s")
        await session.run("UPDATE u SET id = 5; ROLLBACK TO s")
        return engine.data_locks()

    assert play(body, sessions=1) == []


def test_making_and_dropping_one_does_not_commit_but_can_not_be_undone():
    async def body(_, session):
        await session.run("BEGIN; DELETE FROM t; CREATE TEMPORARY TABLE u (id INT)")
        (answer,) = await session.run("ROLLBACK")
        return answer.warnings, await outcome(session, "SELECT COUNT(*) FROM t"), await outcome(session, "DROP TABLE u")

    warnings, count, dropped = play(body, sessions=1)
    assert [errno for errno, _ in warnings] == [1751]
    assert (count, dropped) == ([(3,)], 0)


def test_a_table_in_memory_keeps_its_rows_when_the_transaction_is_rolled_back():
    async def body(_, session):
        await session.run("CREATE TEMPORARY TABLE m (id INT PRIMARY KEY) ENGINE=MEMORY; BEGIN")
        await session.run("INSERT INTO m VALUES (1)")
        (answer,) = await session.run("INSERT INTO t VALUES (9, 9)")
        (undone,) = await session.run("ROLLBACK")
        rows = await outcome(session, "SELECT * FROM m")
        return [errno for errno, _ in answer.warnings], [errno for errno, _ in undone.warnings], rows

    assert play(body, sessions=1) == ([6414], [1196], [(1,)])


def test_a_temporary_table_has_no_foreign_keys_and_goes_with_its_session():
    assert alone("CREATE TEMPORARY TABLE u (id INT, KEY (id), FOREIGN KEY (id) REFERENCES t (id))") == [
        "1215: Cannot add foreign key constraint"
    ]

    async def body(_, a, b):
        await a.run("CREATE TEMPORARY TABLE u (id INT)")
        a.close()
        return await outcome(b, "SELECT * FROM u")

    assert play(body) == "1146: Table 'u' doesn't exist"


def test_a_dropped_table_that_is_not_there_is_noted():
    async def body(_, session):
        (answer,) = await session.run("DROP TABLE IF EXISTS t, x")
        (temporary,) = await session.run("DROP TEMPORARY TABLE IF EXISTS y")
        return answer.warnings, temporary.warnings

    assert play(body, sessions=1) == ([(1051, "Unknown table 'x'")], [(1051, "Unknown table 'y'")])
