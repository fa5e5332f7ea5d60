"""What the service promises, with the plugin of chatsim: in the model, on a real MySQL, or in both."""

import asyncio
from functools import partial

import pytest
from seat_booking.bookings import SeatTakenError, book, bookings_of, cancel
from seat_booking.connection import connected

from chatsim.pytest import assert_cost, assert_no_deadlock, assert_serializable

ANN = partial(book, performance=1, seats=[1, 2], customer="ann")
BOB = partial(book, performance=1, seats=[2, 1], customer="bob")
CAT = partial(book, performance=1, seats=[3], customer="cat")


# --- what many customers at the same time may not bring about: proved in the model


def test_two_customers_who_want_the_same_seats_never_deadlock(tables):
    assert_no_deadlock([ANN, BOB], tables=tables, copies=1, may_raise=SeatTakenError)


def test_customers_who_want_different_seats_never_deadlock(tables):
    assert_no_deadlock([ANN, CAT], tables=tables, copies=1, may_raise=SeatTakenError)


def test_a_cancellation_never_deadlocks_with_a_booking(tables):
    booked = "INSERT INTO booking VALUES (1, 1, 'dan'); UPDATE seat SET booking_id = 1 WHERE number = 4"
    both = {"cancel": partial(cancel, booking=1), "book": CAT}
    assert_no_deadlock(both, tables=[*tables, booked], copies=1, may_raise=SeatTakenError)


def test_a_seat_is_never_sold_twice(tables):
    assert_serializable([ANN, BOB], tables=tables, copies=1, may_raise=SeatTakenError)


# --- what it does, and what that costs, in both worlds


@pytest.mark.worlds("model", "mysql")
def test_a_booking_takes_the_seats_and_a_cancellation_gives_them_back(world, tables):
    world.apply(tables)
    booked = world.run(ANN).value
    assert list(world.execute("SELECT number FROM seat WHERE booking_id = ?", (booked,)).rows) == [(1,), (2,)]
    with pytest.raises(SeatTakenError):
        world.run(BOB)
    assert world.run(partial(cancel, booking=booked)).value == 2
    assert world.execute("SELECT seats_left FROM performance").scalar() == 4


@pytest.mark.worlds("model", "mysql")
def test_a_booking_of_two_seats_takes_eight_round_trips(world, tables):
    world.apply(tables)
    assert_cost(world.run(ANN), round_trips=8)


@pytest.mark.worlds("model", "mysql")
def test_a_customers_list_reads_no_more_than_it_shows(world, tables):
    world.apply(tables)
    for _ in range(50):
        world.execute("INSERT INTO booking (performance_id, customer) VALUES (1, 'ann'), (1, 'bob')")
    assert_cost(world.run(partial(bookings_of, customer="ann", most=10)), round_trips=1, rows_examined=10)


# --- the service's own connection, on a real MySQL


def test_the_service_books_over_its_own_connection(mysql, tables):
    mysql.apply(tables)

    async def booked():
        async with connected(mysql.url) as tx:
            return await ANN(tx), await bookings_of(tx, "ann", 10)

    booking, listed = asyncio.run(booked())
    assert listed == [(booking, 1)]
