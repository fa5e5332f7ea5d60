"""Attacks on a chat server, and what innocent users notice of them; see `benchmarks/attack.py`."""
