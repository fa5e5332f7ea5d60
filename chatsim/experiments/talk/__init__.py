"""People talk while servers are killed: is everything there once, for both?"""
