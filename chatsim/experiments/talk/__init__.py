"""The experiment on conversations: people talk while servers are killed. Is each text stored and received once?"""
