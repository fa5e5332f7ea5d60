"""A real MySQL, and a real Redis, on any machine.

- `ladder`: the ways to have a server, tried in order, each a small class
- `mysqld`, `redisd`: what a rung must know of each kind of server
- `debian`: a server unpacked from the distribution's packages, nothing installed
- `private`: an instance of one's own; `supervisor`: the process that ends it with its owner
- `background`: one instance kept running between commands
"""
