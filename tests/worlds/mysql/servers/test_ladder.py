"""The ladder for real: each rung gives a server, the named one wins, and what fails says why."""

import asyncio
import contextlib
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest
from testcontainers.core.labels import LABEL_SESSION_ID, SESSION_ID

from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.driver import BadUrlError
from chatsim.worlds.mysql.servers import debian, ladder, private
from chatsim.worlds.mysql.servers.ladder import NoServerError, ServerError, UnavailableError, climb
from chatsim.worlds.mysql.servers.mysqld import MySQL, Profile
from chatsim.worlds.mysql.servers.redisd import Redis
from chatsim.worlds.mysql.servers.urls import without_password
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import WorldError

QUICK = MySQL(Profile.QUICK)
SERVICES = [pytest.param(QUICK, id="MySQL"), pytest.param(Redis(), id="Redis")]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder that private instances make theirs in; empty again after the test."""
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An empty PATH, and a function that puts a script there under a name."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def install(name, script):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return str(program)

    return install


@pytest.fixture
def no_docker(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")


@pytest.fixture
def nothing_unpacked(monkeypatch, tmp_path):
    monkeypatch.setenv("CHATSIM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def unpacked():
    """A function that gives a service's unpacked program; fetched before a test hides apt-get from the PATH."""
    trees = {service.name: debian.unpack(service.packages) for service in (QUICK, Redis())}
    return lambda service: trees[service.name].program(service.program)


@pytest.fixture(scope="module")
def mariadb_tree():
    return debian.unpack(debian.Packages("mariadb", ("mariadb-server-core",)))


@pytest.fixture(scope="module")
def mariadb(mariadb_tree):
    """The URL of a real MariaDB."""
    tree, program = mariadb_tree, mariadb_tree.program("mariadbd")

    def command(directory, port):
        return [
            *(*program.argv, "--no-defaults", "--user=root", "--skip-grant-tables", "--skip-networking=0"),
            f"--lc-messages-dir={tree.root / 'usr/share/mysql'}",
            f"--datadir={directory}",
            f"--socket={directory / 'sock'}",
            f"--pid-file={directory / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={port}",
        ]

    instance = private.start("MariaDB", command, "mysql://root:sesame@127.0.0.1:{}".format, prepare=lambda _: None)
    yield instance.url
    instance.close()


def installed(program):
    """A script that runs an unpacked program as though it were installed."""
    share = program.root / "usr" / "share" / "mysql"
    where = f"--basedir={program.root / 'usr'} --lc-messages-dir={share} --secure-file-priv=" if share.exists() else ""
    return f'exec {" ".join(program.argv)} "$@" {where}'


def containers():
    """The containers of this session's that are there, running or not."""
    with contextlib.closing(docker.from_env()) as engine:
        return engine.containers.list(all=True, filters={"label": f"{LABEL_SESSION_ID}={SESSION_ID}"})


async def settings(url):
    session = await driver.connect(url)
    rows = await session.execute("SELECT @@log_bin, @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite")
    await session.close()
    return rows.rows[0]


def refused(service, url):
    with pytest.raises(ServerError):
        service.verify(url)
    return True


# the server that is named


def test_a_named_mysql_is_used_and_outlives_its_use(mysql_url):
    with climb(QUICK, mysql_url) as server:
        assert (server.url, server.rung, server.own) == (mysql_url, "url", False)
    QUICK.verify(mysql_url)


def test_a_named_redis_is_used_and_outlives_its_use(redis_url):
    with climb(Redis(), redis_url) as server:
        assert (server.url, server.rung, server.own) == (redis_url, "url", False)
    Redis().verify(redis_url)


@pytest.fixture
def nothing_else(monkeypatch):
    """Fails the test should any rung but the named one be tried."""
    for rung in (ladder.Container, ladder.OnPath, ladder.Unpacked):
        monkeypatch.setattr(rung, "open", lambda rung: pytest.fail(f"{rung.name} was tried"))


@pytest.mark.parametrize("service", SERVICES)
def test_where_nobody_answers_no_other_rung_is_tried(service, nothing_else):
    scheme = service.name.lower()
    where = f"127.0.0.1:{private.free_port()}"
    with pytest.raises(ServerError, match=rf"^{service.name} at {scheme}://me:\*\*\*@{where} can't be used: ") as error:
        climb(service, f"{scheme}://me:sesame@{where}")
    assert not isinstance(error.value, NoServerError)
    assert "sesame" not in str(error.value)


def test_where_the_login_is_refused_no_other_rung_is_tried(mysql_url, nothing_else):
    parts = urlsplit(mysql_url)
    with pytest.raises(ServerError, match="can't be used: 1045") as error:
        climb(QUICK, f"mysql://stranger:sesame@{parts.hostname}:{parts.port}")
    assert "sesame" not in str(error.value)


def test_a_mysql_url_that_is_malformed_is_an_error(nothing_else):
    with pytest.raises(BadUrlError, match="'postgres://db' is not of the form mysql://user:password@host:port"):
        climb(QUICK, "postgres://db")


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", "redis://127.0.0.1:port"])
def test_a_redis_url_that_is_malformed_is_an_error(url, nothing_else):
    with pytest.raises(ServerError, match=f"^Redis at {url} can't be used: "):
        climb(Redis(), url)


@pytest.mark.needs("apt")
def test_a_mariadb_never_stands_in_for_a_mysql(mariadb, nothing_else):
    shown = mariadb.replace("sesame", "***")
    with pytest.raises(ServerError) as error:
        climb(QUICK, mariadb)
    assert str(error.value).startswith(f"the server at {shown} is MariaDB (10.")
    assert str(error.value).endswith("chatsim measures MySQL, and never lets another engine stand in for it")


def test_a_mysql_is_no_redis(mysql_url, nothing_else):
    parts = urlsplit(mysql_url)
    with pytest.raises(ServerError, match=r"^Redis at "):
        climb(Redis(), f"redis://{parts.hostname}:{parts.port}")


@pytest.mark.parametrize("url", ["postgres://db", "mysql://root@127.0.0.1:1"])
def test_to_a_user_every_error_of_the_ladder_is_a_world_error(url):
    with pytest.raises(WorldError, match=url):
        Servers(mysql_url=url).mysql()


def test_the_environment_names_a_server_and_an_argument_is_stronger(mysql_url, monkeypatch):
    monkeypatch.setenv("CHATSIM_MYSQL_URL", mysql_url)
    assert Servers().mysql().url == mysql_url
    with pytest.raises(WorldError, match=r"127\.0\.0\.1:1 can't be used"):
        Servers(mysql_url="mysql://root@127.0.0.1:1").mysql()


# a container


@pytest.mark.needs("docker")
def test_a_container_gives_a_mysql_set_up_as_told_and_is_removed():
    before = containers()
    with climb(QUICK, via="container") as server:
        assert (server.rung, server.own) == ("container", True)
        assert asyncio.run(settings(server.url)) == (0, 2, "OFF")
        assert len(containers()) == len(before) + 1
    assert containers() == before
    assert refused(QUICK, server.url)


@pytest.mark.needs("docker")
def test_a_container_gives_a_redis_and_is_removed():
    before = containers()
    with climb(Redis(), via="container") as server:
        assert (server.rung, server.own) == ("container", True)
        Redis().verify(server.url)
        assert len(containers()) == len(before) + 1
    assert containers() == before
    assert refused(Redis(), server.url)


@pytest.mark.needs("docker", "apt")
def test_an_image_that_can_not_be_pulled_leads_to_the_next_rung(unpacked, path):
    before = containers()
    service = Redis(image="chatsim.invalid/no-such-image:1")
    with climb(service) as server:
        assert server.rung == "unpacked"
    with pytest.raises(
        NoServerError, match=r"\(container: Docker can't start chatsim.invalid/no-such-image:1: .*\)$"
    ) as error:
        climb(service, via="container")
    assert "\n" not in str(error.value)
    assert containers() == before


# a program on the PATH


@pytest.mark.needs("apt")
@pytest.mark.parametrize("service", SERVICES)
def test_an_installed_program_gives_a_private_instance(service, unpacked, path, no_docker, home):
    program = path(service.program, installed(unpacked(service)))
    assert ladder.OnPath(service).probe() == program
    with climb(service) as server:
        assert (server.rung, server.own) == ("path", True)
        service.verify(server.url)
        assert len(list(home.iterdir())) == 1
    assert refused(service, server.url)


@pytest.mark.needs("apt")
def test_an_installed_mysqld_of_mariadbs_is_passed_over(unpacked, mariadb_tree, path, no_docker):
    path("mysqld", installed(mariadb_tree.program("mysqld")))
    with pytest.raises(UnavailableError, match=r"^the mysqld on the PATH is MariaDB's$"):
        ladder.OnPath(QUICK).open()
    with climb(QUICK) as server:
        assert server.rung == "unpacked"


@pytest.mark.needs("apt")
@pytest.mark.parametrize("service", SERVICES)
def test_an_installed_program_that_does_not_run_leads_to_the_next_rung(service, unpacked, path, no_docker):
    path(service.program, "echo 'libaio.so.1: no such file' >&2; exit 127")
    with pytest.raises(UnavailableError, match=rf"^{service.program} failed: libaio\.so\.1: no such file$"):
        ladder.OnPath(service).open()
    with climb(service) as server:
        assert server.rung == "unpacked"


# one that is unpacked


@pytest.mark.needs("apt")
@pytest.mark.parametrize("service", SERVICES)
def test_an_unpacked_program_gives_a_private_instance(service, unpacked, path, no_docker, home):
    with climb(service) as server:
        assert (server.rung, server.own) == ("unpacked", True)
        service.verify(server.url)
        assert len(list(home.iterdir())) == 1
    assert refused(service, server.url)


def test_one_that_can_not_be_fetched_is_unavailable(monkeypatch, nothing_unpacked):
    def fail(_):
        raise debian.FetchError("apt-get failed: no route to host")

    monkeypatch.setattr(debian, "obstacle", lambda: None)
    monkeypatch.setattr(debian, "unpack", fail)
    assert ladder.Unpacked(QUICK).probe().endswith("/mysql (to be fetched)")
    with pytest.raises(UnavailableError, match=r"^apt-get failed: no route to host$"):
        ladder.Unpacked(QUICK).open()


# none


@pytest.mark.parametrize("service", SERVICES)
def test_where_nothing_is_to_be_had_each_reason_is_given_and_the_ways_out(service, path, no_docker, nothing_unpacked):
    with pytest.raises(NoServerError) as error:
        climb(service)
    background = "background: none is running (`chatsim mysql start`); " if service.name == "MySQL" else ""
    assert str(error.value) == (
        f"no {service.name} can be had here (url: no URL is named (set {service.variable}); {background}"
        f"container: no Docker engine answers; path: no {service.program} on the PATH; "
        f"unpacked: apt-get is not on the PATH (Debian's packages can't be unpacked here)). "
        f"Name one with {service.variable}, start Docker, or install {service.program}."
    )


def test_a_rung_that_is_asked_for_is_the_only_one_tried(path, mysql_url):
    with pytest.raises(
        NoServerError, match=r"^no MySQL can be had in the one way that was asked for \(path: no mysqld on the PATH\)$"
    ):
        climb(QUICK, mysql_url, via="path")


def test_a_rung_that_there_is_not_is_named_beside_those_there_are():
    with pytest.raises(
        ServerError,
        match=r"^there is no way named 'magic' to have a MySQL; there are: url, background, container, path, unpacked$",
    ):
        climb(QUICK, via="magic")


def test_the_survey_says_what_each_rung_would_use_and_starts_nothing(path, no_docker, mysql_url, monkeypatch, home):
    program = path("mysqld", "echo mysqld  Ver 9.7.4")
    monkeypatch.setattr(debian, "is_unpacked", lambda _: True)
    assert Servers(mysql_url=mysql_url).survey()[:5] == [
        f"* url        {without_password(mysql_url)}",
        "- background none is running (`chatsim mysql start`)",
        "- container  no Docker engine answers",
        f"+ path       {program}",
        f"+ unpacked   {debian.folder(QUICK.packages)}",
    ]
    monkeypatch.delenv("CHATSIM_MYSQL_URL")
    assert Servers().survey()[3] == f"* path       {program}"
    assert list(home.iterdir()) == []
