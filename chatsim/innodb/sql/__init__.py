"""What statements mean: texts to trees (`parsing`), which path they take (`access`), what they do."""
