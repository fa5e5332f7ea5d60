"""What an expression has to wait for: it is called once for each evaluation, and again for the next row."""

import asyncio
from types import SimpleNamespace

from chatsim.innodb.sql.executor.subqueries import evaluated
from chatsim.innodb.sql.expressions import Env, Scope
from chatsim.innodb.sql.parser import parse


def waiting_run():
    calls = []

    async def waiting_function(name, arguments):
        calls.append((name, arguments))
        return len(calls)

    return SimpleNamespace(session=SimpleNamespace(waiting_function=waiting_function)), calls


def functions(text):
    (statement,) = parse(f"SELECT {text}")
    return [Scope().compile(each) for each in statement.expressions]


def test_each_call_of_one_row_is_made_once():
    run, calls = waiting_run()
    compiled, env = functions("SLEEP(1), SLEEP(2) + 10"), Env(None, ())
    assert asyncio.run(evaluated(run, lambda: [each(env) for each in compiled])) == [1, 12]
    assert calls == [("SLEEP", [1]), ("SLEEP", [2])]


def test_the_next_row_calls_it_again():
    run, calls = waiting_run()
    (compiled,), env = functions("SLEEP(1)"), Env(None, ())
    assert [asyncio.run(evaluated(run, lambda: compiled(env))) for _ in range(2)] == [1, 2]
    assert len(calls) == 2


def test_what_is_not_asked_for_is_not_called():
    run, calls = waiting_run()
    (compiled,), env = functions("IF(0, SLEEP(9), 3)"), Env(None, ())
    assert asyncio.run(evaluated(run, lambda: compiled(env))) == 3
    assert calls == []
