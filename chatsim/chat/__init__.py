"""The chat system: what it stores, says and decides. It knows nothing of worlds or experiments."""
