"""What a database is to everybody else: sessions, rows, errors with kinds, deadlocks as data."""
