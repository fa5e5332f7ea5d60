"""The record of a sweep: what has finished is there after any end, and one sweep writes into a folder at a time."""

import json

import pytest

from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.sweeping.record import FILE, opened
from chatsim.experiments.sweeping.setting import settings
from chatsim.worlds.model.settings import Model

ONE, TWO, THREE = settings("race", vary={"clients": [1, 2, 3]}, fixed={}, world=Model(), seeds=[1])
ROWS = [{"strategy": "for_update", "goodput_per_s": 12.5, "p99_ms": None}]


def test_what_was_added_is_there_when_it_is_opened_again(tmp_path):
    with opened(tmp_path / "new" / "folder") as kept:
        kept.add(ONE, ROWS)
        assert ONE in kept
    with opened(tmp_path / "new" / "folder") as kept:
        assert [each in kept for each in (ONE, TWO)] == [True, False]
        assert kept.rows(ONE) == ROWS


@pytest.mark.parametrize("bytes_left", [1, 5, 40, -1])
def test_a_last_line_that_was_not_written_to_its_end_is_not_there_and_the_next_one_is_whole(tmp_path, bytes_left):
    with opened(tmp_path) as kept:
        kept.add(ONE, ROWS)
        size = (tmp_path / FILE).stat().st_size
        kept.add(TWO, ROWS)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: size + bytes_left] if bytes_left > 0 else whole[:-1])
    with opened(tmp_path) as kept:
        assert [each in kept for each in (ONE, TWO)] == [True, False]
        kept.add(THREE, ROWS)
    assert [json.loads(line)["key"] for line in (tmp_path / FILE).read_text().splitlines()] == [ONE.key, THREE.key]


def test_a_line_of_something_else_is_named(tmp_path):
    with opened(tmp_path) as kept:
        kept.add(ONE, ROWS)
    with (tmp_path / FILE).open("a") as file:
        file.write("{}\n")
    with pytest.raises(BadParameterError, match=r"settings\.jsonl, line 2 is no finished setting"), opened(tmp_path):
        pass


def test_two_sweeps_do_not_write_into_one_folder(tmp_path):
    with (
        opened(tmp_path),
        pytest.raises(BadParameterError, match=f"another sweep is writing into {tmp_path}"),
        opened(tmp_path),
    ):
        pass
    with opened(tmp_path):
        pass


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadParameterError, match="file/below can't be made"), opened(tmp_path / "file" / "below"):
        pass


def test_without_a_folder_it_is_kept_in_memory():
    with opened(None) as kept:
        kept.add(ONE, ROWS)
        assert kept.rows(ONE) == ROWS
