"""``chatsim serve`` and connections that never log in: nobody is locked out, and the log stays short.

The attacker is a process of its own, with descriptors of its own. It binds its connections to addresses of 127/8.
"""

import json
import resource
import subprocess
import sys
from contextlib import contextmanager

from foreign import CHATSIM, Serving
from serving import SUCCESS, login, ticket

ATTACKER = """
import json, select, socket, sys, time

host, port, each, *sources = sys.argv[1:]
crowd = []
for source in sources:
    for _ in range(int(each)):
        crowd.append(socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0)))
print("there", flush=True)
wanted, until = int(sys.stdin.readline()), time.monotonic() + 30
poll = select.poll()
for connection in crowd:
    poll.register(connection, select.POLLIN)
while len(events := poll.poll(100)) < wanted and time.monotonic() < until:
    pass
sources_of = {connection.fileno(): connection.getsockname()[0] for connection in crowd}
ended = dict.fromkeys(sources, 0)
for number, _ in events:
    ended[sources_of[number]] += 1
print(json.dumps(ended))
"""


@contextmanager
def silent(where, each, *sources):
    """So many connections from each of the addresses.

    Yields a function that waits until so many were ended, and returns how many that are, by address.
    """
    words = [where["host"], where["port"], each, *sources]
    with subprocess.Popen(
        [sys.executable, "-c", ATTACKER, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as attacker:
        assert attacker.stdout.readline() == "there\n"

        def ended(count):
            return json.loads(attacker.communicate(f"{count}\n")[0])

        try:
            yield ended
        finally:
            attacker.kill()


def serving(mysql_url, *words, files=None):
    """`chatsim serve`, which may open so many files."""
    words = ("serve", "--users", 2, *words)
    if files is None:
        return Serving(*words, lines=2, CHATSIM_MYSQL_URL=mysql_url)
    starter = f"import os, resource, sys; resource.setrlimit({resource.RLIMIT_NOFILE}, ({files}, {files})); "
    return Few(starter + "os.execv(sys.argv[1], sys.argv[1:])", words, CHATSIM_MYSQL_URL=mysql_url)


class Few(Serving):
    """`Serving` by way of a program that lowers its limits."""

    def __init__(self, starter, words, **variables):
        super().__init__(lines=2, **variables)
        self.command = [sys.executable, "-c", starter, *CHATSIM, *map(str, words)]


def heartbeat(client, uid):
    return client.ask(1023, {"fromuid": uid})


def test_a_thousand_silent_connections_lock_nobody_out_where_descriptors_are_few(mysql_url):
    with serving(mysql_url, files=1_024) as running:
        here, _ = login(ticket(running, 1001))
        with here, silent(ticket(running, 1001), 1_100, "127.0.0.1"):
            assert heartbeat(here, 1001) == (1024, {"error": SUCCESS})
            other, (_, reply) = login(ticket(running, 1002))
            with other:
                assert reply["error"] == SUCCESS
                assert heartbeat(other, 1002) == (1024, {"error": SUCCESS})
        assert running.end() == 0
        assert "Traceback" not in running.stderr
        assert sum(" WARNING " in line for line in running.stderr.splitlines()) <= 3


def test_an_address_has_its_share_and_others_theirs(mysql_url):
    words = ("--connections-per-address", 5, "--login-seconds", 60)
    with serving(mysql_url, *words) as running:
        here, _ = login(ticket(running, 1001))
        with here, silent(ticket(running, 1001), 12, "127.0.0.2", "127.0.0.3") as ended:
            running.logs(r"127\.0\.0\.2 has 5 connections, as many as it may have; one without a login makes room")
            assert heartbeat(here, 1001) == (1024, {"error": SUCCESS})
            assert ended(14) == {"127.0.0.2": 7, "127.0.0.3": 7}


def test_who_does_not_log_in_in_time_is_hung_up_on(mysql_url):
    with serving(mysql_url, "--login-seconds", 0.5) as running, silent(ticket(running, 1001), 3, "127.0.0.1") as ended:
        assert ended(3) == {"127.0.0.1": 3}
        running.logs(r"(?s)(.*has ended: no login within 0\.5 s\n){3}")
