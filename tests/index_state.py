"""What an engine keeps of its tables: every index, every version, every mark, every lock."""

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import current_loop, run

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, u INT, k INT, v INT, UNIQUE KEY by_u (u), KEY by_k (k, u))"
ROWS = "INSERT INTO t VALUES (1, 1, 1, 1), (2, 2, 1, 2), (3, 3, NULL, 3), (4, NULL, 2, 4)"


def there(body, **settings):
    """Run a test with an engine that has the table, in virtual time; gives what the test gives."""

    async def main():
        engine = Engine(current_loop().time, **{"purges": False} | settings)
        admin = EngineSession(engine)
        for sql in (TABLE, ROWS):
            await admin.run(sql)
        engine.purge()
        return await body(engine, admin)

    return run(main())


def records(index):
    record = index.supremum.following
    while not record.is_supremum:
        yield record
        record = record.following


def chain(record):
    found = [(tuple(record.row), record.writer, record.deleted)]
    version = record.older
    while version is not None:
        found.append((tuple(version.row), version.writer, version.deleted))
        version = version.older
    return found


def state(engine):
    """All that an engine keeps of its tables: each index's records, with every version, its writer and its marks."""
    return {
        (table.name, index.definition.name): [(record.key, chain(record)) for record in records(index)]
        for table in engine.tables.values()
        for index in table.indexes
    }


def shape(engine):
    """The keys in each index of the table, the delete-marked ones in parentheses."""
    return {
        index.definition.name: [f"({each.key[0]})" if each.deleted else f"{each.key[0]}" for each in records(index)]
        for index in engine.tables["t"].indexes
    }


def nothing_is_locked(engine):
    for table in engine.tables.values():
        assert not table.locks.granted
        assert not table.locks.auto_inc
        for index in table.indexes:
            assert [record for record in (*records(index), index.supremum) if record.locks] == []
    return engine.data_locks() == []


def consistent(engine):
    """Every row that is there has one live entry in each index; no other entry is alive."""
    for table in engine.tables.values():
        rows = [record.row for record in records(table.clustered) if not record.deleted]
        for index in table.secondary:
            live = [record.key for record in records(index) if not record.deleted]
            assert sorted(map(repr, live)) == sorted(repr(index.key_of(row)) for row in rows)
    return True


async def ignoring_errors(session, sql):
    try:
        await session.run(sql)
    except DatabaseError as error:
        if error.errno not in (1062, 1305):
            raise
