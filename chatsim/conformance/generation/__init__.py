"""Random schedules, drawn with Hypothesis: SQL over one or two small tables with few values, so that sessions collide.

- `columns`, `shapes`, `tables`: types of columns, kinds of tables, and the tables with their rows and triggers
- `conditions`, `queries`, `changes`, `statements`: the grammar, each production with its weight
- `schedules`: whole schedules, as a Hypothesis strategy
- `numbered`: the schedule that a seed and a number give, which can be drawn again and shrunk
- `playable`: the part of a drawn schedule that can be played and has only one outcome

The grammar leaves out what a server may answer in several ways, such as LIMIT without an order, and what the model is
known to do otherwise (docs/fidelity.md).
"""
