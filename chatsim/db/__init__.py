"""The interface of databases: sessions, rows, errors with kinds, deadlocks as data, and SQL text."""
