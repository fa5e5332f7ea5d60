"""Which access path a statement takes, and what that costs.

`conditions` knows what is asked of a table. Range analysis (`column_range`, `range_tree`, `intervals`, `ranges`) says
what that leaves of its indexes. Candidates are made by `scan_access`, `range_access`, `ref_access`, `index_merge` and
`min_max`, and compared by `cost_model`; `order_and_limit` may prefer another index for an order or a LIMIT.
`access_path` has the whole rule. What it decides is an `AccessPlan` (`plan`), and `explain` says of it what EXPLAIN
does.
"""
