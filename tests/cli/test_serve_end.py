"""How ``chatsim serve`` ends, and what is left when it or a server of it is killed."""

import asyncio
import json
import re
import signal
import time
from contextlib import ExitStack

import psutil
import pytest
from serving import (
    CLOSES,
    MODES,
    SUCCESS,
    connect,
    leaves_no_schema,
    login,
    nobody_listens,
    serving,
    ticket,
)

from chatsim.worlds.mysql.stale_schemas import drop_stale_schemas

# --- the end


def gone(processes):
    """Wait until they have ended; a process whose parent was killed may stay a zombie where nobody reaps it."""
    _, alive = psutil.wait_procs([each for each in processes if not zombie(each)], timeout=1)
    until = time.monotonic() + 20
    while alive := [each for each in alive if each.is_running() and not zombie(each)]:
        assert time.monotonic() < until, f"still there: {alive}"
        psutil.wait_procs(alive, timeout=0.2)


def zombie(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def nodes_of(running):
    """The processes of its nodes, by name; its own for those that have none."""
    own = psutil.Process(running.process.pid)
    found = {}
    for each in own.children(recursive=True):
        words = each.cmdline()
        if "--name" in words:
            found[words[words.index("--name") + 1]] = each
    return found


@leaves_no_schema
@pytest.mark.parametrize(
    ("mode", "number"),
    [("in_process", signal.SIGTERM), ("in_process", signal.SIGINT), ("processes", signal.SIGTERM)],
    ids=lambda value: getattr(value, "name", value),
)
def test_it_ends_in_order_when_it_is_told_to(mysql_url, mode, number):
    with serving(mysql_url, "--nodes", 2, *MODES[mode]) as running, ExitStack() as stack:
        nodes = nodes_of(running)
        assert len(nodes) == {"in_process": 0, "processes": 2}[mode]
        clients = {each["uid"]: stack.enter_context(login(each)[0]) for each in running.said}
        stranger = stack.enter_context(connect(running.said[0]))
        assert running.end(number) == 0
        for uid, client in clients.items():
            assert client.hear() == (1021, {"error": CLOSES, "uid": uid})
            assert client.hear() is None
        heard = stranger.hear()
        assert heard in (None, (1021, {"error": CLOSES, "uid": 0}))
        gone(nodes.values())
        assert nobody_listens({each["port"] for each in running.said})
        assert [json.loads(line) for line in running.stdout.splitlines()] == running.said
        assert len(running.said) == 4
        assert not re.search("Traceback|has died", running.stderr)


@leaves_no_schema
def test_a_node_that_is_killed_takes_nobody_along(mysql_url):
    with serving(mysql_url, "--nodes", 2, "--processes") as running, ExitStack() as stack:
        clients = {each["uid"]: stack.enter_context(login(each)[0]) for each in running.said}
        nodes = nodes_of(running)
        nodes["node1"].kill()
        assert clients[1001].hear() is None
        assert clients[1003].hear() is None
        running.logs(r"ERROR node1 has died \(signal 9\)\n")
        for uid in (1002, 1004):
            assert clients[uid].ask(1023, {"fromuid": uid}) == (1024, {"error": SUCCESS})
            assert clients[uid].ask(1027, {"uid": uid, "other_id": 1001})[1]["error"] == SUCCESS
        moved, (_, reply) = login(ticket(running, 1001) | {"port": ticket(running, 1002)["port"]})
        with moved:
            assert reply["error"] == SUCCESS, "its users can log in at the other"
        assert running.end(signal.SIGINT) == 0
        for uid in (1002, 1004):
            assert clients[uid].hear() == (1021, {"error": CLOSES, "uid": uid})
            assert clients[uid].hear() is None
        gone(nodes.values())
        assert nobody_listens({each["port"] for each in running.said})
        assert "Traceback" not in running.stderr
        assert "node2 has died" not in running.stderr


@pytest.mark.parametrize("sharing", [(), ("--redis", "--grpc")], ids=["alone", "by redis and grpc"])
def test_nodes_and_a_redis_of_its_own_end_with_a_serve_that_is_killed(mysql_url, schemas, monkeypatch, sharing):
    monkeypatch.delenv("CHATSIM_REDIS_URL", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")  # a container would be left to testcontainers' reaper
    before = schemas()
    with serving(mysql_url, "--nodes", 2, "--processes", *sharing) as running, ExitStack() as stack:
        all_of_it = psutil.Process(running.process.pid).children(recursive=True)
        clients = {each["uid"]: stack.enter_context(login(each)[0]) for each in running.said}
        nodes = nodes_of(running)
        assert set(nodes) == {"node1", "node2"}
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
        for uid, client in clients.items():
            assert client.hear() == (1021, {"error": CLOSES, "uid": uid})
            assert client.hear() is None
        gone(all_of_it)
        assert nobody_listens({each["port"] for each in running.said})
    left = schemas() - before
    assert len(left) == 1, "nobody was there to drop it"
    assert left <= set(asyncio.run(drop_stale_schemas(mysql_url)))
