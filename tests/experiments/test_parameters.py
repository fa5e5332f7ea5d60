"""A parameter is declared once: what is accepted, what it becomes, and the sentence that refuses all else."""

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.delivery.experiment import Delivery
from chatsim.experiments.parameters import (
    BadParameterError,
    Choice,
    Choices,
    Flag,
    Number,
    Numbers,
    Objects,
    Weights,
    Whole,
    convert,
    parameter,
    parameters,
    plain,
    weights_of,
)

NAMES = ("same", "across", "up")


@dataclass(frozen=True)
class Named:
    """What has a name."""

    name: str


THINGS = {name: Named(name) for name in NAMES}


def find(value):
    """Things by name, as strategies are found."""
    if value == "all":
        return THINGS.values()
    values = value.split(",") if isinstance(value, str) else [value] if isinstance(value, Named) else value
    return [each if isinstance(each, Named) else THINGS[each.strip()] for each in values]


KINDS = {
    "whole": Whole(1),
    "number": Number(0.5, "ms"),
    "bounded": Number(0, "ms", 60_000),
    "flag": Flag(),
    "choice": Choice(NAMES),
    "choices": Choices(NAMES),
    "wholes": Numbers(Whole(1)),
    "numbers": Numbers(Number(0, "ms")),
    "objects": Objects(NAMES, find),
    "weights": Weights(NAMES),
}


# --- what is accepted, and what it becomes


@pytest.mark.parametrize(
    ("kind", "value", "becomes"),
    [
        ("whole", 1, 1),
        ("whole", np.int64(7), 7),
        ("whole", np.uint8(7), 7),
        ("whole", 2**70, 2**70),
        ("number", 0.5, 0.5),
        ("number", 3, 3.0),
        ("number", np.float32(2.5), 2.5),
        ("number", np.int64(2), 2.0),
        ("number", Fraction(3, 2), 1.5),
        ("flag", True, True),
        ("flag", False, False),
        ("choice", "across", "across"),
        ("choices", "all", NAMES),
        ("choices", " all ", NAMES),
        ("choices", "across", ("across",)),
        ("choices", "across, same", ("across", "same")),
        ("choices", ["up", "same", "up"], ("up", "same")),
        ("choices", iter(["up"]), ("up",)),
        ("choices", np.array(["up", "same"]), ("up", "same")),
        ("wholes", 5, (5,)),
        ("wholes", np.int64(5), (5,)),
        ("wholes", [5, 3, 5], (5, 3)),
        ("wholes", range(2, 4), (2, 3)),
        ("wholes", np.array([3, 4]), (3, 4)),
        ("bounded", 60_000, 60_000.0),
        ("numbers", 0, (0.0,)),
        ("numbers", (10, 0.5, 10.0), (10.0, 0.5)),
        ("numbers", np.float32(0.5), (0.5,)),
        ("objects", "all", tuple(THINGS.values())),
        ("objects", THINGS["up"], (THINGS["up"],)),
        ("objects", ["same", THINGS["up"]], (THINGS["same"], THINGS["up"])),
        ("weights", "up=2, same=0.5", "same=0.5,up=2"),
        ("weights", "up", "up=1"),
        ("weights", "up=123456.75,", "up=123456.75"),
        ("weights", {"up": 3, "across": np.float32(0.25)}, "across=0.25,up=3"),
    ],
)
def test_what_is_accepted_becomes_a_plain_value(kind, value, becomes):
    found = KINDS[kind].convert("it", value)
    assert found == becomes
    if not isinstance(becomes, tuple):
        assert type(found) is type(becomes)
    elif kind in {"wholes", "numbers", "choices"}:
        assert {type(each) for each in found} <= {int, float, str} | ({np.str_} if kind == "choices" else set())


some = st.lists(st.sampled_from(NAMES), min_size=1)
VALUES = {
    "whole": st.integers(1),
    "number": st.floats(0.5, allow_infinity=False) | st.integers(1, 10**6),
    "bounded": st.floats(0, 60_000),
    "flag": st.booleans(),
    "choice": st.sampled_from(NAMES),
    "choices": some | some.map(", ".join) | st.just("all"),
    "wholes": st.integers(1) | st.lists(st.integers(1), min_size=1),
    "numbers": st.floats(0, allow_infinity=False) | st.lists(st.integers(0, 99) | st.floats(0, 99), min_size=1),
    "objects": st.lists(st.sampled_from(NAMES), min_size=1, unique=True) | st.just("all"),
    "weights": st.dictionaries(st.sampled_from(NAMES), st.floats(1e-6, 1e6), min_size=1),
}


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_what_was_converted_is_converted_to_itself(kind, data):
    found = KINDS[kind].convert("it", data.draw(VALUES[kind]))
    assert KINDS[kind].convert("it", found) == found


@pytest.mark.parametrize(
    ("kind", "text", "becomes"),
    [
        ("whole", "12", 12),
        ("number", "1e1", 10.0),
        ("choice", "up", "up"),
        ("choices", "up,same", ("up", "same")),
        ("wholes", "3,5", (3, 5)),
        ("numbers", "3, 0.5", (3.0, 0.5)),
        ("objects", "up,same", (THINGS["up"], THINGS["same"])),
        ("flag", "true", True),
        ("weights", "up=2,same", "same=1,up=2"),
    ],
)
def test_a_word_of_a_command_line_is_read(kind, text, becomes):
    assert KINDS[kind].convert("it", KINDS[kind].parse(text)) == becomes


# --- what is refused


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        ("whole", 0, "it is 0; it must be a whole number of at least 1"),
        ("whole", -1, "it is -1; it must be a whole number of at least 1"),
        ("whole", 2.5, "it is 2.5; it must be a whole number of at least 1"),
        ("whole", 2.0, "it is 2.0; it must be a whole number of at least 1"),
        ("whole", "5", "it is '5'; it must be a whole number of at least 1"),
        ("whole", math.inf, "it is inf; it must be a whole number of at least 1"),
        ("whole", True, "it is True; it must be a whole number of at least 1"),
        ("whole", None, "it is None; it must be a whole number of at least 1"),
        ("whole", [1], "it is [1]; it must be a whole number of at least 1"),
        ("bounded", 60_000.5, "it is 60000.5; it must be a number from 0 to 60,000 ms"),
        ("bounded", math.inf, "it is inf; it must be a number from 0 to 60,000 ms"),
        ("bounded", math.nan, "it is nan; it must be a number from 0 to 60,000 ms"),
        ("number", 0.4, "it is 0.4; it must be a number of at least 0.5 ms"),
        ("number", math.inf, "it is inf; it must be a number of at least 0.5 ms"),
        ("number", math.nan, "it is nan; it must be a number of at least 0.5 ms"),
        ("number", "5", "it is '5'; it must be a number of at least 0.5 ms"),
        ("number", True, "it is True; it must be a number of at least 0.5 ms"),
        ("number", 5j, "it is 5j; it must be a number of at least 0.5 ms"),
        ("number", None, "it is None; it must be a number of at least 0.5 ms"),
        ("flag", 1, "it is 1; it must be True or False"),
        ("flag", "yes", "it is 'yes'; it must be True or False"),
        ("choice", "down", "unknown it 'down'; there are: same, across, up"),
        ("choice", 3, "unknown it 3; there are: same, across, up"),
        ("choice", ["up"], "unknown it ['up']; there are: same, across, up"),
        ("choices", "up,down", "unknown it 'down'; there are: same, across, up"),
        ("choices", ["up", "all"], "unknown it 'all'; there are: same, across, up"),
        ("choices", "", "unknown it ''; there are: same, across, up"),
        ("choices", [], "it is empty; name at least one"),
        ("choices", [7], "unknown it 7; there are: same, across, up"),
        ("choices", 7, "it is 7; it must be one value or several"),
        ("choices", None, "it is None; it must be one value or several"),
        ("wholes", [], "it is empty; name at least one"),
        ("wholes", [3, 0], "it is 0; it must be a whole number of at least 1"),
        ("wholes", True, "it is True; it must be a whole number of at least 1"),
        ("wholes", [True], "it is True; it must be a whole number of at least 1"),
        ("wholes", "3", "it is '3'; it must be a whole number of at least 1"),
        ("wholes", None, "it is None; it must be a whole number of at least 1"),
        ("numbers", (), "it is empty; name at least one"),
        ("numbers", [5, math.nan], "it is nan; it must be a number of at least 0 ms"),
        ("objects", [], "it is empty; name at least one"),
        ("objects", "up,same,up", "it are told apart by name; up is there twice"),
        ("weights", "up=1,down=2", "unknown 'down' in it; there are: same, across, up"),
        ("weights", "=1", "unknown '' in it; there are: same, across, up"),
        ("weights", "up=0", "the weight of up in it is 0; leave up out, or raise it"),
        ("weights", "up=-1", "the weight of up in it is -1.0; it must be a number from 0 to 1,000,000"),
        ("weights", "up=much", "the weight of up in it is 'much'; it must be a number from 0 to 1,000,000"),
        ("weights", "up=nan", "the weight of up in it is nan; it must be a number from 0 to 1,000,000"),
        ("weights", {"up": True}, "the weight of up in it is True; it must be a number from 0 to 1,000,000"),
        ("weights", "up=1,up=2", "it names up twice"),
        ("weights", "", "it is empty; name at least one of same, across, up"),
        ("weights", " , ", "it is empty; name at least one of same, across, up"),
        ("weights", {}, "it is empty; name at least one of same, across, up"),
        ("weights", 7, "it is 7; it must be some of same, across, up, each as NAME=WEIGHT with a weight above 0"),
        ("weights", None, "it is None; it must be some of same, across, up, each as NAME=WEIGHT with a weight above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name_its_value_and_what_is_allowed(kind, value, sentence):
    with pytest.raises(BadParameterError) as raised:
        KINDS[kind].convert("it", value)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("kind", ["whole", "number", "wholes", "numbers"])
def test_no_bool_of_numpys_is_a_number(kind):
    with pytest.raises(BadParameterError, match=r"^it is np\.True_; it must be "):
        KINDS[kind].convert("it", np.True_)


@pytest.mark.parametrize("kind", ["whole", "number", "wholes", "numbers"])
def test_a_word_that_is_no_number_is_refused_as_it_was_written(kind):
    with pytest.raises(BadParameterError, match=r"^it is 'many'; it must be "):
        KINDS[kind].convert("it", KINDS[kind].parse("many"))


def test_all_means_all_unless_it_is_one_of_the_names():
    assert Choices(("none", "all")).convert("it", "all") == ("all",)
    assert Choices(("none", "all")).bounds == "some of none, all"
    assert Choices(NAMES).bounds == "all, or some of same, across, up"


def test_weights_are_read_from_what_they_were_converted_to():
    assert weights_of(KINDS["weights"].convert("it", "up=2,same=0.5")) == {"same": 0.5, "up": 2.0}


# --- a declaration


@dataclass(frozen=True, kw_only=True)
class Base:
    """What all have."""

    seed: int = parameter(1, Whole(0), "of all chance")

    def __post_init__(self):
        convert(self)


@dataclass(frozen=True, kw_only=True)
class Mine(Base):
    """One."""

    clients: int = parameter(16, Whole(1), "how many")
    rate: float | None = parameter(None, Number(0.001, "per second"), "how often")
    paths: str = parameter("all", Choices(NAMES), "which way")
    things: object = parameter("same", Objects(NAMES, find), "what")
    note: str = "a field that is no parameter"


def test_the_declared_fields_are_its_parameters_its_own_first():
    assert [(each.name, each.default) for each in parameters(Mine)] == [
        ("clients", 16),
        ("rate", None),
        ("paths", "all"),
        ("things", "same"),
        ("seed", 1),
    ]


def test_they_are_converted_when_it_is_made_and_when_it_is_made_anew():
    mine = Mine(clients=np.int64(3), paths="up, same")
    assert (mine.clients, mine.paths, mine.rate, mine.things) == (3, ("up", "same"), None, (THINGS["same"],))
    assert type(mine.clients) is int
    assert dataclasses.replace(mine, seed=2) == Mine(clients=3, paths=["up", "same"], seed=2)


def test_their_plain_values_make_it_again():
    mine = Mine(rate=2, paths="up", things=[THINGS["up"], "across"])
    assert plain(mine) == {"clients": 16, "rate": 2.0, "paths": ["up"], "things": ["up", "across"], "seed": 1}
    assert Mine(**plain(mine)) == mine


def test_none_is_allowed_only_where_it_is_the_default():
    assert Mine(rate=None).rate is None
    with pytest.raises(BadParameterError, match="clients is None"):
        Mine(clients=None)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Race(clients=2.5), "clients is 2.5; it must be a whole number of at least 1"),
        (lambda: Race(rounds="5"), "rounds is '5'; it must be a whole number of at least 1"),
        (lambda: Race(seed=-1), "seed is -1; it must be a whole number of at least 0"),
        (lambda: Delivery(texts=math.inf), "texts is inf; it must be a whole number of at least 1"),
        (lambda: CatchUp(bandwidth=True), "bandwidth is True; it must be a number from 0.001 to 1,000,000 Mbit/s"),
    ],
)
def test_an_experiment_refuses_what_its_declaration_does(make, sentence):
    with pytest.raises(BadParameterError) as raised:
        make()
    assert str(raised.value) == sentence
