"""The experiments: workloads, histories of operations, checks, and results."""
