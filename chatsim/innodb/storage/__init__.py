"""Records, indexes, locks, versions, undo, purge, scans, foreign keys: the storage engine."""
