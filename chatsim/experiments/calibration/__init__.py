"""Calibration: what things cost on the MySQL at hand, measured, and fitted to the costs of the model."""
