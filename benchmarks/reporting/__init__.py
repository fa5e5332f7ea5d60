"""The report of a run of the benchmarks: rows, targets, a Markdown table, figures, and a history for change points."""
