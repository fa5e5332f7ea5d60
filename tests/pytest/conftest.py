"""What a pytest run within this process needs is loaded before: else each of them would load it anew."""

import chatsim.pytest.explorations
import chatsim.pytest.own_cluster
import chatsim.pytest.runs
import chatsim.worlds.mysql.world  # noqa: F401
