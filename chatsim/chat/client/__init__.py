"""A chat client, in parts: its connection to a node, its memory, and what keeps the two alike."""
