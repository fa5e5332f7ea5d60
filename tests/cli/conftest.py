"""What the tests of commands share: a `chatsim serve` that runs, clients of it, and a command that fails."""

import logging
import re
from contextlib import ExitStack

import pytest
from click.testing import CliRunner
from serving import MODES, SUCCESS, login, serving, ticket

from chatsim.cli import main


@pytest.fixture(scope="module", params=list(MODES))
def server(request, mysql_url):
    """Two nodes and the users 1001 to 1004, for all the tests that leave it as it is."""
    with serving(mysql_url, "--nodes", 2, *MODES[request.param]) as running:
        yield running
    assert running.process.returncode == 0
    assert not re.search("Traceback| ERROR ", running.stderr)
    assert len(running.stdout.splitlines()) == len(running.said) == 4


@pytest.fixture
def mode(server):
    return "processes" if "--processes" in server._words else "in_process"


@pytest.fixture
def no_schema_is_left(schemas):
    before = schemas()
    yield
    assert schemas() <= before


@pytest.fixture
def enter(server):
    """A function that logs a user in, where `serve` said so."""
    with ExitStack() as stack:

        def enter(uid):
            client, (number, reply) = login(ticket(server, uid))
            stack.enter_context(client)
            assert (number, reply["error"]) == (1006, SUCCESS)
            return client

        yield enter


class Witnesses:
    """A user on each node, whom nothing that happens to others concerns."""

    def __init__(self, *entered):
        self._entered = entered

    def notice_nothing(self):
        """They are heard, and can create a chat."""
        threads = set()
        for (uid, client), (other, _) in zip(self._entered, reversed(self._entered), strict=True):
            assert client.silent()
            assert client.ask(1023, {"fromuid": uid}) == (1024, {"error": SUCCESS})
            number, reply = client.ask(1027, {"uid": uid, "other_id": other})
            assert (number, reply["error"]) == (1028, SUCCESS)
            threads.add(reply["thread_id"])
        assert len(threads) == 1


@pytest.fixture
def witnesses(server, enter):
    """1003 and 1004, who are asked once more at the end of the test."""
    assert ticket(server, 1003)["port"] != ticket(server, 1004)["port"]
    both = Witnesses((1003, enter(1003)), (1004, enter(1004)))
    both.notice_nothing()
    yield both
    both.notice_nothing()


@pytest.fixture
def complaint(caplog):
    """A function that runs a command that fails, in this process, and returns what it says."""
    caplog.set_level(logging.INFO, "chatsim")  # as the command does; the fixture puts it back

    def complaint(*words, **variables):
        result = CliRunner().invoke(main, [str(word) for word in words], env=variables)
        assert isinstance(result.exception, SystemExit)
        assert (result.exit_code, result.stdout) == (2, "")
        return result.stderr

    return complaint
