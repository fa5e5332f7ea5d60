"""Ports that one process can implement by itself, in either world."""
