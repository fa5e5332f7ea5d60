"""Drafting a schedule from a deadlock report and the tables that it is about.

A report has the statements that waited, the locks in the way, and the records that these are on; it does not have the
statements before. `tables` makes the tables in the model and reads their columns, `rows` makes rows of the dumped
records, `stand_ins` finds statements that take the locks which the report shows, and `draft` puts it together and
plays it in the model, to see whether the draft ends in the same cycle of waits.
"""
