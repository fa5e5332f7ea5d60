"""The statements with which a node reads and writes its tables. Each function gets a leased session.

`profiles` and `threads` use tables that all schemas have. The tables of messages differ between the schemas: a
`texts.Texts` knows those of one schema.
"""
