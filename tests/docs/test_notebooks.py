"""The saved outputs of the notebooks. `make test-rest` executes them, and with them the claims that are assertions."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind="code"):
    return [each for each in json.loads(path.read_text())["cells"] if each["cell_type"] == kind]


@each_notebook
def test_every_cell_has_run_in_order_and_none_has_failed(path):
    assert [each["execution_count"] for each in cells(path)] == [*range(1, len(cells(path)) + 1)]
    assert not [output for each in cells(path) for output in each["outputs"] if output["output_type"] == "error"]


@each_notebook
def test_no_warning_and_no_progress_bar_is_saved(path):
    outputs = [output for each in cells(path) for output in each["outputs"]]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert not [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    assert "widgets" not in json.loads(path.read_text())["metadata"]


@each_notebook
def test_what_it_claims_it_asserts(path):
    assert any("assert " in "".join(each["source"]) for each in cells(path))


def test_the_first_shows_the_statements_of_the_design_that_looks_right():
    shown = "".join(cells(NOTEBOOKS[0])[1]["outputs"][0]["text"])
    for words in ("FOR UPDATE", "SELECT thread_id FROM private_chat", "INSERT INTO private_chat"):
        assert words in shown
