"""Which access path a statement takes, and what that costs.

`conditions` has the conditions on a table. Range analysis (`column_range`, `range_tree`, `intervals`, `ranges`) finds
the ranges of indexes that the conditions allow. `scan_access`, `range_access`, `ref_access`, `index_merge` and
`min_max` make candidates, and `cost_model` compares them. `order_and_limit` may prefer another index for an order or a
LIMIT. `access_path` has the whole rule. Its result is an `AccessPlan` (`plan`), and `explain` prints it as EXPLAIN
does.
"""
