"""The handlers of a node: a short coroutine for each request, by topic. `table` maps requests to handlers."""
