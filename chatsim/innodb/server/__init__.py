"""Sessions, and the server that they belong to."""
