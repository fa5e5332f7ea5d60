"""The plugin in pytest runs of its own: what it costs, its option, its marks, and how failures look."""

import asyncio
import os
import subprocess
import sys

import pytest

from chatsim.worlds.mysql import driver

LIGHT = {
    *("chatsim", "chatsim.pytest", "chatsim.pytest.assertions", "chatsim.pytest.fixtures", "chatsim.pytest.hooks"),
}


@pytest.fixture
def run(pytester, monkeypatch):
    """A function that runs pytest on a file, in this process."""
    monkeypatch.delenv("CHATSIM_MYSQL_URL", raising=False)
    for variable in ("PYTEST_ADDOPTS", "CI", "BUILD_NUMBER"):  # by which pytest prints more
        monkeypatch.delenv(variable, raising=False)

    def run(text, *words):
        pytester.makepyfile(text)
        # a run forgets the modules that it was the first to import: nbmake's take seconds
        options = [
            "-p",
            "no:nbmake",
            "-p",
            "no:cacheprovider",
            "--strict-markers",
            "-o",
            "asyncio_default_fixture_loop_scope=function",
        ]
        return pytester.runpytest_inprocess(*options, *words)

    return run


def modules(program):
    """What is loaded when a program has run in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; import sys; print('loaded:', *sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return {*done.stdout.rpartition("loaded:")[2].split()}


# --- what it costs where nobody uses it


def test_it_imports_nothing_but_itself_and_what_pytest_has_imported():
    more = modules("import pytest; import chatsim.pytest") - modules("import pytest, asyncio")
    assert {each for each in more if each.partition(".")[0] not in ("pytest", "_pytest")} == LIGHT


def test_pytest_loads_it_by_its_entry_point_and_no_more(tmp_path):
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n"
        "def test_loaded():\n"
        "    print('loaded:', *(each for each in sys.modules if each.partition('.')[0] == 'chatsim'), 'end')\n"
    )
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:nbmake", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert {*done.stdout.partition("loaded:")[2].partition("end")[0].split()} == LIGHT


# --- marks


def test_a_test_marked_for_both_worlds_runs_in_each(run, mysql_url):
    result = run(
        """
        import pytest

        @pytest.mark.worlds
        def test_in_both(world):
            world.apply("CREATE TABLE t (id INT PRIMARY KEY)")
            assert world.execute("SELECT COUNT(*) FROM t").scalar() == 0
            print("in", world.world)

        @pytest.mark.worlds("model")
        def test_in_one(world):
            print("in", world.world)
        """,
        "-s",
        "--chatsim-mysql-url",
        mysql_url,
    )
    result.assert_outcomes(passed=3)
    assert [line.partition("in ")[2] for line in result.outlines if "in m" in line] == ["model", "mysql", "model"]


def test_without_a_mark_the_world_is_the_named_server_or_else_the_model(run, mysql_url):
    test = "def test_where(world): print('in', world.world)"
    run(test, "-s").stdout.fnmatch_lines(["*in model*"])
    run(test, "-s", "--chatsim-mysql-url", mysql_url).stdout.fnmatch_lines(["*in mysql*"])
    assert "CHATSIM_MYSQL_URL" not in os.environ


@pytest.mark.parametrize(
    ("mark", "fixture", "says"),
    [
        ("worlds('moon')", "world", "*test_it is marked for the world 'moon'; there are: model, mysql*"),
        ("worlds", "model", "*test_it is marked for worlds, and takes neither the fixture 'world' nor 'cluster'*"),
        ("cluster(2)", "cluster", "*the mark cluster takes keywords only; 2 is none*"),
        ("cluster(users=0)", "cluster", "*users is 0; it must be at least 1*"),
        ("cluster(strategy='nope')", "cluster", "*strategy is 'nope'; it can be: *"),
        ("cluster(node=2)", "cluster", "*unexpected keyword argument 'node'*"),
    ],
)
def test_a_wrong_mark_is_named(run, mark, fixture, says):
    result = run(f"import pytest\n\n@pytest.mark.{mark}\ndef test_it({fixture}): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([says])


def test_a_mark_of_a_module_concerns_the_tests_that_take_a_world(run):
    result = run(
        """
        import pytest
        pytestmark = pytest.mark.worlds("model")
        def test_with(world): assert world.world == "model"
        def test_without(): pass
        """
    )
    result.assert_outcomes(passed=2)


# --- the server


def test_a_named_server_that_is_not_there_is_one_message(run):
    result = run("def test_it(mysql): pass", "--chatsim-mysql-url", "mysql://root@127.0.0.1:1")
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "127.0.0.1:1" in text
    assert "Traceback" not in text
    assert "servers/ladder.py" not in text


def test_a_user_who_may_not_make_a_schema_is_one_message(run, mysql_url):
    async def admin(sql):
        session = await driver.connect(mysql_url)
        await session.script(sql)
        await session.close()

    asyncio.run(admin("CREATE USER 'powerless'@'%' IDENTIFIED BY 'secret'"))
    try:
        address = driver.address(mysql_url)
        url = f"mysql://powerless:secret@{address.host}:{address.port}"
        result = run("def test_it(mysql): pass", "--chatsim-mysql-url", url)
    finally:
        asyncio.run(admin("DROP USER 'powerless'@'%'"))
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "Access denied for user 'powerless'" in text
    assert "secret" not in text
    assert "exception" not in text


def test_the_help_has_the_option_and_the_marks(run):
    run("", "--help").stdout.fnmatch_lines(["*--chatsim-mysql-url=URL*"])
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.worlds(*names): *", "@pytest.mark.cluster(nodes=1, *"])


# --- how a failure looks


def test_a_failure_shows_the_line_of_the_test_and_the_anomaly_and_nothing_of_chatsims_code(run):
    result = run(
        """
        from chatsim.pytest import assert_no_deadlock

        TABLES = "CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 0), (2, 0)"

        async def test_two_updates():
            up = "UPDATE t SET v = 1 WHERE id = 1; UPDATE t SET v = 1 WHERE id = 2"
            down = "UPDATE t SET v = 2 WHERE id = 2; UPDATE t SET v = 2 WHERE id = 1"
            assert_no_deadlock([up, down], tables=TABLES, copies=1)
        """,
        "-o",
        "asyncio_mode=auto",
    )
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert ">       assert_no_deadlock([up, down], tables=TABLES, copies=1)" in text
    assert "AssertionError: t1, t2: “no deadlock” does not hold" in text
    assert "t1 waits for t2" in text
    assert "site-packages" not in text
    assert "chatsim/pytest" not in text
    assert len(text.splitlines()) < 60
