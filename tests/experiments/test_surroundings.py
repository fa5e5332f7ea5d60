"""A result says what else the machine did, and by which command it was made, without passwords."""

import subprocess
import sys

import pytest

from chatsim.experiments import surroundings
from chatsim.experiments.surroundings import OtherLoad, without_passwords


def test_the_work_of_a_child_is_not_that_of_others():
    before = surroundings._own()
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(1)\ninput()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        own = surroundings._own() - before
        child.communicate(b"\n")
    assert own >= 25, "hundredths of a second"


def test_a_system_that_does_not_tell_gives_none(monkeypatch, tmp_path):
    monkeypatch.setattr(surroundings, "_PROC", tmp_path)
    assert OtherLoad().cores() is None


def test_the_load_is_a_number_of_cores():
    cores = OtherLoad().cores()
    assert cores is None or cores >= 0


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("--mysql-url mysql://me:secret@host:3306/x", "--mysql-url mysql://me:…@host:3306/x"),
        ("MySQL(url='redis://:pw@h:1')", "MySQL(url='redis://:…@h:1')"),
        ("race --seed 7", "race --seed 7"),
        ("mysql://me@host:3306", "mysql://me@host:3306"),
    ],
)
def test_a_command_is_kept_without_passwords(command, kept):
    assert without_passwords(command) == kept
