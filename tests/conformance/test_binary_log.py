"""For its binary log the server reads whole rows, and sees that an UPDATE changes nothing: it weighs less then."""

import asyncio

import msgspec
import pytest

from chatsim.conformance import model_player, mysql_player
from chatsim.conformance.schedule import Schedule, Step
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

STEPS = (
    ("a", "BEGIN"),
    ("a", "UPDATE t SET v = 1 WHERE id IN (1, 3, 4)"),  # as it is: three undo records, or none
    ("b", "BEGIN"),
    ("b", "SELECT * FROM u WHERE id = 1 FOR UPDATE"),
    ("b", "SELECT * FROM t WHERE id = 2 FOR UPDATE"),
    ("a", "SELECT * FROM t WHERE id = 2 FOR UPDATE"),
    ("b", "SELECT * FROM t WHERE id = 1 FOR UPDATE"),
)
SCHEDULE = Schedule(
    id="here",
    sessions=["a", "b"],
    setup=[
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE u (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1, 1), (2, 1), (3, 1), (4, 1)",
        "INSERT INTO u VALUES (1)",
    ],
    steps=[Step(number, session, sql) for number, (session, sql) in enumerate(STEPS, 1)],
)


def victim(outcome):
    (dead,) = [each.session for step in outcome.steps for each in step.completed if each.errno == 1213]
    return dead


@pytest.mark.parametrize(("log_bin", "dies"), [(True, "a"), (False, "b")])
def test_the_model_weighs_an_update_that_changes_nothing_by_whether_there_is_a_binary_log(log_bin, dies):
    assert victim(model_player.play(SCHEDULE, log_bin=log_bin)) == dies
    said = msgspec.structs.replace(SCHEDULE, server={"log_bin": int(log_bin)})
    assert victim(model_player.play(said, log_bin=not log_bin)) == dies


@pytest.mark.needs("apt")
@pytest.mark.parametrize(
    ("profile", "server", "dies"), [("durable", {}, "a"), ("quick", {}, "b"), ("durable", {"log_bin": 0}, "b")]
)
def test_so_does_the_server(profile, server, dies):
    settings = tuple((name, str(value)) for name, value in server.items())

    async def body():
        async with MySQLWorld(Servers(mysql_via="unpacked", profile=profile, settings=settings)) as world:
            return await mysql_player.play(world, msgspec.structs.replace(SCHEDULE, server=server))

    assert victim(asyncio.run(body())) == dies
