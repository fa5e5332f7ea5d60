"""The chat system: its tables, its protocol, its servers and its clients. It knows nothing of worlds or experiments."""
