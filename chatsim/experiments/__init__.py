"""What is measured: workloads, histories of what happened, checks of what must hold, results."""
