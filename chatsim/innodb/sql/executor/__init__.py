"""What statements do along their access paths."""
