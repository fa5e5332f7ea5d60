"""A command starts at once: what it does not need is not imported."""

import os
import subprocess
import sys

import click
import pytest

from chatsim.cli import main

HEAVY = {
    *("asyncmy", "docker", "google.protobuf", "grpc", "hypothesis", "matplotlib", "numpy", "pandas", "prompt_toolkit"),
    *("pyarrow", "redis", "rich", "scipy", "simpy", "sqlglot", "testcontainers", "tqdm"),
}
NARROW = {"COLUMNS": "80"}
PROGRAM = """
import sys
try:
    {}
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *sys.modules)
"""


def loaded(statement):
    """The modules that are loaded when a statement has run in a new interpreter."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(statement)], check=True, capture_output=True, text=True)
    return {*done.stdout.rpartition("loaded:")[2].split()}


def command(*words):
    return f"from chatsim.cli import main; main({[*words]}, prog_name='chatsim')"


def test_importing_chatsim_imports_no_other_module_of_it():
    modules = loaded("import chatsim")
    assert {name for name in modules if name.partition(".")[0] == "chatsim"} == {"chatsim"}
    assert not modules & {*HEAVY, "asyncio", "click"}


def test_the_errors_cost_no_library():
    assert not loaded("import chatsim; chatsim.WorldError, chatsim.DeadlockError, chatsim.BadParameterError") & HEAVY


def test_the_page_of_all_commands_imports_none():
    modules = loaded(command("--help"))
    assert {name for name in modules if name.startswith("chatsim.")} == {
        "chatsim.cli",
        "chatsim.cli.interruption",
        "chatsim.cli.lazy",
    }
    assert not modules & {*HEAVY, "asyncio"}


def test_the_strategies_are_listed_without_a_database():
    assert not loaded(command("strategies")) & (HEAVY - {"rich"})


def test_the_page_of_all_commands_has_each_in_one_whole_line():
    page = subprocess.run(
        [sys.executable, "-m", "chatsim", "--help"], check=True, capture_output=True, text=True, env=os.environ | NARROW
    ).stdout
    listed = dict(line.split(maxsplit=1) for line in page.partition("Commands:\n")[2].splitlines())
    assert listed == {name: sentence for name, (_, sentence) in main.homes.items()}
    assert max(map(len, page.splitlines())) <= 80


def test_a_command_that_is_not_there_is_named():
    done = subprocess.run([sys.executable, "-m", "chatsim", "rase"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command 'rase'" in done.stderr


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_a_commands_help_needs_no_heavy_library(name):
    assert not loaded(command(name, "--help")) & (HEAVY - {"numpy"})  # a tenth of a second: what experiments draw with


@pytest.mark.parametrize(
    ("library", "words", "sentence"),
    [
        (
            "hypothesis",
            ["schedule", "--generate", "1", "--check"],
            "--generate needs the extra 'generate': pip install 'chatsim[generate]'",
        ),
        (
            "grpc",
            ["delivery", "--peers", "grpc", "--texts", "1"],
            "gRPC needs the extra 'grpc': pip install 'chatsim[grpc]'",
        ),
    ],
)
def test_a_library_that_is_not_installed_is_a_sentence_that_names_its_extra(
    mysql_url, redis_url, library, words, sentence
):
    without = f"import sys; sys.modules[{library!r}] = None; {command(*words)}"
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"Error: {sentence}")
