"""The page about deadlock reports shows what the command prints, and its code runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatsim.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "read-a-deadlock.md").read_text()
REPORT = ROOT / "tests" / "db" / "deadlock_report" / "recorded" / "two_upserts.txt"
TABLES = """
CREATE TABLE account (
  id INT PRIMARY KEY, owner VARCHAR(20) NOT NULL, balance INT NOT NULL, UNIQUE KEY by_owner (owner)
);
"""


def test_the_explanation_is_what_the_command_prints():
    shown = re.search(r"^\$ chatsim deadlock status\.txt\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    assert CliRunner().invoke(main, ["deadlock", str(REPORT)]).stdout == shown


def test_the_draft_is_written_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPORT, "status.txt")
    Path("tables.sql").write_text(TABLES)
    command, said = re.search(r"^\$ chatsim (deadlock .* --draft again\.sql)\n(.*)$", PAGE, re.MULTILINE).groups()
    assert CliRunner().invoke(main, command.split()).stderr == f"{said}\n"


def test_the_code_runs(tmp_path):
    shutil.copy(REPORT, tmp_path / "status.txt")
    code = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(("block", "status"), [(0, 1), (1, 0)], ids=["as it was", "mended"])
def test_what_deadlocks_and_the_proof_that_the_mend_does_not(tmp_path, block, status):
    path = tmp_path / "open.sql"
    path.write_text(re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[block])
    shown = CliRunner().invoke(main, ["explore", str(path), "--must-pass"])
    assert shown.exit_code == status
    assert ("holds the gap after the last row of account.by_owner (X)" in shown.stdout) == bool(status)
