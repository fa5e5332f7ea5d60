"""How soon a text is acknowledged, pushed and read."""
