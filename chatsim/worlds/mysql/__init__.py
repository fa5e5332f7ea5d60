"""The real world: real time, TCP on loopback, a real MySQL and a real Redis."""
