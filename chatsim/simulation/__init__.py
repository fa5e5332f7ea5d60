"""An asyncio event loop in virtual time on SimPy, and a network, links and machines in it."""
