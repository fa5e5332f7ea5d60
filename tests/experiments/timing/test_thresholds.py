"""The file with the largest ratios."""

import pytest

from chatsim.experiments.timing.thresholds import DEFAULT, Thresholds
from chatsim.worlds.world import BadParameterError


def read(tmp_path, text):
    path = tmp_path / "thresholds.toml"
    path.write_text(text)
    return Thresholds.read(path)


def test_without_a_file_each_benchmark_has_the_default(tmp_path):
    assert Thresholds.read(tmp_path / "none.toml").of("any") == DEFAULT == 1.25


def test_the_first_pattern_that_fits_counts(tmp_path):
    found = read(tmp_path, 'default = 1.5\n[benchmarks]\n"*test_codec.py::*" = 1.1\n"*" = 3\n')
    assert found.of("benchmarks/test_codec.py::test_a") == 1.1
    assert found.of("benchmarks/test_other.py::test_a") == 3
    assert read(tmp_path, "default = 1.5").of("any") == 1.5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("default = 1", "default is 1; a threshold is a number above 1"),
        ("default = true", "default is True"),
        ('default = "x"', "default is 'x'"),
        ("[benchmarks]\na = 0.5", "a is 0.5"),
        ("defualt = 2", "has 'defualt'; it can have: default, benchmarks"),
        ("default = ", "can't be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, complaint):
    with pytest.raises(BadParameterError, match=complaint):
        read(tmp_path, text)
