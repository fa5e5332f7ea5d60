"""Random schedules, drawn with Hypothesis: SQL over one or two small tables with few values, so that sessions collide.

- `tables`: the tables, their keys and their rows
- `statements`: conditions and statements over them; the grammar
- `schedules`: whole schedules, as a Hypothesis strategy
- `numbered`: the schedule that a seed and a number give, which can be drawn again and shrunk
- `playable`: the part of a drawn schedule that can be played and has only one outcome

The grammar leaves out what a server may answer in several ways, such as LIMIT without an order.
"""
