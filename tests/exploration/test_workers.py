"""Several processes find what one finds, whoever of them comes to a state first."""

import json
import multiprocessing
import subprocess
import sys

import pytest
from exploration.books import COUNTER, FAMILY, TRANSFERS

from chatsim.conformance.transactions import parse
from chatsim.exploration.choices import Switches
from chatsim.exploration.graph import Graph
from chatsim.exploration.questions import ANSWERED, ENDS, NO_DEADLOCK
from chatsim.exploration.search import explore
from chatsim.exploration.serial_orders import serializable
from chatsim.exploration.verdict import Bound


def found(text, *, copies=None, workers=1, prunes=False, **more):
    file = parse(text)
    problem = file.problem(copies=copies, switches=Switches())
    questions = [ENDS, NO_DEADLOCK, ANSWERED, serializable(problem), *file.questions()]
    return explore(problem, questions, workers=workers, prunes=prunes, **more)


@pytest.mark.parametrize("prunes", [False, True])
@pytest.mark.parametrize(("text", "copies"), [(TRANSFERS, 1), (COUNTER, 3), (FAMILY, 3)])
def test_counts_verdicts_and_the_shortest_are_those_of_one_process(text, copies, prunes):
    one = found(text, copies=copies, prunes=prunes)
    several = found(text, copies=copies, prunes=prunes, workers=3)
    assert one.whole
    for name in ("states", "ends", "interleavings", "longest", "retries", "outcomes", "deadlocks", "violations"):
        assert getattr(several, name) == getattr(one, name), name
    assert several.verdicts == one.verdicts
    lengths = [[len(each.interleaving.steps) for each in result.findings] for result in (one, several)]
    assert lengths[0] == lengths[1]
    assert not multiprocessing.active_children()


def test_processes_end_at_a_bound_and_after_an_interrupt():
    few = found(FAMILY, copies=3, workers=2, bound=Bound(states=20))
    assert not few.whole
    assert few.verdict("stuck") == "inconclusive"

    def interrupt(seen, left):
        raise KeyboardInterrupt

    ended = found(FAMILY, copies=3, workers=2, progress=interrupt)
    assert (ended.interrupted, ended.whole) == (True, False)
    assert not multiprocessing.active_children()


def test_a_step_that_another_process_is_to_count_leads_on_but_is_not_counted():
    graph = Graph()
    for state in (b"beginning", b"middle", b"end"):
        graph.add(state)
    graph.connect(b"beginning", b"middle", [])
    graph.connect(b"middle", b"end", [], counts=False)
    graph.end(b"end", ["deadlock"])
    assert graph.distances("deadlock") == {b"end": 0, b"middle": 1, b"beginning": 2}
    assert graph.longest() == 1
    graph.connect(b"middle", b"end", [])
    assert (graph.paths(), graph.longest()) == (1, 2)


@pytest.mark.parametrize("states", range(20, 140, 30))
def test_what_is_found_up_to_a_bound_is_reached_from_the_beginning(states):
    bounded = found(FAMILY, copies=3, workers=3, bound=Bound(states=states))
    for each in bounded.findings:
        assert each.interleaving.steps
        assert each.question in {"deadlock", "refusal"}


def test_the_command_ends_its_processes_without_a_word():
    command = [sys.executable, "-m", "chatsim", "explore", "upsert", "--workers", "2", "--json"]
    ended = subprocess.run(command, capture_output=True, check=True, text=True)
    assert json.loads(ended.stdout)["interleavings"] == 50
    assert ended.stderr == ""
