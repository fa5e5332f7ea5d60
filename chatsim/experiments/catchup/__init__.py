"""A client that was away catches up: how soon, at what price, and does it have everything then?"""
