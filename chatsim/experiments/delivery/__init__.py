"""The experiment on delivery: how soon a text is acknowledged, pushed and read."""
