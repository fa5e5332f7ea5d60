"""Executing statements about rows. `statements` prepares them; each runs with an `Execution` (`execution`)."""
