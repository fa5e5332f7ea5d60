"""A caller whose program is broken: that is no answer to a question, and is raised."""

import pytest

import chatsim
from chatsim.chat.creation import creation_strategy
from chatsim.chat.strategies import StrategyError
from chatsim.exploration.callers import Caller
from chatsim.exploration.problem import Problem, Setup
from chatsim.exploration.questions import ENDS
from chatsim.exploration.search import explore

ACCOUNT = Setup(("CREATE TABLE account (id INT PRIMARY KEY, balance INT NOT NULL)",))


async def breaks_at_once(tx):
    raise LookupError("no such account")


async def breaks_after_a_statement(tx):
    await tx.execute("UPDATE account SET balance = 0 WHERE id = 1")
    raise LookupError("no such account")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("program", [breaks_at_once, breaks_after_a_statement])
def test_what_a_program_raises_is_raised(program, workers):
    problem = Problem(ACCOUNT, (Caller("a", program), Caller("b", program)))
    with pytest.raises(LookupError, match="no such account"):
        explore(problem, [ENDS], workers=workers)


def test_a_strategy_that_forgets_to_commit_is_named():
    @creation_strategy()
    async def forgets(tx, low, high):
        """Bets that somebody else commits."""
        await tx.begin()
        return 1

    with pytest.raises(StrategyError, match="'forgets' returned with its transaction open"):
        chatsim.explore(forgets)
