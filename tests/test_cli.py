"""The command line says the same as the calls beneath it, in a table or as JSON, and by its exit status."""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import termios
from contextlib import suppress
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from chatsim.chat.creation import STRATEGIES
from chatsim.cli import main
from chatsim.conformance import differential, model_player
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.servers.urls import without_password

KEYS = {
    "strategy",
    "pattern",
    "world",
    "layer",
    "engine",
    "server_version",
    "existing",
    "ids",
    "retry",
    "operations",
    "goodput_per_s",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "retries_per_op",
    "deadlocks_per_op",
    "duplicate_pairs",
    "orphan_threads",
    "verdict",
    "why",
}
SMALL = ["--clients", "4", "--rounds", "5"]
CHATSIM = [sys.executable, "-m", "chatsim"]


def chatsim(*words):
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="chatsim")


def ask(mysql_url, *statements):
    """The last one's rows."""

    async def body():
        session = await driver.connect(mysql_url)
        rows = [await session.execute(statement) for statement in statements]
        await session.close()
        return rows[-1].rows

    return asyncio.run(body())


def said(result):
    """What stands on standard error, without the progress bars that were wiped away."""
    return result.stderr.rpartition("\r")[2].strip()


def commands(command=main, path=()):
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))


@pytest.fixture
def leaves_no_schema(schemas):
    before = schemas()
    yield
    assert schemas() <= before


on_the_server = pytest.mark.usefixtures("leaves_no_schema")


# --- what it prints


@on_the_server
def test_a_race_prints_a_table_with_the_verdict_in_words_and_the_conditions():
    result = chatsim("race", "--strategies", "unordered,one_round_trip", *SMALL, "--seed", 3)
    assert result.exit_code == 0
    assert re.search(r"one_round_trip .*safe", result.stdout)
    assert re.search(r"unordered .*unsafe: the pair", result.stdout)
    assert "Why unordered, same_pair is unsafe" in result.stdout
    assert re.search(r"create uid \d+, other \d+ at \d+\.\d+ s, thread \d+", result.stdout)
    caption = " ".join(result.stdout.split())
    assert (
        "layer store, closed loop, 4 clients, 5 rounds, 0 rows before, random ids, retry policy retry, seed 3"
        in caption
    )


@on_the_server
def test_a_race_explains_a_deadlock():
    result = chatsim("race", "--strategies", "for_update", "--clients", 8, "--rounds", 10)
    assert result.exit_code == 0
    assert "A deadlock of for_update, same_pair" in result.stdout
    assert "waits to insert into that gap, behind transaction" in " ".join(result.stdout.split())


@on_the_server
def test_as_json_it_prints_one_object_a_line_per_strategy_and_pattern():
    patterns = ("--pattern", "strangers", "--pattern", "same_pair")
    result = chatsim("race", "--json", "--strategies", "upsert,user_row", *patterns, *SMALL, "--existing", 3)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["pattern"], row["strategy"]) for row in rows] == [
        ("strangers", "upsert"),
        ("strangers", "user_row"),
        ("same_pair", "upsert"),
        ("same_pair", "user_row"),
    ]
    for row in rows:
        assert set(row) >= KEYS
        assert (row["verdict"], row["operations"], row["existing"], row["world"]) == (
            "not tested" if row["pattern"] == "strangers" else "safe",
            *(20, 3, "mysql"),
        )


@on_the_server
def test_out_saves_the_result(tmp_path):
    result = chatsim("race", "--strategies", "upsert", *SMALL, "--out", tmp_path / "here")
    assert result.exit_code == 0
    assert said(result) == f"saved in {tmp_path / 'here'}"
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        "result.json",
        "per-second.csv",
        "per-second.png",
        "samples.parquet",
        "summary.json",
        "environment.json",
        "config.toml",
        "history.jsonl",
        "summary.png",
    }


@on_the_server
def test_in_a_process_of_its_own_standard_output_has_nothing_but_the_json(mysql_url):
    done = subprocess.run(
        [*CHATSIM, "race", "--json", "--strategies", "one_round_trip", *SMALL, "--mysql-url", mysql_url],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"CHATSIM_MYSQL_URL": "mysql://root@127.0.0.1:1"},
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["verdict"] == "safe"
    assert done.stderr == "", "progress is for terminals"


def test_strategies_are_listed_with_their_bets():
    result = chatsim("strategies")
    assert result.exit_code == 0
    text = " ".join(result.stdout.replace("│", " ").split())
    for strategy in STRATEGIES.values():
        assert re.search(rf"\b{strategy.name} +{strategy.isolation.value} ", text)
    assert "orphans" in text


def test_mysql_shows_which_one_would_be_used(mysql_url):
    result = chatsim("mysql")
    assert result.exit_code == 0
    first, *others = result.stdout.splitlines()
    assert first == f"* url        {without_password(mysql_url)}"
    assert [line.split()[1] for line in others[:4]] == ["background", "container", "path", "unpacked"]


def test_mysql_clean_drops_what_nobody_holds_and_nothing_else(mysql_url):
    stale, other = f"chatsim_{secrets.token_hex(6)}", f"mine_{secrets.token_hex(6)}"

    ask(mysql_url, f"CREATE DATABASE {stale}", f"CREATE DATABASE {other}")
    try:
        result = chatsim("mysql", "clean", "--mysql-url", mysql_url)
        assert result.exit_code == 0
        assert stale in result.stdout
        names = {name for (name,) in ask(mysql_url, "SHOW DATABASES")}
        assert stale not in names
        assert other in names
        assert chatsim("mysql", "clean").stdout == "nothing to drop\n"
    finally:
        ask(mysql_url, f"DROP DATABASE {other}")


@pytest.mark.parametrize("path", list(commands()), ids=lambda path: " ".join(path) or "chatsim")
def test_every_command_explains_itself(path):
    for option in ("--help", "-h"):
        result = chatsim(*path, option)
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: {' '.join(['chatsim', *path])} ")
        assert not result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80, "fits an ordinary terminal"
    described = result.stdout.split("\n\n")[1]
    assert described.strip(), "a sentence on what it does"


# --- the exit status


@on_the_server
def test_must_pass_gives_0_when_all_named_are_safe():
    result = chatsim("race", "--strategies", "unordered,upsert", *SMALL, "--must-pass", "upsert")
    assert result.exit_code == 0
    assert said(result) == ""


@on_the_server
def test_must_pass_gives_1_and_names_what_is_not_safe():
    result = chatsim("race", "--strategies", "unordered,upsert", *SMALL, "--must-pass", "upsert, unordered")
    assert result.exit_code == 1
    assert said(result) == "Not safe: unordered (same_pair)"
    assert "one thread each, and all got it" not in said(result)


@on_the_server
def test_errors_are_not_safe():
    words = ("--strategies", "for_update", "--clients", 8, "--rounds", 10, "--retry", "none", "--json")
    result = chatsim("race", *words, "--must-pass", "for_update")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verdict"] == "errors"
    assert said(result) == "Not safe: for_update (same_pair)"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--strategies", "upsert,nope"], "unknown creation strategy 'nope'; there are: for_update, .*"),
        (["--strategies", "upsert,upsert"], "strategies are told apart by name; upsert is there twice"),
        (
            ["--strategies", "upsert", "--must-pass", "user_row"],
            "--must-pass names user_row, which --strategies leaves out",
        ),
        (["--must-pass", "upsert,nope"], "--must-pass names nope, which --strategies leaves out"),
        (["--clients", "0"], "clients is 0; it must be a whole number of at least 1"),
        (["--existing", "-1"], "existing is -1; it must be a whole number of at least 0"),
        (["--mysql-url", "postgres://here"], r"'postgres://here' is not of the form mysql://user:password@host:port"),
        (["--mysql-url", "mysql://root@127.0.0.1:1"], r"MySQL at mysql://root@127\.0\.0\.1:1 can't be used: 2\d\d\d.*"),
        (["--world", "nope"], r"Invalid value for '--world': 'nope' is not .*mysql.*"),
        (["--pattern", "nope"], "unknown pattern 'nope'; there are: same_pair, hot_pairs, strangers"),
        (["--ids", "nope"], "unknown ids 'nope'; there are: random, rising, one_popular"),
        (["--retry", "nope"], "unknown retry 'nope'; there are: none, retry, immediate"),
        (["--profile", "nope"], r"Invalid value for '--profile': 'nope' is not one of 'durable', .*"),
        (["--mysql-via", "nope"], r"Invalid value for '--mysql-via': 'nope' is not one of 'url', .*"),
        (["--rounds", "many"], "rounds is 'many'; it must be a whole number of at least 1"),
        (["--rounds", "2.5"], r"rounds is '2\.5'; it must be a whole number of at least 1"),
        (["--rate", "fast"], r"rate is 'fast'; it must be a number from 0\.001 to 1,000,000 per second"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_that_names_the_culprit_and_exit_status_2(words, sentence):
    result = chatsim("race", *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    hint = "Usage: chatsim race [OPTIONS]\nTry 'chatsim race --help' for help.\n\n"  # what click adds to its own
    assert re.fullmatch(rf"Error: {sentence}", result.stderr.removeprefix(hint).strip())


def test_a_wrong_password_is_said_and_never_shown(mysql_url):
    result = chatsim("race", "--mysql-url", re.sub("root[^@]*@", "root:hunter2@", mysql_url))
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert re.match(r"Error: MySQL at mysql://root:\*\*\*@\S+:\d+ can't be used: 1045.*Access denied", line)
    assert "hunter2" not in result.stderr


# --- Ctrl-C


def interrupt_at(words, progress, **env):
    """Start the command on a terminal, send SIGINT once it shows what matches ``progress``.

    Gives the exit status, the output, and what stands at last on the terminal.
    """
    master, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    process = subprocess.Popen(
        [*CHATSIM, "race", *words],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={name: value for name, value in (os.environ | env).items() if value is not None},
    )
    os.close(terminal)
    shown = b""
    with process, os.fdopen(master, "rb", buffering=0) as screen:
        while not re.search(progress, shown):
            piece = screen.read(4096)
            assert piece, f"it ended before it showed {progress}: {shown.decode()}"
            shown += piece
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        with suppress(OSError):  # EIO: nobody holds the other end any more
            while piece := screen.read(4096):
                shown += piece
    *_, last = re.split(r"\r(?!\n)", shown.decode())
    return process.returncode, out.decode(), last.replace("\r\n", "\n").strip()


ENDLESS = ["--clients", "8", "--rounds", "1000", "--retry", "retry"]


@on_the_server
def test_ctrl_c_prints_what_had_finished_and_leaves_no_schema(tmp_path):
    words = [
        "--json",
        "--out",
        str(tmp_path),
        "--strategies",
        "get_lock_script,for_update",  # in this order, with the default seed
        *ENDLESS,
    ]
    status, out, err = interrupt_at(words, rb"same_pair: for_update:  (5[1-9]|[6-9]\d)%")
    assert status == 130
    (row,) = map(json.loads, out.splitlines())
    assert (row["strategy"], row["verdict"], row["operations"]) == ("get_lock_script", "safe", 8_000)
    assert err == f"saved in {tmp_path}\nInterrupted; what had finished is above."
    assert json.loads((tmp_path / "summary.json").read_text()) == [row]


@on_the_server
def test_ctrl_c_while_the_tables_are_being_made_leaves_no_schema_either():
    status, out, err = interrupt_at(["--strategies", "for_update", *ENDLESS], b"same_pair: for_update")
    assert status == 130
    assert out == ""
    assert err == "Interrupted; nothing had finished."


@pytest.mark.needs("apt")
def test_ctrl_c_ends_a_server_of_its_own():
    with tempfile.TemporaryDirectory() as home:  # short: a socket's path has 107 bytes
        words = ["--mysql-via", "unpacked", "--profile", "quick", "--strategies", "for_update", *ENDLESS]
        status, _, err = interrupt_at(words, b"same_pair: for_update", TMPDIR=home, CHATSIM_MYSQL_URL=None)
        assert (status, err) == (130, "Interrupted; nothing had finished.")
        assert list(Path(home).iterdir()) == []


def test_a_folder_that_can_not_be_made_is_said_before_the_race(tmp_path):
    (tmp_path / "file").touch()
    result = chatsim("race", "--out", tmp_path / "file" / "below")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: --out {tmp_path / 'file' / 'below'} can't be made: ")


def test_a_folder_is_left_with_the_deadlocks_of_its_last_result_only(tmp_path, mysql_url):
    (tmp_path / "deadlock-of-yesterday.txt").touch()
    assert chatsim("race", *SMALL, "--strategies", "one_round_trip", "--out", tmp_path).exit_code == 0
    assert list(tmp_path.glob("deadlock-*")) == []


# --- schedules

RECORDED = Path(__file__).parent / "conformance" / "schedules" / "replace-and-upsert" / "odku-2uk-dl.rc.json"


def test_a_schedule_is_shown_with_who_waits_and_who_holds_what(mysql_url):
    result = chatsim("schedule", RECORDED)
    assert result.exit_code == 0
    for words in ("waits for s1", "PRIMARY RECORD X,REC_NOT_GAP WAITING 10", "ok, 2 rows", "t (id, u, k, v): [["):
        assert words in result.stdout


def test_a_schedule_is_given_as_json_and_checked(mysql_url):
    outcome = json.loads(chatsim("schedule", "--json", RECORDED).stdout)
    assert outcome["steps"] == json.loads(RECORDED.read_text())["expected"]["steps"]
    result = chatsim("schedule", "--check", RECORDED)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "locks: 1 of 1 agree")


def test_a_schedule_that_goes_otherwise_is_status_1_with_the_first_difference(mysql_url, tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text(RECORDED.read_text().replace("v='s1'", "v='other'"))
    result = chatsim("schedule", "--check", wrong)
    assert result.exit_code == 1
    assert "odku-2uk-dl.rc: at the end t was expected to be" in result.stdout


def test_what_is_no_schedule_is_one_sentence_and_status_2(tmp_path):
    (tmp_path / "no.json").write_text("{}")
    result = chatsim("schedule", tmp_path / "no.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no.json: Object missing required field `id`" in result.stderr


def test_a_schedule_can_be_played_in_the_model(recorded_schedule):
    outcome = json.loads(chatsim("schedule", "--world", "model", "--json", recorded_schedule).stdout)
    assert outcome["steps"] == json.loads(recorded_schedule.read_text())["expected"]["steps"]
    result = chatsim("schedule", "--world", "model", "--check", recorded_schedule)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "locks: 1 of 1 agree")


@pytest.fixture
def recorded_schedule():
    (path,) = (Path(__file__).parent / "conformance" / "schedules").rglob("odku-2uk-dl.rc.json")
    return path


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no schedule is given: name files, or have some drawn by --generate N --check"),
        (["x.json", "--seed", 3], "--seed, --sessions and --foreign-keys are about drawn schedules: give --generate N"),
        (["x.json", "--generate", 3, "--check"], "--generate draws schedules, and x.json is one: give either"),
        (["--generate", 3], "--generate compares the two worlds: give --check as well"),
        (["--generate", 0, "--check"], "--generate is 0; it must be at least 1"),
        (["--generate", 3, "--check", "--json"], "--world and --json belong to files; --generate plays in both worlds"),
        (["--generate", 3, "--check", "--seed", -1], "--seed is -1; it must be at least 0"),
        (
            ["--generate", 3, "--check", "--sessions", "5-2"],
            "--sessions is 5-2; it must be from 2 to 4, as 3, or 2-4",
        ),
        (
            ["x.json", "--world", "model", "--profile", "quick"],
            "which server to use is said for --world mysql; the model has none",
        ),
    ],
    ids=lambda each: " ".join(map(str, each)) if isinstance(each, list) else "",
)
def test_what_does_not_go_together_is_one_sentence_and_status_2(words, sentence):
    result = chatsim("schedule", *words)
    assert (result.exit_code, result.stdout, said(result)) == (2, "", f"Error: {sentence}")


@on_the_server
def test_drawn_schedules_are_counted_and_what_differs_is_printed_as_a_file(monkeypatch, tmp_path, mysql_url):
    whole, logs = model_player.play, set()

    def deaf(schedule, *, log_bin):
        logs.add(log_bin)
        outcome = whole(schedule, log_bin=log_bin)
        return msgspec.structs.replace(
            outcome, steps=[msgspec.structs.replace(step, locks=[]) for step in outcome.steps]
        )

    monkeypatch.setattr(model_player, "play", deaf)
    monkeypatch.setattr(differential, "shrink", lambda _, found, *__: found)  # it takes long, and has tests of its own
    result = chatsim("schedule", "--generate", 3, "--seed", 98, "--check", "--sessions", 2)
    monkeypatch.undo()
    *lines, who, rows, locks = result.stdout.splitlines()
    assert result.exit_code == 1
    for level in (who, rows):
        assert re.search(r": (\d) of \1 agree$", level), "only locks are not told"
    assert re.fullmatch(r"locks: \d of \d agree", locks)
    ((has_log,),) = ask(mysql_url, "SELECT @@log_bin")
    assert logs == {bool(has_log)}, "the model is set up as the server is"
    assert lines
    for line in lines:
        (tmp_path / "found.json").write_text(line)
        assert json.loads(line)["title"]
        assert chatsim("schedule", "--check", tmp_path / "found.json").exit_code == 0, "the server does it again"


# --- in the model


def test_a_race_in_the_model_repeats_itself_and_says_that_it_was_the_model():
    words = ["race", "--world", "model", "--strategies", "for_update", "--pattern", "strangers", *SMALL, "--json"]
    first, second = chatsim(*words, "--check-determinism"), chatsim(*words)
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    (row,) = map(json.loads, first.stdout.splitlines())
    assert set(row) >= KEYS
    assert (row["world"], row["engine"]) == ("model", "model of InnoDB")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("race", "--world", "model", "--mysql-url", "mysql://x"),
            "Error: which server to use is said for --world mysql; the model has none",
        ),
        (("race", "--check-determinism"), "Error: --costs and --check-determinism belong to the model: --world model"),
        (
            ("anomalies", "--world", "model", "--profile", "quick"),
            "Error: which server to use is said for --world mysql; the model has none",
        ),
    ],
)
def test_options_of_the_other_world_are_refused(words, sentence):
    result = chatsim(*words)
    assert (result.exit_code, said(result)) == (2, sentence)


def test_what_things_cost_in_the_model_can_be_said(tmp_path):
    slow = tmp_path / "slow.toml"
    slow.write_text("[database]\nflush = 1.0\n")
    words = ["race", "--world", "model", "--strategies", "upsert", *SMALL, "--json"]
    quick, slowed = (json.loads(chatsim(*words, *more).stdout) for more in ([], ["--costs", slow]))
    assert slowed["goodput_per_s"] < quick["goodput_per_s"] / 10
    assert slowed["deadlocks_per_op"] == 0
    result = chatsim(*words, "--costs", tmp_path / "none.toml")
    assert result.exit_code == 2
    assert "none.toml" in said(result)


def test_anomalies_are_printed_as_a_table_for_a_document():
    lines = chatsim("anomalies", "--world", "model", "--markdown").stdout.splitlines()
    assert lines[0].startswith("| anomaly | what it is | READ UNCOMMITTED |")
    assert len(lines) == 2 + 12
    assert next(line for line in lines if line.startswith("| P4 |")).endswith(
        "| happens | happens | happens | prevented |"
    )
