"""A chat client: its connection to a node, its local database, and the code that keeps the database up to date."""
