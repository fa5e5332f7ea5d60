"""A model network with one link between everybody, for tests in virtual time."""

from chatsim.simulation.links import Constant, Link, Topology
from chatsim.worlds.model.network import ModelNetwork

HERE = "127.0.0.2"


def network(latency=0.0, window=65536):
    """The network as seen from a host that nobody listens on; all others are ``latency`` seconds away."""
    return ModelNetwork(Topology(link=Link(Constant(latency))), window=window).host(HERE)
