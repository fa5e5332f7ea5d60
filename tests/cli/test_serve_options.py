"""The options of ``chatsim serve``, and what is wrong from the start."""

import re
import socket
import subprocess
from contextlib import ExitStack

import pytest
from click.testing import CliRunner
from foreign import CHATSIM
from serving import (
    MODES,
    SUCCESS,
    cannot_listen,
    free_ports,
    leaves_no_schema,
    login,
    may_be_too_deep,
    nested,
    nobody_listens,
    padded,
    serving,
    ticket,
)

from chatsim.cli import main

# --- options


def test_with_one_session_each_a_second_login_ends_the_first_wherever_it_is(mysql_url):
    with serving(mysql_url, "--nodes", 2, "--sessions", "one") as running, ExitStack() as stack:
        here = ticket(running, 1001)
        there = here | {"port": ticket(running, 1002)["port"]}
        other, _ = login(ticket(running, 1002))
        stack.enter_context(other)
        last = None
        for where in (here, there, there, here):
            client, (_, reply) = login(where)
            stack.enter_context(client)
            assert reply["error"] == SUCCESS
            if last is not None:
                assert last.hear() == (1021, {"error": 0, "uid": 1001})
                assert last.hear() is None
            last = client
        assert last.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})
        assert other.ask(1023, {"fromuid": 1002}) == (1024, {"error": SUCCESS})
        running.logs("user 1001 .* has ended: logged in elsewhere")


@pytest.fixture(scope="module", params=[("in_process", 2), ("processes", 1)], ids=lambda param: param[0])
def other(request, mysql_url):
    """Nodes with options, and the ports they are to have."""
    mode, nodes = request.param
    ports = free_ports(nodes)
    words = ["--host", "0.0.0.0", "--port", ports[0], "--request-bytes", 65_535]
    with serving(mysql_url, "--nodes", nodes, *words, *MODES[mode], users=2) as running:
        yield running, ports
    assert running.process.returncode == 0


def test_the_nodes_ports_follow_the_first(other):
    running, ports = other
    assert {each["port"] for each in running.said} == set(ports)


def test_a_host_that_others_reach_is_warned_of(other):
    running, _ = other
    assert {each["host"] for each in running.said} == {"0.0.0.0"}
    running.logs(r"(?m)^Warning: other machines can reach 0\.0\.0\.0, and connections are not encrypted\.$")


def test_requests_may_be_allowed_to_be_larger(other):
    where = ticket(other[0], 1001)
    client, (_, reply) = login(where, padding="x" * 3_000)
    with client:
        assert reply["error"] == SUCCESS
        for size in (3_000, 65_535):
            assert client.ask(1023, padded(b'{"fromuid":1001}', size)) == (1024, {"error": SUCCESS})


@pytest.mark.parametrize("body", [b"[" * 20_000, b'{"fromuid":' * 5_000], ids=["arrays", "objects"])
def test_large_ones_that_are_nothing_but_brackets_end_the_connection(other, body):
    running, _ = other
    user, _ = login(ticket(running, 1001))
    hostile, _ = login(ticket(running, 1001))
    with user, hostile:
        assert hostile.ask(1023, body) is None
        assert user.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})
    running.logs(rf"user 1001 at {hostile.name} has ended: message 1023: ")


@pytest.mark.parametrize("depth", [10_000, 30_000])
def test_large_ones_with_brackets_without_end_concern_nobody_else(other, depth):
    running, _ = other
    user, _ = login(ticket(running, 1001))
    hostile, _ = login(ticket(running, 1001))
    with user, hostile:
        may_be_too_deep(running, hostile, nested(depth))
        assert user.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})


# --- what is wrong from the start


@leaves_no_schema
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--sessions", "one", "--processes", "--nodes", 2],
            "--sessions one needs servers that know each other's users: with --processes, add --redis --grpc",
        ),
        *(
            (
                ["--processes", one],
                "with --processes, give both --redis and --grpc, or neither",
            )
            for one in ("--redis", "--grpc")
        ),
        (["--redis", "--redis-url", "redis://127.0.0.1:1"], r"Redis at redis://127\.0\.0\.1:1 can't be used: .*"),
        (["--port", 65535, "--nodes", 2], "2 servers from port 65535 would need ports above 65535"),
        (["--mysql-url", "mysql://root@127.0.0.1:1"], r"MySQL at mysql://root@127\.0\.0\.1:1 can't be used: .*"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_serve_says_in_a_sentence_what_it_can_not_do(complaint, words, sentence):
    assert re.fullmatch(f"Error: {sentence}\n", complaint("serve", *words))


@pytest.mark.parametrize("command", ["serve", "node"])
@pytest.mark.parametrize("host", ["nonsense", "", "example.org", "1.2.3"])
def test_a_host_that_is_no_ip_address_is_named(command, host):
    result = CliRunner().invoke(main, [command, *(["--schema", "any"] if command == "node" else []), "--host", host])
    assert result.exit_code == 2
    assert f"Invalid value for '--host': {host!r} is not an IP address." in result.stderr


@pytest.mark.parametrize("pool", [0, -3])
def test_a_pool_without_a_connection_is_refused(pool):
    result = CliRunner().invoke(main, ["serve", "--pool", str(pool)])
    assert result.exit_code == 2
    assert "is not in the range x>=1" in result.stderr


@leaves_no_schema
@pytest.mark.parametrize("number", [1, 2])
def test_a_port_in_use_is_named_with_its_node(complaint, number):
    ports = free_ports(2)
    with socket.create_server(("127.0.0.1", ports[number - 1])):
        said = complaint("serve", "--nodes", 2, "--port", ports[0])
    assert re.fullmatch(cannot_listen(number, ports[number - 1]) + "\n", said)
    assert nobody_listens(ports)


@leaves_no_schema
def test_a_port_in_use_is_named_by_a_node_in_a_process_of_its_own_too(mysql_url):
    ports = free_ports(2)
    with socket.create_server(("127.0.0.1", ports[1])):
        done = subprocess.run(
            [*CHATSIM, "serve", "--nodes", "2", "--processes", "--port", str(ports[0])],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    first, *_, last = done.stderr.splitlines()
    assert re.fullmatch(cannot_listen(2, ports[1]), first)
    assert last == "Error: node2 did not start; its own message is above"
    assert "Traceback" not in done.stderr
    assert nobody_listens(ports)
