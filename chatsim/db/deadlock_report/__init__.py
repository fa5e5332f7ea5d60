"""Reading the text of deadlock reports, of any server version and however it was pasted.

`pasted` makes a plain report of what people paste, `records` reads the dumped records of locks, `reader` makes
deadlocks of it all. MySQL's reports are in the manual under "InnoDB Standard Monitor and Lock Monitor Output"; their
form changed in 5.5 (transaction ids), 8.0.18 (what the first transaction holds) and, for MariaDB, 10.6.
"""
