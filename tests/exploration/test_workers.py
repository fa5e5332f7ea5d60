"""Several processes find what one finds, whoever of them comes to a state first."""

import multiprocessing

import pytest
from exploration.books import COUNTER, FAMILY, TRANSFERS

from chatsim.conformance.transactions import parse
from chatsim.exploration.choices import Switches
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
