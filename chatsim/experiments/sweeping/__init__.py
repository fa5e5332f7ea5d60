"""Sweeps: one experiment in the model with many settings and seeds, on any executor."""
