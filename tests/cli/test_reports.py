"""Reports for a pipeline: test cases fail if and only if the command does, and say why."""

import re
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from chatsim.cli import main

RACE = ("race", "--world", "model", "--clients", "4", "--rounds", "5", "--strategies", "unordered,upsert")


@pytest.fixture
def reported(tmp_path):
    def run(*words):
        files = tmp_path / "report.xml", tmp_path / "report.md"
        result = CliRunner().invoke(main, [*words, "--junit", str(files[0]), "--markdown", str(files[1])])
        return result, ET.parse(files[0]).getroot().find("testsuite"), files[1].read_text()

    return run


def cases(suite):
    """The names of the test cases, with the messages of those that fail."""
    return {case.get("name"): [each.get("message") for each in case.findall("failure")] for case in suite}


def test_a_row_that_must_pass_and_does_not_is_a_failure_with_its_proof(reported):
    result, suite, summary = reported(*RACE, "--must-pass", "unordered,upsert")
    assert result.exit_code == 1
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("chatsim race", "2", "1")
    failed = cases(suite)
    assert failed["upsert, same_pair"] == []
    (message,) = failed["unordered, same_pair"]
    assert re.match(r"unsafe: the pair \(\d+, \d+\) has 2 threads", message)
    assert "has 2 threads" in suite.find("testcase/failure").text
    assert "**Not safe: unordered (same_pair)**" in summary


def test_an_unsafe_row_that_need_not_pass_is_no_failure_and_its_verdict_is_its_output(reported):
    result, suite, _ = reported(*RACE, "--must-pass", "upsert")
    assert result.exit_code == 0
    assert suite.get("failures") == "0"
    assert [case.find("system-out").text.partition(":")[0] for case in suite] == ["unsafe", "safe"]


def test_what_was_not_tested_is_a_failure(reported):
    result, suite, summary = reported(*RACE, "--pattern", "strangers", "--must-pass", "upsert")
    assert result.exit_code == 1
    (message,) = cases(suite)["upsert, strangers"]
    assert message.startswith("not tested: ")
    assert "**Not tested: upsert (strangers): " in summary


def test_the_summary_is_a_table_with_its_conditions(reported):
    _, _, summary = reported(*RACE, "--must-pass", "upsert")
    lines = summary.splitlines()
    assert lines[:2] == ["### Creating private chats", ""]
    assert lines[2].startswith("| strategy | pattern | verdict | ok/s |")
    assert set(lines[3]) == set("| -")
    assert lines[4].startswith("| unordered | same_pair | unsafe | ")
    assert "seed 1" in lines[7]


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_a_file_that_cannot_be_written_is_said_before_the_run(option, tmp_path):
    result = CliRunner().invoke(main, [*RACE, option, str(tmp_path / "none" / "file")])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.fullmatch(rf"Error: {option} .*none/file can't be written: No such file or directory\n", result.stderr)
