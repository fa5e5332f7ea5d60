"""The chat servers: nodes that clients connect to, and the status server that sends a login to one of them."""
