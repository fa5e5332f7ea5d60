"""Schedules: scripts of several sessions, played on MySQL and in the model, and compared."""
