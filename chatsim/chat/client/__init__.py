"""A chat client, in parts: so far, its connection to a node."""
