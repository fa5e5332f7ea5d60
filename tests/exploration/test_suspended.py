"""What a statement under way knows: its variables, and not what it has met on its way and does not remember."""

import asyncio
from decimal import Decimal
from enum import Enum
from functools import partial

import pytest
from exploration import books
from exploration.steps import problem, walking

from chatsim.exploration.suspended import UnknownPartError, knowledge


class Colour(Enum):
    RED = 1


class Other:
    """Of a module whose objects are not walked through."""


async def forever():
    await asyncio.get_running_loop().create_future()


def held(*values):
    """What a coroutine knows that holds values in its variables, and waits."""

    async def hold(*mine):
        kept = mine
        await forever()
        return kept

    async def main():
        coroutine = hold(*values)
        task = asyncio.ensure_future(coroutine)
        await asyncio.sleep(0)
        try:
            return known(coroutine)
        finally:
            task.cancel()

    return asyncio.run(main())


def known(coroutine):
    return knowledge(coroutine, {}, lambda _: None)


@pytest.fixture(autouse=True)
def _this_file_counts(monkeypatch):
    monkeypatch.setattr("chatsim.exploration.suspended._CODE", (__file__, "/asyncio/"))


# --- variables


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        ("a", b"a"),
        ([1, 2], [1, 3]),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        ((1, (2,)), (1, (3,))),
        (Decimal("1.0"), Decimal("1.00")),
        (Colour.RED, 1),
        (partial(print, 1), partial(print, 2)),
        (ValueError("a"), ValueError("b")),
        (iter([1, 2]), iter([2])),
    ],
    ids=lambda value: type(value).__name__,  # the text of an iterator has its address
)
def test_values_are_told_apart_and_equal_ones_are_not(one, other):
    assert held(one) == held(one)
    assert held(one) != held(other)


def test_how_far_an_iterator_has_come_counts():
    come = iter([1, 2, 3])
    next(come)
    assert held(come) != held(iter([1, 2, 3]))
    assert held(enumerate([1], 5)) != held(enumerate([1], 6))


def test_what_functions_share_counts():
    def made(number):
        return lambda: number

    assert held(made(1)) == held(made(1))
    assert held(made(1)) != held(made(2))


def test_one_list_twice_is_not_two_equal_lists():
    shared = []
    assert held(shared, shared) != held([], [])


def test_a_list_that_has_itself_in_it_comes_to_an_end():
    endless = []
    endless.append(endless)
    assert held(endless) == held(endless)


def test_something_of_an_unknown_kind_is_refused():
    with pytest.raises(UnknownPartError):
        held(Other())


def test_where_a_coroutine_waits_counts_and_what_is_on_its_stack():
    async def loops(values):
        for _ in values:
            await asyncio.sleep(0)

    def after(turns, values):
        coroutine = loops(values)
        for _ in range(turns):
            coroutine.send(None)
        found = known(coroutine)
        coroutine.close()
        return found

    assert after(1, [1, 1, 1]) == after(1, [1, 1, 1])
    assert after(1, [1, 1, 1]) != after(2, [1, 1, 1])


def test_a_future_that_is_done_is_not_one_that_is_awaited():
    async def both():
        waits, done = asyncio.get_running_loop().create_future(), asyncio.get_running_loop().create_future()
        done.set_result(1)
        return knowledge(waits, {}, lambda _: None), knowledge(done, {}, lambda _: None)

    one, other = asyncio.run(both())
    assert one != other


# --- statements


BEHIND = books.ACCOUNTS + (
    "-- transaction a\nUPDATE account SET balance = 0 WHERE id = 1;\n"
    "-- transaction b\nUPDATE account SET balance = 1 WHERE id = 1;\n"
    "-- transaction c\nSELECT balance FROM account WHERE id = 2 FOR UPDATE; SELECT 1;"
)


def digest(text, *lines):
    with walking(problem(text), *lines) as execution:
        return execution.digest()[0]


def test_what_others_have_done_before_a_statement_began_to_wait_makes_no_difference():
    assert digest(BEHIND, "a", "b", "a", "b", "c", "c") == digest(BEHIND, "a", "b", "c", "a", "c", "b")


def test_what_a_statement_has_read_before_it_waits_does():
    text = books.ACCOUNTS + (
        "-- transaction copy\nINSERT INTO account SELECT 3, balance FROM account WHERE id = 2;\n"
        "-- transaction one\nINSERT INTO account VALUES (3, 0);\n"
        "-- transaction two\nUPDATE account SET balance = 0 WHERE id = 2;"
    )

    def after(*lines):
        with walking(problem(text, "READ COMMITTED"), *lines) as execution:
            return execution.digest()[0]

    begun = ["copy", "one", "one"]
    assert after(*begun, "two", "two", "two", "copy") != after(*begun, "copy", "two", "two", "two")
