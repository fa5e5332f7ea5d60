"""Exploration: callers of a modelled server are run in every order that its locks allow.

`search` goes through the interleavings, and merges those that have come to the same state; `execution` carries out one
of them, step by step; `state` tells states apart. A caller is any coroutine over a `Session`: it is handed in, and
nothing here knows of chats. `chatsim.conformance.transactions` makes callers of SQL.
"""
