"""The experiment on paging: what a page costs, and whether a reader misses anything."""
