"""Walking one way through a problem: a line for each choice."""

from contextlib import contextmanager

from chatsim.conformance.transactions import parse
from chatsim.db.session import Isolation
from chatsim.exploration.choices import Choice, Switches
from chatsim.exploration.execution import Execution
from chatsim.exploration.problem import Problem, Setup

KINDS = {"": "go", "first": "first", "dies": "die", "loses": "lose", "times out": "time out", "wakes": "wake"}


def problem(text, isolation="REPEATABLE READ", *, copies=None, **switches):
    """The problem of a file of SQL."""
    return parse(text).problem(copies=copies, isolation=Isolation(isolation), switches=Switches(**switches))


def programs(*callers, setup=(), **switches):
    """The problem of callers in Python."""
    return Problem(Setup(tuple(setup)), callers, Switches(**switches))


@contextmanager
def walking(what, *lines):
    """An execution after some choices: ``a`` has a statement executed, ``a dies``, ``a loses``, ``a times out``."""
    execution = Execution(what)
    try:
        for line in lines:
            step(execution, line)
        yield execution
    finally:
        execution.close()


def step(execution, line):
    """Take the choice that a line names, which must be there."""
    name, _, what = line.partition(" ")
    choice = Choice(KINDS[what], names(execution).index(name))
    assert choice in execution.choices, f"{line}: there are {open_choices(execution)}"
    return execution.take(choice)


def open_choices(execution):
    """What may happen next, as lines."""
    words = {kind: word for word, kind in KINDS.items()}
    return {f"{names(execution)[each.caller]} {words[each.kind]}".strip() for each in execution.choices}


def names(execution):
    return [each.name for each in execution.ended]
