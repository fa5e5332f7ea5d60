"""The page about `chatsim explore` shows what the command prints, and its code runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatsim.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "explore.md").read_text()
TRANSFERS = re.search(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]


def explored(tmp_path, name, text, *options):
    path = tmp_path / name
    path.write_text(text)
    return CliRunner().invoke(main, ["explore", str(path), *options], env={"COLUMNS": "100"})


def seen(line):
    """A line without the time that it took."""
    return re.sub(r" in [\d.]+ s$", "", line)


def test_the_counterexample_is_what_the_command_prints(tmp_path):
    shown = re.search(r"last two steps\):\n\n```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    printed = {seen(line) for line in explored(tmp_path, "transfers.sql", TRANSFERS).stdout.splitlines()}
    assert [line for line in map(seen, shown.splitlines()) if line and line not in printed] == []


def test_the_mend_is_proved_and_a_lost_reply_is_still_found(tmp_path):
    mended = TRANSFERS.replace("-- call transfer(2, 1)", "-- call transfer(1, 2)")
    (counts,) = re.findall(r"\d+\s+states of \d+ interleavings\. But", PAGE)
    printed = explored(tmp_path, "sorted.sql", mended)
    assert " ".join(counts.removesuffix(". But").split()) in printed.stdout
    assert explored(tmp_path, "sorted.sql", mended, "--must-pass").exit_code == 0
    assert "@kill" in explored(tmp_path, "sorted.sql", mended, "--losses", "1").stdout


def test_the_command_for_ci_says_what_the_page_says(tmp_path):
    options = re.search(r"^\$ chatsim explore transfers\.sql (.*)$", PAGE, re.MULTILINE)[1].split()
    assert explored(tmp_path, "transfers.sql", TRANSFERS, *options).exit_code == 0
    assert explored(tmp_path, "transfers.sql", TRANSFERS, "--must-pass").exit_code == 1


def test_the_code_runs():
    code = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    asked = code + 'assert found.found.verdicts["serializable"] == "counterexample"\n'
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`[^`]*?(--[a-z][a-z-]+)[^`]*`", PAGE))))
def test_each_option_exists(option):
    printed = CliRunner().invoke(main, ["explore", "--help"]).stdout
    printed += CliRunner().invoke(main, ["schedule", "--help"]).stdout
    assert f"{option} " in printed
