"""Exploring: every interleaving of some callers of a strategy, or of anybody's transactions; `chatsim.exploration`."""
