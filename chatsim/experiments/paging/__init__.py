"""Lists read page by page: what a page costs, and whether a reader misses anything."""
