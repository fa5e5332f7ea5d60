"""``docs/parameters.md`` has the parameters of every experiment, as they are declared."""

import re
import subprocess
import sys
from pathlib import Path

from chatsim.experiments.functions import EXPERIMENTS
from chatsim.experiments.parameters import parameters

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"


def test_the_page_is_what_the_module_prints():
    printed = subprocess.run([sys.executable, "-m", "chatsim.experiments.reference"], capture_output=True, check=True)
    assert PAGE.read_bytes() == printed.stdout, (
        "write it anew: python -m chatsim.experiments.reference > docs/parameters.md"
    )


def test_each_experiment_has_a_table_with_a_row_for_each_parameter():
    _, *sections = re.split("^## ", PAGE.read_text(), flags=re.MULTILINE)
    assert [section.partition("\n")[0] for section in sections] == [each.title for each in EXPERIMENTS]
    for experiment, section in zip(EXPERIMENTS, sections, strict=True):
        assert f"Command: `chatsim {experiment.name}`. Function: `chatsim.{experiment.name}`." in section
        rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
        assert [row[0].strip("`") for row in rows] == [each.name for each in parameters(experiment)]
        for declared, (_, default, allowed, purpose) in zip(parameters(experiment), rows, strict=True):
            assert default == ("not given" if declared.default is None else f"`{declared.default}`")
            assert (allowed, purpose) == (declared.domain.bounds, declared.help)
