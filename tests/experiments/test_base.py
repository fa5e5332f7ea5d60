"""An experiment is declared once: the function, the command, the config and the docstring have its parameters."""

import dataclasses
import inspect
import json
import re
import tomllib

import click
import pandas as pd
import pytest
from matplotlib.figure import Figure

import chatsim
from chatsim.cli import main
from chatsim.experiments import history
from chatsim.experiments.functions import EXPERIMENTS
from chatsim.experiments.parameters import parameters
from chatsim.experiments.runner import run_here
from chatsim.worlds.model.settings import Model

SMALL = {
    "race": {"strategies": "upsert,for_update", "clients": 2, "rounds": 4},
    "pages": {
        "strategies": "three_ranges,by_activity",
        "existing": 30,
        "page_size": 5,
        "rounds": 1,
        "depths": "first",
        "writers": "inserts",
    },
    "catchup": {"protocols": "direct,bulk", "cursors": "user_version", "threads": 2, "missed": 3, "writers": 2},
    "delivery": {"pairs": 1, "texts": 2, "presence": "process", "peers": "process"},
    "talk": {"texts": 3, "crashes": 1},
    "mix": {"clients": 6, "threads": 4, "history": 2, "duration": 0.15, "rate": 400},
}
each_experiment = pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.name)


def names(experiment):
    return [each.name for each in parameters(experiment)]


@pytest.fixture(scope="module")
def results():
    """By the experiment's name: a small run in the model."""
    found = {}
    for experiment in EXPERIMENTS:
        small = experiment(**SMALL[experiment.name])
        found[small.name] = small.result("model")
        run_here(small, Model(), found[small.name], progress=False)
    return found


# --- one declaration


@each_experiment
def test_the_function_takes_what_is_declared_the_world_and_whether_to_show_progress(experiment):
    function = getattr(chatsim, experiment.name)
    taken = inspect.signature(function).parameters
    assert [*taken] == ["world", *names(experiment), "progress"]
    assert {each.kind for each in taken.values()} == {inspect.Parameter.KEYWORD_ONLY}
    for declared in parameters(experiment):
        assert taken[declared.name].default == declared.default
        assert taken[declared.name].annotation == declared.annotation
    assert (function.__name__, function.__module__) == (experiment.name, "chatsim")


@each_experiment
def test_its_docstring_says_what_each_is_for_and_what_is_allowed(experiment):
    text = inspect.getdoc(getattr(chatsim, experiment.name))
    assert text.startswith(inspect.cleandoc(experiment.__doc__))
    args = re.search(r"^Args:\n(.*?)\n\nRaises:", text, re.MULTILINE | re.DOTALL)[1].splitlines()
    assert [line.strip().partition(":")[0] for line in args] == ["world", *names(experiment), "progress"]
    for declared, line in zip(parameters(experiment), args[1:-1], strict=True):
        assert line == f"    {declared.name}: {declared.help}; {declared.domain.bounds}."


@each_experiment
def test_the_command_has_an_option_for_each_with_the_same_words(experiment):
    command = main.get_command(click.Context(main), experiment.name)
    options = {each.name: each for each in command.params}
    assert [name for name in options if name in names(experiment)] == names(experiment), "in the declared order"
    assert [*options][: len(names(experiment))] == names(experiment), "before those that all commands have"
    for declared in parameters(experiment):
        option = options[declared.name]
        assert option.opts == [f"--{declared.name.replace('_', '-')}"]
        assert option.help.lower().startswith(declared.help.lower())
        assert option.is_flag or option.help.endswith(f"; {declared.domain.bounds}.")


@each_experiment
def test_without_options_the_command_runs_what_the_function_runs_without_arguments(experiment):
    command = main.get_command(click.Context(main), experiment.name)
    context = command.make_context(experiment.name, [], parent=click.Context(main, **main.context_settings))
    given = {}
    for declared in parameters(experiment):
        value = context.params[declared.name]
        if declared.domain.several:
            value = ",".join(value) if declared.domain.choices else [each for words in value for each in words]
        given[declared.name] = value
    assert experiment(**given) == experiment()


@each_experiment
def test_the_saved_config_has_each_and_makes_the_experiment_again(experiment, results, tmp_path):
    small = experiment(**SMALL[experiment.name])
    config = tomllib.loads((results[small.name].save(tmp_path) / "config.toml").read_text())
    assert (config.pop("experiment"), config.pop("world")) == (small.name, "model")
    unset = {name for name, value in small.config().items() if value is None}
    assert {*config} | unset == {*names(experiment)}
    assert experiment(**config) == small


@each_experiment
def test_every_declaration_reads_as_one(experiment):
    assert experiment.__doc__
    for declared in parameters(experiment):
        assert declared.help[0].islower()
        assert not declared.help.endswith(".")
        given = experiment(**{declared.name: declared.default})
        assert given == experiment()
    assert [each.name for each in dataclasses.fields(experiment) if "parameter" not in each.metadata] == []


@each_experiment
def test_an_experiment_is_a_value(experiment):
    small = experiment(**SMALL[experiment.name])
    assert small == experiment(**SMALL[experiment.name])
    assert dataclasses.replace(small, seed=7).seed == 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        small.seed = 2


# --- its result


@each_experiment
def test_its_result_is_a_table_of_what_is_shown(experiment, results):
    result = results[experiment.name]
    assert result.variants
    assert {*experiment.shown} <= {*result.summary().columns}, "no column is shown that is never measured"
    assert [*result.table().columns] == [*experiment.shown.values()]
    assert len({tuple(each.key.items()) for each in result.variants}) == len(result.variants)
    assert {each.verdict.word for each in result.variants} == {"safe"}
    assert {row["world"] for row in result.rows()} == {"model"}
    assert repr(result).endswith(result.conditions())
    assert "None" not in repr(result)


@each_experiment
def test_what_a_gate_demands_is_a_column_and_its_values_are_named_by_a_parameter(experiment, results):
    if experiment.judged:
        column, parameter = experiment.judged
        result = results[experiment.name]
        assert {each.key[column] for each in result.variants} <= {*result.config[parameter]}


@each_experiment
def test_its_result_is_saved_with_all_its_files(experiment, results, tmp_path):
    result = results[experiment.name]
    home = result.save(tmp_path / "result")
    always = {
        "result.json",
        "samples.parquet",
        "summary.json",
        "environment.json",
        "config.toml",
        "history.jsonl",
        "summary.png",
    }
    always |= {"per-second.csv", "per-second.png"}
    notes = {f"note-{name}.txt" for name in result.notes}
    assert {each.name for each in home.iterdir() if not each.name.startswith("deadlock-")} == always | notes
    assert json.loads((home / "summary.json").read_text()) == json.loads(json.dumps(result.rows()))
    assert (home / "summary.png").read_bytes().startswith(b"\x89PNG")


@each_experiment
def test_its_operations_are_read_as_they_were_written_and_are_rows_of_the_samples(experiment, results, tmp_path):
    result = results[experiment.name]
    home = result.save(tmp_path)
    operations = [({**each.key, "repeat": 1}, step) for each in result.variants for step in each.operations]
    assert operations
    assert history.read(home / "history.jsonl") == operations
    samples = pd.read_parquet(home / "samples.parquet")
    assert len(samples) == len(result.samples) == len(operations)
    assert {*result.variants[0].key} <= {*samples.columns}


@each_experiment
def test_its_saved_result_is_loaded_as_it_was(experiment, results, tmp_path):
    result = results[experiment.name]
    loaded = chatsim.load(result.save(tmp_path / "here"))
    assert loaded == result
    assert loaded.rows() == result.rows()
    pd.testing.assert_frame_equal(loaded.samples, result.samples)
    assert (loaded.conditions(), repr(loaded), loaded.deadlock()) == (
        result.conditions(),
        repr(result),
        result.deadlock(),
    )
    assert isinstance(loaded.plot(), Figure)


@each_experiment
def test_it_is_measured_as_often_as_asked_in_turns_with_a_seed_for_each(experiment, results, tmp_path):
    once, twice = results[experiment.name], experiment(**SMALL[experiment.name], repeats=2)
    result = twice.result("model")
    run_here(twice, Model(), result, progress=False)
    assert [each.key for each in result.variants] == [each.key for each in once.variants]
    assert {tuple(run.seed for run in each.runs) for each in result.variants} == {(1, 2)}
    assert {row["repeats"] for row in result.rows()} == {2}
    assert "2 repetitions" in result.conditions()
    shown = [name for name in experiment.shown if f"{name}_low" in result.rows()[0]]
    assert any(row[f"{name}_low"] is not None for row in result.rows() for name in shown), "some have an interval"
    assert chatsim.load(result.save(tmp_path)) == result
    assert isinstance(result.plot(), Figure)


@each_experiment
def test_a_result_tells_what_everything_cost_and_what_else_the_machine_did(experiment, results):
    environment = results[experiment.name].environment
    assert environment["costs"]["database"]["flush"] > 0
    assert environment["other_load"] is None or environment["other_load"] >= 0


@each_experiment
def test_its_picture_is_closed_so_that_a_notebook_shows_it_once(experiment, results):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    assert isinstance(results[experiment.name].plot(), Figure)
    assert plt.get_fignums() == before


@each_experiment
def test_a_run_in_the_model_repeats_itself(experiment, results):
    small = experiment(**SMALL[experiment.name])
    again = small.result("model")
    run_here(small, Model(check_determinism=True), again, progress=False)
    assert again.rows() == results[small.name].rows()
    assert [each.operations for each in again.variants] == [each.operations for each in results[small.name].variants]


@each_experiment
def test_every_row_has_the_conditions_that_a_headline_must_carry(experiment, results):
    result = results[experiment.name]
    for word in ("model of InnoDB", "binary log", "seed 1"):
        assert word in result.conditions()
