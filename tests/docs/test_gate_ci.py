"""The page on gating CI: its test file does what the page says, and its pipelines run, as far as that can be."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from chatsim.worlds.mysql.servers.mysqld import IMAGE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "gate-ci.md").read_text()
EXAMPLE = ROOT / "examples" / "seat-booking"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def ran(words, folder, **variables):
    """What a command of a pipeline does, in an environment without this run's own settings, and without its plugins."""
    variables["PYTEST_ADDOPTS"] = "-p no:cacheprovider -p no:hypothesispytest -p no:nbmake -p no:xdist"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CHATSIM_MYSQL"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"  # the project's pytest and sed
    return subprocess.run(
        words,
        shell=True,
        cwd=folder,
        env=kept | {"PATH": path} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


GITHUB, GITLAB = map(yaml.safe_load, blocks("yaml"))
(JOB,) = GITHUB["jobs"].values()


def gitlab():
    (job,) = GITLAB.values()
    return job


def test_the_file_of_the_page_has_one_failure_and_the_page_shows_it(tmp_path, mysql_url):
    (shown,) = blocks("text")
    (tmp_path / "test_transfers.py").write_text("\n".join(blocks("python")))
    done = ran("pytest -q", tmp_path, CHATSIM_MYSQL_URL=mysql_url)
    assert done.stdout.splitlines()[-1].startswith("1 failed, 6 passed")
    assert shown in done.stdout


@pytest.mark.parametrize("service", [JOB["services"]["mysql"]["image"], gitlab()["services"][0]["name"]])
def test_the_services_are_the_mysql_that_chatsim_knows(service):
    assert service == IMAGE


def test_the_urls_are_those_of_the_services():
    url = urlsplit(JOB["env"]["CHATSIM_MYSQL_URL"])
    service = JOB["services"]["mysql"]
    assert f"{url.port}:3306" in service["ports"]
    assert (url.scheme, url.hostname, url.username) == ("mysql", "127.0.0.1", "root")
    assert url.password == service["env"]["MYSQL_ROOT_PASSWORD"]
    url, variables = urlsplit(gitlab()["variables"]["CHATSIM_MYSQL_URL"]), gitlab()["variables"]
    assert (url.hostname, url.password) == (gitlab()["services"][0]["alias"], variables["MYSQL_ROOT_PASSWORD"])


def test_the_commands_run_on_the_example_with_a_server_by_url(tmp_path, mysql_url):
    project = shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    install, *commands = [step["run"] for step in JOB["steps"] if "run" in step]
    assert [install, *commands] == gitlab()["script"]
    # nothing is installed here: what the example needs is there
    assert re.fullmatch(r"pip install --editable '\.\[test\]'", install)
    assert commands
    for each in commands:
        done = ran(each, project, CHATSIM_MYSQL_URL=mysql_url)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_change_of_the_page_fails(tmp_path):
    home = tmp_path / "examples" / "seat-booking"
    shutil.copytree(EXAMPLE, home, ignore=shutil.ignore_patterns("__pycache__"))
    (lines,) = [each for each in blocks("console") if "seat-booking" in each]
    commands = " && ".join(line.removeprefix("$ ") for line in lines.splitlines())
    done = ran(commands, tmp_path)
    assert done.returncode == 1
    assert "FAILED tests/test_bookings.py::test_two_customers_who_want_the_same_seats_never_deadlock" in done.stdout
