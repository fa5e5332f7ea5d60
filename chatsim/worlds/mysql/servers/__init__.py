"""A real MySQL, and a real Redis, on any machine.

- `ladder`: the ways to get a server, which are tried in order; each is a small class
- `mysqld`, `redisd`: what a rung must know about each kind of server
- `debian`: a server unpacked from the distribution's packages, without an installation
- `private`: a private instance; `supervisor`: the process that ends it with its owner
- `background`: one instance kept running between commands; `noted`: what is noted of it, and the rung that uses it
"""
