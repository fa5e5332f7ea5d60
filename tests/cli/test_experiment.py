"""The commands of the experiments are made alike: their options, their exit status, what they print and keep."""

import asyncio
import json
import signal

import click
import pytest
from click.testing import CliRunner

from chatsim.chat.creation import STRATEGIES, creation_strategy
from chatsim.cli import main
from chatsim.experiments.functions import EXPERIMENTS
from chatsim.experiments.parameters import Flag, parameters

MODEL = ("--world", "model")
RACE = ("race", *MODEL, "--clients", "2", "--rounds", "3")
SMALL = {
    "race": ("--strategies", "unordered,upsert", "--clients", "4", "--rounds", "5"),
    "pages": ("--what", "history", "--strategies", "by_time,keyset", "--existing", "30", "--page-size", "5"),
    "catchup": ("--protocols", "direct", "--cursors", "message_id,user_version", "--threads", "1", "--missed", "100"),
}
GATES = {
    "race": ("unordered", "upsert", "Not safe: unordered (same_pair)"),
    "pages": ("by_time", "keyset", "Not safe: by_time (30, first, none; 30, first, all; 30, middle, none; "),
    "catchup": ("message_id", "user_version", "Not safe: message_id (direct, 0.0)"),
}
each_experiment = pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.name)


def chatsim(*words):
    return CliRunner().invoke(main, [*map(str, words)], prog_name="chatsim")


def said(result):
    """What stands on standard error, without the progress bars that were wiped away."""
    return result.stderr.rpartition("\r")[2].strip()


# --- options


def test_options_are_the_parameters_then_what_is_asked_of_the_result_then_where_it_runs():
    context = click.Context(main)
    race = main.get_command(context, "race")
    names = [each.opts[0] for each in race.params]
    assert names == [
        *(
            "--strategies",
            "--pattern",
            "--layer",
            "--clients",
            "--rounds",
            "--duration",
            "--warm-up",
            "--warm-up-rounds",
            "--pairs",
        ),
        *("--existing", "--ids", "--retry", "--schema", "--nodes", "--pool", "--rate", "--think-time", "--deadline"),
        *("--repeats", "--seed", "--must-pass"),
        *("--world", "--costs", "--check-determinism", "--out", "--junit", "--markdown", "--wide", "--quiet", "--json"),
        *("--mysql-url", "--mysql-via", "--mysql-image", "--profile", "--redis-url"),
    ]


@each_experiment
def test_help_has_the_sentences_of_the_declaration_their_bounds_and_their_defaults(experiment):
    text = " ".join(chatsim(experiment.name, "--help").stdout.split())
    assert " ".join(experiment.__doc__.split()) in text
    for declared in parameters(experiment):
        sentence = declared.help[0].upper() + declared.help[1:]
        bounds = "" if isinstance(declared.domain, Flag) else f"; {declared.domain.bounds}"
        # a line may be broken behind a hyphen
        assert f"{sentence}{bounds}.".replace(" ", "") in text.replace(" ", "")


def test_several_values_are_given_with_commas_or_by_giving_the_option_again():
    again = ("--strategies", "upsert", "--strategies", "one_round_trip")
    for words in (again, ("--strategies", "upsert, one_round_trip")):
        rows = [json.loads(line) for line in chatsim(*RACE, "--json", *words).stdout.splitlines()]
        assert [row["strategy"] for row in rows] == ["upsert", "one_round_trip"]


# --- the exit status


@pytest.mark.parametrize("name", GATES)
def test_what_must_pass_and_is_not_safe_is_status_1_and_named_with_its_rows(name):
    unsafe, safe, sentence = GATES[name]
    failing = chatsim(name, *MODEL, *SMALL[name], "--must-pass", f"{unsafe}, {safe}")
    assert failing.exit_code == 1
    assert said(failing).startswith(sentence)
    assert safe not in said(failing)
    passing = chatsim(name, *MODEL, *SMALL[name], "--must-pass", safe)
    assert (passing.exit_code, said(passing)) == (0, "")


OFFSET = ("--strategies", "offset", "--must-pass", "offset")
STRANGERS = ("race", "--strategies", "unordered", "--pattern", "strangers", "--clients", "4", "--rounds", "2")
FEW = ("--threads", "2", "--missed", "3", "--must-pass")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            (*STRANGERS, "--must-pass", "unordered"),
            "Not tested: unordered (strangers): no two operations on one pair overlapped, so none could collide",
        ),
        (
            ("race", "--strategies", "unordered", "--clients", "1", "--rounds", "9", "--must-pass", "unordered"),
            "Not tested: unordered (same_pair): no two operations on one pair overlapped",
        ),
        (
            ("catchup", "--protocols", "source,bulk", *FEW, "message_id,user_version"),
            "Not tested: message_id (source, 50.0), user_version (bulk, 50.0): nobody wrote meanwhile; ask for two",
        ),
        (
            ("catchup", "--protocols", "source", "--writers", "2", *FEW, "message_id"),
            "Not tested: message_id (source, 50.0): no two writes into one thread overlapped, so none could be",
        ),
        (
            ("pages", "--existing", "30", "--page-size", "5", "--writers", "none", "--depths", "first", *OFFSET),
            "Not tested: offset (30, first, none): 11 pages: each of 52 once, in order, but nobody changed the list",
        ),
    ],
)
def test_what_has_not_been_tested_does_not_pass_and_it_is_said_what_to_ask_for(words, sentence):
    result = chatsim(*words, *MODEL)
    assert result.exit_code == 1
    assert said(result).startswith(sentence)


def test_what_was_tested_under_one_circumstance_passes_under_others_that_test_nothing():
    both = ("race", *MODEL, "--strategies", "upsert", "--pattern", "same_pair,strangers", "--clients", "4")
    assert chatsim(*both, "--rounds", "3", "--must-pass", "upsert").exit_code == 0


@pytest.mark.parametrize(
    ("command", "parameter"), [("race", "strategies"), ("delivery", "paths"), ("catchup", "cursors")]
)
@pytest.mark.parametrize("value", ["", " , "])
def test_a_gate_without_a_name_as_from_a_variable_that_is_not_set_is_an_error(command, parameter, value):
    result = chatsim(command, *MODEL, "--must-pass", value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said(result) == f"Error: --must-pass is empty; it must name at least one of --{parameter}"


@each_experiment
def test_a_value_that_makes_no_sense_is_status_2_with_one_sentence(experiment):
    for declared in parameters(experiment):
        if not isinstance(declared.domain, Flag):
            result = chatsim(experiment.name, *MODEL, f"--{declared.name.replace('_', '-')}", "such nonsense")
            assert (result.exit_code, result.stdout) == (2, "")
            (line,) = result.stderr.splitlines()
            assert line.startswith("Error: ")
            assert "'such nonsense'" in line


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("race", "--seed", "-1"), "seed is -1; it must be a whole number of at least 0"),
        (
            ("catchup", "--protocols", "bulk", "--cursors", "message_id,user_version"),
            "no protocol of bulk goes by message_id",
        ),
        (
            ("catchup", "--protocols", "bulk", "--crashes", "2"),
            "crashes is 2, which does nothing here: only with direct",
        ),
        (("talk", "--crashes", "0", "--down", "2"), "down is 2.0, which does nothing here: only with crashes"),
        (
            ("talk", "--faults", "database,node"),
            "crashes is 1, so node would never be killed; ask for 2",
        ),
        (("race", "--nodes", "2"), "nodes is 2, which does nothing here: only with the layer stack"),
        (("race", "--must-pass", "nope"), "--must-pass names nope, which --strategies leaves out"),
        (("delivery", "--nodes", "1"), "the path 'across' needs two nodes"),
        (("delivery", "--must-pass", "up"), "--must-pass names up, which --paths leaves out"),
        (("talk", "--pause", "-0.5"), "pause is -0.5; it must be a number from 0 to 3,600 seconds"),
        (("catchup", "--rtt", "5,fast"), "rtt is 'fast'; it must be a number from 0 to 60,000 ms"),
        (("pages", "--writers", "two"), "unknown writers 'two'; there are: none, inserts, deletes, activity, all"),
        (("talk", "--check-determinism"), "--costs and --check-determinism belong to the model: --world model"),
        (("talk", *MODEL, "--profile", "quick"), "which server to use is said for --world mysql; the model has none"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_what_does_not_go_together_is_status_2_with_one_sentence(words, sentence):
    result = chatsim(*words)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {sentence}\n")


def test_a_folder_that_can_not_be_made_is_said_before_anything_is_run(tmp_path):
    (tmp_path / "file").touch()
    result = chatsim("talk", *MODEL, "--out", tmp_path / "file" / "below")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: --out {tmp_path / 'file' / 'below'} can't be made: ")


# --- Ctrl-C


@pytest.fixture
def interrupted(monkeypatch):
    """A strategy in which somebody presses Ctrl-C once."""
    pressed = []

    @creation_strategy()
    async def interrupted(tx, low, high):
        """Bets that nobody presses Ctrl-C."""
        if not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(1)

    monkeypatch.setitem(STRATEGIES, "interrupted", interrupted)


def test_after_ctrl_c_what_had_finished_is_printed_and_saved_and_the_status_is_130(tmp_path, interrupted):
    words = ("--strategies", "upsert,one_round_trip,interrupted")  # run in this order, with the default seed
    result = chatsim(*RACE, *words, "--json", "--out", tmp_path)
    assert result.exit_code == 130
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["strategy"], row["verdict"]) for row in rows] == [("upsert", "safe"), ("one_round_trip", "safe")]
    assert said(result) == f"saved in {tmp_path}\nInterrupted; what had finished is above."
    assert json.loads((tmp_path / "summary.json").read_text()) == rows


def test_after_ctrl_c_before_anything_has_finished_nothing_is_printed_or_saved(tmp_path, interrupted):
    result = chatsim(*RACE, "--strategies", "interrupted", "--out", tmp_path, "--must-pass", "interrupted")
    assert (result.exit_code, result.stdout, said(result)) == (130, "", "Interrupted; nothing had finished.")
    assert [*tmp_path.iterdir()] == []
