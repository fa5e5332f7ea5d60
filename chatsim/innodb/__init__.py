"""A model of InnoDB, and of as much of MySQL as its statements need.

Who knows InnoDB finds here: `index` (B-trees, as ordered records), `locks` (lock0lock, lock0wait), `transactions` and
`undo` (versions, read views, rollback, purge), `scan` (row0sel), `rows` (row0ins, row0upd), `foreign`; and of the
server: `sql` (parser, optimizer, statements), `session`, `named_locks`, `engine`. What is known to differ from the real
one: docs/fidelity.md.
"""
