"""The modelled world: virtual time on SimPy, links between many nodes."""
