"""Booking seats: a small service on MySQL. It has tables and code of its own, and is not part of chatsim."""
