"""What statements about rows do: `statements` prepares them; each is run with an `Execution` (`execution`)."""
