"""Fidelity: what the calibrated model predicts, beside what a real MySQL does."""
