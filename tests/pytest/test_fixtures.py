"""The fixtures: a schema of one's own in either world, and a chat system on one."""

import asyncio
import json
import socket
import struct

import pytest

from chatsim import BadParameterError, DuplicateKeyError

ONE_ROW = "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)"
NAMES = []


async def insert(tx):
    await tx.execute("INSERT INTO t VALUES (1)")


# --- schemas


@pytest.mark.worlds
def test_a_schema_is_empty_and_takes_tables_from_text_and_files(world, tmp_path):
    (tmp_path / "1.sql").write_text(ONE_ROW)
    world.apply(tmp_path)
    world.apply("INSERT INTO t VALUES (2)")
    assert world.execute("SELECT COUNT(*) FROM t WHERE id > ?", (0,)).scalar() == 2


@pytest.mark.worlds
def test_an_error_of_a_transaction_is_the_tests(world):
    world.apply(ONE_ROW)
    with pytest.raises(DuplicateKeyError):
        world.run(insert)


@pytest.mark.worlds
def test_a_migration_that_fails_is_named(world, tmp_path):
    (tmp_path / "1.sql").write_text("CREATE TABLE t (id INT, KEY (no_such))")
    with pytest.raises(BadParameterError, match=r"1\.sql: 1072.*, at: CREATE TABLE t"):
        world.apply(tmp_path)


@pytest.mark.worlds
async def test_an_async_test_calls_it_in_the_same_way(world):
    world.apply(ONE_ROW)
    assert (await asyncio.sleep(0, world.execute("SELECT id FROM t").scalar())) == 1


@pytest.mark.worlds
def test_the_isolation_level_of_a_transaction_can_be_said(world):
    async def level(tx):
        return (await tx.execute("SELECT @@transaction_isolation")).rows[0][0]

    assert world.run(level, isolation="READ COMMITTED").value == "READ-COMMITTED"
    with pytest.raises(BadParameterError, match="unknown isolation level 'CHAOS'"):
        world.run(level, isolation="CHAOS")


@pytest.mark.parametrize("_", range(2))
def test_each_test_has_a_schema_of_its_own_on_the_sessions_server(mysql, mysql_url, schemas, _):
    server, _, name = mysql.url.rpartition("/")
    assert server == mysql_url.rstrip("/")
    assert name in schemas()
    assert not NAMES or NAMES[-1] not in schemas(), "that of the test before is dropped"
    assert name not in NAMES
    NAMES.append(name)


def test_a_model_has_no_url(model):
    assert (model.world, model.url, model.server_version) == ("model", None, "9.7")


# --- a chat system


@pytest.mark.worlds
@pytest.mark.cluster(nodes=2, users=3)
def test_a_chat_system_runs_in_both_worlds(cluster):
    async def created(chat):
        ann, bob = [await chat.log_in(each.uid, deadline=10.0) for each in cluster.logins[:2]]
        try:
            return await ann.create_private_chat(bob.uid), await bob.create_private_chat(ann.uid)
        finally:
            await ann.close()
            await bob.close()

    cluster.befriend(*(each.uid for each in cluster.logins[:2]))
    one, other = cluster.run(created)
    assert one == other
    assert cluster.schema.execute("SELECT COUNT(*) FROM private_chat").scalar() == 1
    assert [each.name for each in cluster.logins] == ["user1001", "user1002", "user1003"]


@pytest.mark.worlds("mysql")
def test_a_foreign_client_logs_in_by_tcp(cluster):
    login = cluster.logins[0]
    body = json.dumps({"uid": login.uid, "token": login.token}).encode()
    with socket.create_connection((login.host, login.port), timeout=10) as connection:
        connection.sendall(struct.pack(">HH", 1005, len(body)) + body)
        number, length = struct.unpack(">HH", connection.recv(4, socket.MSG_WAITALL))
        reply = json.loads(connection.recv(length, socket.MSG_WAITALL))
    assert (number, reply["error"], reply["name"]) == (1006, 0, login.name)
