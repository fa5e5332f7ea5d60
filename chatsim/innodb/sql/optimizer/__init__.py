"""Which access path a statement takes, and what that costs."""
