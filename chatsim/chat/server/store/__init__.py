"""What a node reads and writes in the tables; each function is given a leased session.

`profiles` and `threads` know tables that all schemas have in common. What differs between the schemas, where messages
are and what is known of them, is a `texts.Texts`.
"""
