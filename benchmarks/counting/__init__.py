"""Costs that are counts: named cases, each a short run in a world, and the comparison with the recorded costs."""
