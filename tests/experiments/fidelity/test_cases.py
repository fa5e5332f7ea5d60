"""Which experiments are predicted and measured, and what is compared of each."""

import pytest

from chatsim.experiments.fidelity.cases import EXPERIMENTS, Case, Selection, predicted
from chatsim.experiments.parameters import BadParameterError

ALL = {
    "experiments": [*EXPERIMENTS],
    "layers": ["store", "stack"],
    "strategies": ["one_round_trip"],
    "patterns": ["strangers"],
    "operations": 60,
    "nodes": 2,
    "pool": None,
}


def selection(**changed):
    return Selection(**{**ALL, **changed})


def test_each_experiment_has_cases_in_its_layers_and_those_with_clients_one_for_each_number():
    assert [case.name for case in selection().cases([3, 12])] == [
        "race, 3 clients",
        "race, 12 clients",
        "race through the stack, 3 clients",
        "race through the stack, 12 clients",
        "pages of threads",
        "pages of history",
        "pages of threads through the stack",
        "pages of history through the stack",
        "catch-up, 3 writers",
        "catch-up, 12 writers",
        "catch-up through the stack",
        "delivery, 3 pairs",
        "delivery, 12 pairs",
    ]


def test_the_parameters_of_all_cases_are_those_of_their_experiments():
    for case in selection(pool=3).cases([3]):
        assert case.made(1).name == case.experiment


def test_nodes_and_pool_are_those_of_the_stack():
    by_name = {case.name: case.made(1) for case in selection(pool=3, nodes=4).cases([3])}
    for name in ("race through the stack, 3 clients", "delivery, 3 pairs"):
        assert (by_name[name].nodes, by_name[name].pool) == (4, 3)
    assert by_name["race, 3 clients"].pool is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"experiments": ["talk"]}, "unknown experiment 'talk'; there are: race, pages, catchup, delivery"),
        ({"layers": ["moon"]}, "unknown layer 'moon'; there are: store, stack"),
        ({"layers": []}, "there is no layer"),
        ({"experiments": []}, "there is no experiment"),
        ({"layers": ["store"]}, "delivery is measured through the stack; add the layer stack"),
    ],
)
def test_what_there_is_not_is_refused(wrong, says):
    with pytest.raises(BadParameterError, match=says):
        selection(**wrong)


def named(name, **changed):
    (case,) = (case for case in selection(**changed).cases([2]) if case.name == name)
    return case


FAST = {"operations": 10}


@pytest.mark.parametrize(
    ("name", "point", "measures"),
    [
        ("race, 2 clients", ("one_round_trip", "strangers"), {"goodput_per_s", "p50_ms", "deadlocks_per_op"}),
        ("catch-up, 2 writers", ("message_id",), {"goodput_per_s", "p50_ms", "deadlocks_per_op"}),
        pytest.param(
            "catch-up through the stack",
            ("bulk, user_version",),
            {"first_screen_ms", "caught_up_ms"},
            marks=pytest.mark.slow,
        ),
        ("delivery, 2 pairs", ("", "across", "acknowledged"), {"goodput_per_s", "p50_ms"}),
        ("delivery, 2 pairs", ("", "across", "pushed"), {"p50_ms"}),
    ],
)
def test_what_is_compared_of_each(name, point, measures):
    values = predicted(named(name, **FAST), {}, 1)
    assert measures <= values[name, point].keys()
    if "goodput_per_s" not in measures:
        assert "goodput_per_s" not in values[name, point]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "points"),
    [("pages of history", 10), ("pages of history through the stack", 2)],
)
def test_pages_are_compared_by_entries_and_percentiles(name, points):
    values = predicted(named(name, **FAST), {}, 1)
    assert len(values) == points
    assert all({"goodput_per_s", "p50_ms"} <= known.keys() for known in values.values())


def test_a_variant_without_any_measure_is_left_out():
    case = Case("pages", 0, "pages", {}, measures=("goodput_per_s",), renamed={"goodput_per_s": "stack_per_s"})
    result = Case("race", 0, "race", {}).made(1).result("model")
    assert case.values(result) == {}
