"""What the service does: transactions over a session, which has `execute`, `begin`, `commit` and `rollback`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["SeatTakenError", "book", "bookings_of", "cancel"]


class SeatTakenError(Exception):
    """A seat is taken, or there is no such seat."""


async def book(tx: Any, performance: int, seats: Sequence[int], customer: str) -> int:
    """Book all of these seats for a customer, or none. Returns the id of the booking.

    Raises `SeatTakenError`.
    """
    await tx.begin()
    # everybody locks seats in the order of their numbers, whatever the order in which customers ask for them
    for number in sorted(seats):
        row = "SELECT booking_id FROM seat WHERE performance_id = ? AND number = ? FOR UPDATE"
        found = (await tx.execute(row, (performance, number))).rows
        if not found or found[0][0] is not None:
            await tx.rollback()
            raise SeatTakenError(f"seat {number} can't be had")
    # before the insert: its foreign key locks the performance for reading, and two who hold that lock can't both write
    await tx.execute("UPDATE performance SET seats_left = seats_left - ? WHERE id = ?", (len(seats), performance))
    insert = "INSERT INTO booking (performance_id, customer) VALUES (?, ?)"
    booking = (await tx.execute(insert, (performance, customer))).last_id
    for number in sorted(seats):
        take = "UPDATE seat SET booking_id = ? WHERE performance_id = ? AND number = ?"
        await tx.execute(take, (booking, performance, number))
    await tx.commit()
    return int(booking)


async def cancel(tx: Any, booking: int) -> int:
    """Cancel a booking. Returns how many seats are free again."""
    # found without a lock, and then locked one by one: FOR UPDATE would lock a gap in the index of bookings, too
    find = "SELECT performance_id, number FROM seat WHERE booking_id = ? ORDER BY performance_id, number"
    seats = (await tx.execute(find, (booking,))).rows
    await tx.begin()
    freed = 0
    for performance, number in seats:
        free = "UPDATE seat SET booking_id = NULL WHERE performance_id = ? AND number = ? AND booking_id = ?"
        freed += (await tx.execute(free, (performance, number, booking))).affected
    for performance, _ in seats[:1]:
        await tx.execute("UPDATE performance SET seats_left = seats_left + ? WHERE id = ?", (freed, performance))
    await tx.execute("DELETE FROM booking WHERE id = ?", (booking,))
    await tx.commit()
    return freed


async def bookings_of(tx: Any, customer: str, most: int) -> list[tuple[int, int]]:
    """A customer's latest bookings, with their performances; at most so many."""
    latest = "SELECT id, performance_id FROM booking WHERE customer = ? ORDER BY id DESC LIMIT ?"
    return [
        (int(booking), int(performance)) for booking, performance in (await tx.execute(latest, (customer, most))).rows
    ]
