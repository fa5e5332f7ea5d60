"""What the model does otherwise than MySQL (docs/fidelity.md): a file that it plays right does not belong here."""

from pathlib import Path

import pytest

from chatsim.conformance import model_player
from chatsim.conformance.comparison import compare
from chatsim.conformance.files import read

DIFFERENCES = sorted(Path(__file__).with_name("differences").glob("*.json"))
FIDELITY = Path(__file__).parents[2] / "docs" / "fidelity.md"


@pytest.mark.parametrize("path", DIFFERENCES, ids=lambda path: path.stem)
def test_the_model_still_differs(path):
    schedule = read(path)
    assert not compare(schedule, model_player.play(schedule)).agrees, "it agrees: move it into the corpus"


def test_the_document_names_each_and_no_other():
    told = FIDELITY.read_text(encoding="utf-8")
    assert DIFFERENCES
    assert all(f"`{path.stem}`" in told for path in DIFFERENCES)
    assert told.count("\n| `") == len(DIFFERENCES)
