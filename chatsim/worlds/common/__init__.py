"""What both worlds use to implement the ports: presence and peers in memory, tokens, locks, and the peers' messages."""
