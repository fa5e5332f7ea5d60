"""Tables fit the terminal: columns are left out, and said; numbers and identifiers are never cut."""

import os
import re
import subprocess
import sys
import termios
from contextlib import suppress

import pytest
from click.testing import CliRunner

from chatsim.cli import main
from chatsim.cli.tables import Column, console, fitting, print_fitting

NAME = Column("strategy", ["for_update_read_committed", "upsert"])
VERDICT = Column("verdict", ["safe", "unsafe: the pair (15370325, 828555596) has 2 threads"], wraps=True)
RATE = Column("ok/s", ["216.58", "1,234,567"], "right")
UNKNOWN = Column("p99 ms", ["–", "–"])
LAST = Column("orphans", ["0", "15"], "right")
ALL = [NAME, VERDICT, RATE, UNKNOWN, LAST]


@pytest.fixture
def printed(monkeypatch, capsys):
    def show(columns, width, **options):
        monkeypatch.setenv("COLUMNS", str(width))
        print_fitting(columns, **options)
        return capsys.readouterr().out

    return show


def test_all_columns_are_kept_where_there_is_room():
    assert fitting(ALL, 200) == (ALL, [])


def test_empty_columns_go_first_and_then_those_on_the_right():
    assert fitting(ALL, 70) == ([NAME, VERDICT, RATE, LAST], [UNKNOWN])
    assert fitting(ALL, 60) == ([NAME, VERDICT, RATE], [UNKNOWN, LAST])
    assert fitting(ALL, 30) == ([NAME], [VERDICT, RATE, UNKNOWN, LAST])


def test_the_first_column_is_kept_however_narrow_the_terminal_is():
    assert fitting(ALL, 5)[0] == [NAME]


def test_a_text_is_wrapped_between_words_and_needs_room_for_its_longest():
    assert VERDICT.width == 12
    assert Column("a", ["a word_that_is_longer_than_all_others"], wraps=True).width == 35


@pytest.mark.parametrize("width", [80, 60, 45])
def test_nothing_that_is_printed_is_cut_or_wider_than_the_terminal(printed, width):
    out = printed(ALL, width, wide=False)
    assert max(map(len, out.splitlines())) <= width
    assert "for_update_read_committed" in out
    for column in fitting(ALL, width)[0]:
        if not column.wraps:
            assert all(cell in out for cell in column.cells)


def test_what_is_left_out_is_said_with_the_way_to_see_it(printed):
    assert "Left out: p99 ms, orphans; --wide shows them." in printed(ALL, 60, wide=False)
    assert "Left out: p99 ms, orphans; a wider terminal shows them." in printed(ALL, 60)


def test_wide_prints_everything(printed):
    out = printed(ALL, 40, wide=True)
    assert all(heading in out for heading in ("strategy", "verdict", "ok/s", "p99 ms", "orphans"))
    assert "Left out" not in out


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("", 160), ("0", 160), ("wide", 160)])
def test_piped_output_is_as_wide_as_the_variable_says(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    assert console().width == width


def test_brackets_are_text(printed):
    assert "[1, 2]" in printed([Column("rows", ["[1, 2]"])], 80)


# --- on a real terminal


def on_a_terminal(words, columns):
    """What the command prints on a terminal of so many columns."""
    master, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"NO_COLOR": "1"}
    with (
        subprocess.Popen([sys.executable, "-m", "chatsim", *words], stdout=terminal, env=environment),
        os.fdopen(master, "rb", buffering=0) as screen,
    ):
        os.close(terminal)
        shown = b""
        with suppress(OSError):  # EIO: the command has ended
            while piece := screen.read(4096):
                shown += piece
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


RACE = ("race", "--world", "model", "--clients", "4", "--rounds", "5", "--strategies", "for_update_read_committed")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [(*RACE, "--quiet"), ("strategies",), ("protocol",), ("anomalies", "--world", "model")]
)
def test_on_a_terminal_of_80_columns_no_line_is_longer_and_no_name_is_cut(words):
    out = on_a_terminal(words, 80)
    assert max(map(len, out.splitlines())) <= 80
    for name in {"race": ["for_update_read_committed"], "protocol": ["LoginRequest"]}.get(words[0], []):
        assert name in out


@pytest.mark.slow
def test_on_a_wide_terminal_nothing_is_left_out():
    assert "Left out" not in on_a_terminal((*RACE, "--quiet"), 200)


def test_why_rows_are_not_tested_is_said_once_beneath_the_table():
    words = ("race", "--world", "model", "--clients", "2", "--rounds", "3", "--pattern", "strangers")
    shown = CliRunner().invoke(main, [*words, "--strategies", "upsert,look_first"], env={"COLUMNS": "160"})
    lines = shown.stdout.splitlines()
    assert sum("│ not tested" in line for line in lines) == 2
    assert sum(line.startswith("Not tested: ") for line in lines) == 1
