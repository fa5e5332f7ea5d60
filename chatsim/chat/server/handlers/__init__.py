"""What a node does about each request: a short coroutine for each, by topic; `table` says which is for which."""
