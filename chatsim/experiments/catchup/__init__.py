"""The experiment on catching up: how soon, and at what price, does a client that was away have everything?"""
