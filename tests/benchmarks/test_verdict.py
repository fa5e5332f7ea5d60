"""The bounds that an attack must keep: each is met, or named."""

import json
from collections import Counter

import pytest
from attacks.verdict import Findings, Latencies, broken, markdown, summary

QUICK = [0.005] * 990 + [0.01] * 10
AMPLIFIED = Counter({"bytes of the thread": 1_000, "bytes of the largest answer": 290_000})


def findings(**other):
    values = {
        "attacked": Latencies({"text": QUICK}),
        "burnt": Latencies({"text": QUICK}),
        "shares": [0.5],
        "seconds": 10.0,
    }
    return Findings("floods", "a flood", **values | other)


def slow(*latencies):
    return Latencies({"text": [*QUICK, *latencies]})


def test_an_attack_that_nobody_notices_keeps_all_bounds():
    assert broken(findings(), times=True) == []


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ({"tracebacks": 2}, "2 tracebacks in the node's log"),
        ({"lost": 3}, "3 acknowledged texts are lost"),
        ({"descriptors": 100}, "100 descriptors are still open"),
        ({"memory": 200 * 2**20}, "the node has kept 200 MiB"),
        ({"log": 10_000_000}, "the node has logged 10,000,000 bytes"),
        ({"counts": AMPLIFIED}, "one request brings 290,000 bytes of a thread that has 1,000"),
        ({"attacked": Latencies({"text": QUICK}, Counter({"login: error 1002": 4}))}, "failed: 4 × login: error 1002"),
        ({"attacked": Latencies()}, "innocent users have not had a single answer"),
    ],
)
def test_each_broken_bound_is_named_whether_times_are_judged_or_not(what, sentence):
    for times in (False, True):
        (said,) = broken(findings(**what), times=times)
        assert sentence in said


def test_small_growth_is_no_broken_bound():
    assert broken(findings(memory=2**20, descriptors=2, log=10_000), times=True) == []


@pytest.mark.parametrize(
    ("attacked", "sentence"),
    [
        (slow(*[0.2] * 50), "p99 is 200 ms, 20.0 times the 10.0 ms beside the burner"),
        (slow(0.251), "the slowest took 251 ms"),
        (Latencies({"text": QUICK[:100]}), "too few requests for a p99"),
    ],
)
def test_times_are_judged_only_where_that_is_asked_for(attacked, sentence):
    found = findings(attacked=attacked, burnt=Latencies({"text": [0.01] * 1_000}))
    assert broken(found, times=False) == []
    assert broken(found, times=True) == [sentence]


def test_the_p99_is_of_all_kinds_of_requests_together():
    found = findings(attacked=Latencies({"text": QUICK, "login": [0.2] * 5}))
    assert broken(found, times=True) == []
    found = findings(attacked=Latencies({"text": QUICK, "login": [0.2] * 50}))
    assert "p99 is 200 ms" in broken(found, times=True)[0]


def test_repeats_are_added_up():
    latencies = Latencies()
    latencies.add({"text": [1.0]}, Counter({"text: error 1101": 1}))
    latencies.add({"text": [2.0], "login": [3.0]}, Counter({"text: error 1101": 2}))
    assert latencies.by_kind == {"text": [1.0, 2.0], "login": [3.0]}
    assert latencies.failed == {"text: error 1101": 3}


def test_the_table_has_a_row_of_figures_for_each_attack():
    head, line, row = markdown([findings()], times=True).splitlines()
    assert head.count("|") == line.count("|") == row.count("|")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["floods", "a flood", "0.50"]
    assert cells[-2:] == ["0", "yes"]


def test_what_is_not_known_is_a_dash_and_a_broken_bound_is_no():
    row = markdown([findings(attacked=Latencies(), burnt=Latencies(), shares=[])], times=True).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:9] == ["–"] * 7
    assert cells[-1] == "**no**"


def test_everything_can_be_said_in_json():
    said = json.loads(json.dumps(summary(findings(lost=1), times=True)))
    assert said["name"] == "floods"
    assert said["under_attack"]["requests"] == 1_000
    assert said["under_attack"]["slowest_ms_by_kind"] == {"text": 10.0}
    assert said["lost"] == 1
    assert said["broken"] == ["1 acknowledged texts are lost"]
