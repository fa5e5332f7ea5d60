"""``chatsim explore``: what it prints, writes and returns, and what it says of wrong values."""

import json

import pytest
from click.testing import CliRunner
from exploration import books

from chatsim.cli import main
from chatsim.experiments.exploring.patterns import PATTERNS, PRESENT

STRATEGY = '''
from chatsim import creation_strategy

@creation_strategy()
async def mine(tx, low, high):
    """Bets that nobody looks at the same time."""
    await tx.begin()
    find = "SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ?"
    thread = (await tx.execute(find, (low, high))).scalar()
    if thread is None:
        thread = (await tx.execute("INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())")).last_id
        await tx.execute(
            "INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at) VALUES (?, ?, ?, NOW())",
            (thread, low, high),
        )
    await tx.commit()
    return thread
'''


@pytest.fixture
def run():
    """A function that runs the command in this process."""

    def run(*words, **variables):
        return CliRunner().invoke(main, ["explore", *map(str, words)], env={"COLUMNS": "80"} | variables)

    return run


@pytest.fixture
def transfers(tmp_path):
    path = tmp_path / "transfers.sql"
    path.write_text(books.TRANSFERS)
    return path


@pytest.fixture
def sorted_transfers(tmp_path):
    path = tmp_path / "sorted.sql"
    path.write_text(books.SORTED_TRANSFERS)
    return path


# --- what it prints


def test_a_table_of_what_is_asked_fits_a_terminal_and_the_shortest_way_is_drawn(run, transfers):
    result = run(transfers)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    table = lines[: next(at for at, line in enumerate(lines) if line.startswith("└")) + 1]
    assert max(map(len, table)) <= 80
    text = "\n".join(table)
    for asked in ("nobody waits for ever", "no deadlock", "no money is lost", "the outcome is that of some"):
        assert asked in text
    assert text.count("proved") == 4
    assert text.count("counterexample") == 1
    assert "Deadlock found" in "\n".join(lines[len(table) :])


def test_each_thing_is_a_line_of_json(run, transfers, sorted_transfers):
    result = run(transfers, sorted_transfers, "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["explored"], second["explored"] == ("transfers", "sorted")
    assert set(first) >= {
        *("explored", "verdicts", "states", "ends", "interleavings", "whole", "circles", "longest", "retries"),
        *("outcomes", "deadlocks", "counterexamples", "seconds"),
    }
    assert first["verdicts"]["deadlock"] == "counterexample"
    assert set(second["verdicts"].values()) == {"proved"}
    assert first["counterexamples"] == {"deadlock": {"steps": 6, "inside": False}}
    assert second["counterexamples"] == {}


def test_only_what_is_asked_is_answered(run, transfers):
    (line,) = run(transfers, "--json", "--ask", "stuck, no money is lost").stdout.splitlines()
    assert json.loads(line)["verdicts"] == {"stuck": "proved", "no money is lost": "proved"}


def test_a_strategy_of_one_s_own_comes_from_a_file(run, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(STRATEGY)
    (line,) = run(f"{path}:mine", "--json").stdout.splitlines()
    found = json.loads(line)
    assert found["explored"] == "mine"
    assert found["verdicts"]["threads"] == "proved"


def test_a_bound_that_is_reached_is_told(run, transfers):
    (line,) = run(transfers, "--json", "--states", "4").stdout.splitlines()
    found = json.loads(line)
    assert (found["whole"], found["interleavings"]) == (False, None)
    assert set(found["verdicts"].values()) == {"inconclusive"}


# --- files of counterexamples


def test_counterexamples_are_written_as_schedules_with_the_outcome_that_is_predicted(run, transfers, tmp_path):
    folder = tmp_path / "new" / "found"
    result = run(transfers, "--out", folder)
    (path,) = folder.glob("*.json")
    assert path.name == "transfers-deadlock.json"
    assert f"wrote {path}" in result.stderr
    checked = CliRunner().invoke(main, ["schedule", str(path), "--check", "--world", "model"])
    assert checked.exit_code == 0, checked.output
    broken = json.loads(path.read_text())
    broken["expected"]["steps"][-1]["completed"] = []
    path.write_text(json.dumps(broken))
    assert CliRunner().invoke(main, ["schedule", str(path), "--check", "--world", "model"]).exit_code == 1


def test_what_is_proved_has_no_file(run, sorted_transfers, tmp_path):
    folder = tmp_path / "found"
    assert run(sorted_transfers, "--out", folder).exit_code == 0
    assert list(folder.glob("*")) == []


@pytest.mark.slow
def test_a_server_does_the_same(run, transfers, mysql_url):
    result = run(transfers, "--replay", "--mysql-url", mysql_url)
    assert result.exit_code == 0
    assert "transfers-deadlock: MySQL does the same" in result.stdout


# --- exit statuses


@pytest.mark.parametrize(
    ("name", "options", "status"),
    [
        ("SORTED_TRANSFERS", ["--must-pass"], 0),
        ("TRANSFERS", [], 0),
        ("TRANSFERS", ["--must-pass"], 1),
        ("TRANSFERS", ["--must-pass", "--ask", "stuck"], 0),
        ("SORTED_TRANSFERS", ["--must-pass", "--states", "4"], 1),
    ],
)
def test_the_exit_status_tells_a_pipeline_whether_all_is_proved(run, tmp_path, name, options, status):
    path = tmp_path / "some.sql"
    path.write_text(getattr(books, name))
    assert run(path, *options).exit_code == status


def test_after_ctrl_c_what_was_found_is_printed(run, transfers, monkeypatch):
    from chatsim.exploration.execution import Execution

    taken, pressed = Execution.take, []

    def take(self, *words, **more):
        if len(self.steps) == 6 and not pressed:
            pressed.append(True)
            raise KeyboardInterrupt
        return taken(self, *words, **more)

    monkeypatch.setattr(Execution, "take", take)
    result = run(transfers, "--json", "--ask", "stuck,deadlock")
    assert result.exit_code == 130
    assert "Interrupted; what had been found is above." in result.stderr
    found = json.loads(result.stdout)
    assert found["whole"] is False
    assert found["states"] > 5


# --- wrong values


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "nothing to explore: name a strategy, FILE.py:NAME, or FILE.sql"),
        (["nope"], "nope"),
        (["nope.sql"], "nope.sql can't be read"),
        (["nope.py:mine"], "nope.py"),
        (["insert_first", "--callers", "0"], "callers is 0; it must be at least 1"),
        (["insert_first", "--callers", "many"], "'many' is not a valid integer"),
        (["insert_first", "--retries", "-1"], "retries is -1; it must be at least 0"),
        (["insert_first", "--seconds", "-1"], "seconds is -1.0; it must be at least 0"),
        (["insert_first", "--seconds", "nan"], "seconds is nan"),
        (["insert_first", "--states", "0"], "states is 0; it must be at least 1"),
        (["insert_first", "--isolation", "chaos"], "READ COMMITTED, REPEATABLE READ"),
        (["insert_first", "--tables", "nope"], "tables is 'nope'; it can be: hardened"),
        (["insert_first", "--pattern", "nope"], ", ".join(f"'{each}'" for each in PATTERNS)),
        (["insert_first", "--present", "nope"], ", ".join(f"'{each}'" for each in PRESENT)),
        (["insert_first", "--ask", "nope"], "ask names 'nope'; there are: stuck, deadlock, refusal"),
        (["insert_first", "--ask", ""], "ask names ''; there are: stuck, deadlock, refusal"),
        (["insert_first", "--ask", "stuck,"], "ask names ''"),
        (["insert_first", "--callers", "7"], "ask for something else than 'serializable'"),
        (["insert_first", "--mysql-url", "mysql://u@h/"], "which server to use is said for --replay"),
    ],
)
def test_what_is_wrong_is_named_with_what_there_is(run, words, says):
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no transaction"),
        ("-- transaction t(a)\nSELECT :a;", "transaction t has 1 parameters (a), and is called with 0"),
        ("CREATE TABLE t (n NOPE);\n-- transaction t\nSELECT 1;", "NOPE"),
        ("-- transaction t\nSELECT NO_SUCH_FUNCTION(1);", "NO_SUCH_FUNCTION"),
        ("-- transaction t\nSELECT 1;\n-- assert x\nSELECT n FROM nope;", "nope"),
        ("INSERT INTO nope VALUES (1);\n-- transaction t\nSELECT 1;", "nope"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(run, tmp_path, text, says):
    path = tmp_path / "wrong.sql"
    path.write_text(text)
    result = run(path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_a_file_that_is_no_text_is_named(run, tmp_path):
    path = tmp_path / "binary.sql"
    path.write_bytes(b"\xff\xfe\x00")
    assert "binary.sql can't be read" in run(path).stderr
