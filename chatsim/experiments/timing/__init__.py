"""The times of two commits' benchmarks, compared as ratios within one job."""
