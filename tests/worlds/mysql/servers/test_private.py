"""A private instance: ours alone, on loopback, and gone with its owner however that one ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.worlds.mysql.servers import debian, ladder, private
from chatsim.worlds.mysql.servers.mysqld import MySQL, Profile
from chatsim.worlds.mysql.servers.redisd import Redis
from chatsim.worlds.mysql.servers.urls import without_password

SERVICES = [pytest.param(MySQL(Profile.QUICK), id="MySQL"), pytest.param(Redis(), id="Redis")]
OWNER = """
import sys
from chatsim.worlds.mysql.servers import ladder
from chatsim.worlds.mysql.servers.mysqld import MySQL, Profile
from chatsim.worlds.mysql.servers.redisd import Redis

service = {"MySQL": MySQL(Profile.QUICK), "Redis": Redis()}[sys.argv[1]]
instance = service.start(ladder.Unpacked(service).program())
print(instance.pid, flush=True)
sys.stdin.read()
"""
ORDINARY_USER = """
import os
from chatsim.worlds.mysql.servers import ladder
from chatsim.worlds.mysql.servers.mysqld import MySQL, Profile
from chatsim.worlds.mysql.servers.redisd import Redis

assert os.geteuid() != 0
for service in (MySQL(Profile.QUICK), Redis()):
    with ladder.climb(service, via="unpacked") as server:
        service.verify(server.url)
        print(server.url)
"""


@pytest.fixture(autouse=True)
def home(monkeypatch):
    """The folder that instances make theirs in, short enough for a socket's path; empty again after the test."""
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []


@pytest.fixture
def start():
    """A function that starts a private instance of an unpacked server; what is left of them is ended."""
    instances = []

    def start(service, *, keep=False, port=None):
        instances.append(service.start(ladder.Unpacked(service).program(), port, keep=keep))
        return instances[-1]

    yield start
    for instance in instances:
        instance.close()


def family(pid):
    """The supervisor and the server that it minds."""
    supervisor = psutil.Process(pid)
    (server,) = supervisor.children()
    return supervisor, server


def ended(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE  # nobody may be there to collect an orphan
    except psutil.NoSuchProcess:
        return True


def wait_until(true, seconds=15):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def port_of(instance):
    return urlsplit(instance.url).port


# how it ends


@pytest.mark.needs("apt")
@pytest.mark.parametrize(
    ("service", "keep"),
    [
        pytest.param(MySQL(Profile.QUICK), False, id="MySQL"),
        pytest.param(Redis(), False, id="Redis"),
        pytest.param(Redis(), True, id="Redis, kept"),
    ],
)
def test_closing_waits_until_the_server_and_its_directory_are_gone(start, service, keep):
    instance = start(service, keep=keep)
    processes = family(instance.pid)
    assert instance.directory.is_dir()
    service.verify(instance.url)
    instance.close()
    assert all(map(ended, processes))
    assert not instance.directory.exists()


@pytest.mark.needs("apt")
def test_closing_twice_is_harmless(start):
    instance = start(Redis())
    instance.close()
    instance.close()


@pytest.mark.needs("apt")
@pytest.mark.parametrize(
    ("service", "end"),
    [
        pytest.param("MySQL", lambda owner: owner.send_signal(signal.SIGKILL), id="kill -9"),
        pytest.param("Redis", lambda owner: owner.send_signal(signal.SIGINT), id="Ctrl-C"),
        pytest.param("Redis", lambda owner: owner.stdin.close(), id="its last line"),
    ],
)
def test_it_goes_when_its_owner_ends_without_closing(home, service, end):
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, service], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
    ) as owner:
        processes = family(int(owner.stdout.readline()))
        assert len(list(home.iterdir())) == 1
        end(owner)
    wait_until(lambda: all(map(ended, processes)))
    assert list(home.iterdir()) == []


@pytest.mark.needs("apt")
@pytest.mark.parametrize("keep", [False, True], ids=["owned", "kept"])
def test_it_goes_when_its_supervisor_is_told_to_end(start, keep):
    instance = start(Redis(), keep=keep)
    processes = family(instance.pid)
    processes[0].send_signal(signal.SIGTERM)
    wait_until(lambda: all(map(ended, processes)))
    assert not instance.directory.exists()


@pytest.mark.needs("apt")
def test_being_told_to_end_again_leaves_nothing_either(start):
    instance = start(MySQL(Profile.QUICK))
    processes = supervisor, server = family(instance.pid)
    supervisor.send_signal(signal.SIGTERM)
    wait_until(lambda: ended(server) or not answers(port_of(instance)))
    supervisor.send_signal(signal.SIGTERM)
    wait_until(lambda: all(map(ended, processes)))
    assert not instance.directory.exists()


@pytest.mark.needs("apt")
def test_the_server_does_not_outlive_a_killed_supervisor(start):
    instance = start(Redis())
    processes = family(instance.pid)
    processes[0].kill()
    wait_until(lambda: all(map(ended, processes)))
    shutil.rmtree(instance.directory)


@pytest.mark.needs("apt")
def test_ctrl_c_at_the_terminal_is_for_the_owner_alone(start):
    instance = start(Redis())
    supervisor, server = family(instance.pid)
    assert os.getsid(server.pid) == os.getsid(supervisor.pid) != os.getsid(0)
    supervisor.send_signal(signal.SIGINT)
    Redis().verify(instance.url)
    assert supervisor.is_running()


# how it does not come up


@pytest.mark.parametrize("service", SERVICES)
def test_a_port_in_use_is_one_clear_error(home, service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(private.StartError, match=f"^port {port} is in use; name another, or none"):
            service.start(private.Program(("nothing is run",)), port)
    assert list(home.iterdir()) == []


@pytest.mark.needs("apt")
def test_a_server_that_ends_while_starting_gives_its_last_words(home):
    program = ladder.Unpacked(MySQL()).program()
    options = [
        *program.argv,
        "--no-defaults",
        f"--basedir={program.root / 'usr'}",
        "--user=root",
        "--secure-file-priv=/no/where",
    ]
    with pytest.raises(private.StartError, match=r"^MySQL ended while starting: .*\[ERROR\].*: /no/where$") as error:
        private.start(
            "MySQL",
            lambda directory, port: [*options, f"--datadir={directory}", f"--port={port}"],
            lambda port: f"mysql://root@127.0.0.1:{port}",
            prepare=lambda _: None,
        )
    assert "\n" not in str(error.value)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("print('no room'); print('bye')", "bye"),
        ("print('hi'); print('ERROR: cause'); print('ERROR: bye')", "ERROR: cause"),
    ],
)
def test_the_first_error_says_more_than_the_last_line(script, words):
    with pytest.raises(private.StartError, match=f"^Toy ended while starting: {words}$"):
        start_toy(script)


def test_a_server_that_says_nothing_is_said_to_have_said_nothing():
    with pytest.raises(private.StartError, match=r"^Toy ended while starting: it said nothing$"):
        start_toy("")


def test_a_server_that_does_not_answer_in_time_is_ended(home, monkeypatch):
    monkeypatch.setattr(private, "_START_SECONDS", 0.3)
    pids = home.parent / f"{home.name}.pid"
    try:
        with pytest.raises(private.StartError, match=r"^Toy did not answer on port \d+ within 0 s$"):
            start_toy(f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
        assert not psutil.pid_exists(int(pids.read_text()))
    finally:
        pids.unlink(missing_ok=True)


def test_a_directory_that_can_not_be_filled_is_not_left(home):
    def prepare(directory):
        assert list(home.iterdir()) == [directory]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        start_toy("", prepare)


def start_toy(script, prepare=lambda _: None):
    return private.start("Toy", lambda *_: [sys.executable, "-c", script], str, prepare=prepare)


def test_a_program_that_fails_gives_its_last_line():
    program = private.Program((sys.executable,))
    assert program.run("-c", "print(1)") == "1\n"
    with pytest.raises(private.StartError, match=r"^python.* failed: ZeroDivisionError: division by zero$"):
        program.run("-c", "1 / 0")
    with pytest.raises(private.StartError, match=r"^python.* failed: 3$"):
        program.run("-c", "raise SystemExit(3)")


# what it is like


@pytest.mark.needs("apt")
@pytest.mark.parametrize("service", SERVICES)
def test_it_listens_on_loopback_only_and_on_one_port(start, service):
    instance = start(service)
    listening = [
        each.laddr for each in family(instance.pid)[1].net_connections("inet") if each.status == psutil.CONN_LISTEN
    ]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", port_of(instance))]


@pytest.mark.needs("apt")
def test_it_is_on_the_port_that_is_named(start):
    port = private.free_port()
    assert start(Redis(), port=port).url == f"redis://127.0.0.1:{port}/0"


@pytest.mark.needs("apt", "root")
def test_an_ordinary_user_can_unpack_and_run_one(monkeypatch):
    """MySQL from the packages that are here, Redis fetched anew; both in a cache of the user's own."""
    with tempfile.TemporaryDirectory(prefix="nobody-") as folder:
        shared, own = debian.unpack(MySQL().packages).root, Path(folder) / MySQL().packages.tree
        own.mkdir()
        (own / "root").symlink_to(shared)
        (own / debian._stamp(MySQL().packages).name).touch()
        templates = Path(folder) / "templates"
        templates.mkdir()
        for template in (debian.cache() / "templates").glob("mysql-*[0-9]"):
            (templates / template.name).symlink_to(template)
        for path in (folder, own, templates):
            os.chown(path, 65534, 65534)
        # to read is allowed, so that the interpreter may be in root's home; to write is not
        user = "--reuid=65534 --regid=65534 --clear-groups"
        may_read = "--inh-caps=-all,+dac_read_search --ambient-caps=+dac_read_search"
        done = subprocess.run(
            ["setpriv", *user.split(), *may_read.split(), sys.executable, "-c", ORDINARY_USER],
            env={**os.environ, "CHATSIM_CACHE": folder, "TMPDIR": folder, "HOME": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert [url.partition(":")[0] for url in done.stdout.split()] == ["mysql", "redis"]
        assert not list(Path(folder).glob("chatsim-*"))


# its URL


@given(password=st.text(min_size=1), user=st.sampled_from(["", "root", "a%40b"]))
def test_a_password_is_never_shown(password, user):
    shown = without_password(f"mysql://{user}:{password}@db.example.org:3306")
    assert shown == f"mysql://{user}:***@db.example.org:3306"


@pytest.mark.parametrize("url", ["mysql://root@127.0.0.1:3306", "redis://127.0.0.1:6379/0", ""])
def test_a_url_without_a_password_is_shown_as_it_is(url):
    assert without_password(url) == url


@pytest.mark.needs("apt")
@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_server_is_started_again_on_what_it_has_left(start, service):
    instance = start(service)
    _, before = family(instance.pid)
    instance.kill()
    assert ended(before)
    instance.revive()
    _, after = family(instance.pid)
    assert after.pid != before.pid
    service.verify(instance.url)


@pytest.mark.needs("apt")
def test_a_killed_server_may_be_closed_before_it_is_started_again(start):
    instance = start(MySQL(Profile.QUICK))
    instance.kill()
    instance.close()
    assert not instance.directory.exists()
