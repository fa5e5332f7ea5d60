"""The model's costs as a file: the defaults can be read, and whoever writes his own learns what is wrong, and where."""

import re

import pytest

from chatsim.chat.protocol import FROM_CLIENT
from chatsim.simulation.links import Constant, Lognormal
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.world import WorldError

GOOD = """
[node]
cores = 2
[node.service]
LoginRequest = 0.5
[network.link]
latency = { kind = "constant", seconds = 0.25 }
bandwidth = 1e6
[store]
call = 0.125
commit = 0.25
"""


def written(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


def complaint_about(tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(WorldError) as error:
        ModelCosts.read(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_the_defaults_can_be_read():
    costs = ModelCosts.read()
    assert costs.node.cores >= 1
    assert costs.network.link.bandwidth > 0
    assert costs.store.commit > costs.store.call > costs.store.row > 0


def test_the_defaults_have_the_price_of_a_login_above_that_of_a_heartbeat():
    service = ModelCosts.read().node.service
    assert service["LoginRequest"] > service["HeartbeatRequest"] > 0


def test_service_times_are_found_by_message_id():
    by_id = ModelCosts.read().node.by_id
    assert {FROM_CLIENT[number].__name__: seconds for number, seconds in by_id.items()} == (
        ModelCosts.read().node.service
    )


def test_ones_own_can_be_read(tmp_path):
    costs = ModelCosts.read(written(tmp_path, GOOD))
    assert costs.node.cores == 2
    assert costs.node.service["LoginRequest"] == 0.5
    assert costs.network.link.latency == Constant(0.25)
    assert (costs.store.call, costs.store.commit) == (0.125, 0.25)


def test_every_request_may_have_a_price(tmp_path):
    prices = {message.__name__: float(number) for number, message in FROM_CLIENT.items()}
    lines = "\n".join(f"{name} = {price}" for name, price in prices.items())
    node = ModelCosts.read(written(tmp_path, changed("LoginRequest = 0.5", lines))).node
    assert node.service == prices
    assert node.by_id == {number: float(number) for number in FROM_CLIENT}


def test_what_takes_no_time_is_fine(tmp_path):
    text = re.sub(r"(LoginRequest|call|commit) = .*", r"\1 = 0", GOOD)
    costs = ModelCosts.read(written(tmp_path, text))
    assert (costs.node.service["LoginRequest"], costs.store.call, costs.store.commit) == (0, 0, 0)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[store]", "[shop]\n[store]", "unknown field `shop`"),
        (
            "cores = 2",
            "cores = 2\nclock = 3e9",
            "unknown field `clock` - at `$.node`; there are: cores, write, byte, service",
        ),
        ("commit = 0.25", "commit = 0.25\nfsync = 1", "unknown field `fsync` - at `$.store`"),
        ("[store]", '[network.between]\n"a b" = { latency = { kind = "x" } }\n[store]', "there are: constant,"),
        ("bandwidth = 1e6", "loss = 0.1", "unknown field `loss` - at `$.network.link`"),
        ("seconds = 0.25", "seconds = 0.25, jitter = 1", "unknown field `jitter` - at `$.network.link.latency`"),
        ('"constant"', '"uniform"', "- at `$.network.link.latency.kind`; there are: constant, lognormal, empirical"),
    ],
)
def test_what_is_not_known_is_named(tmp_path, old, new, complaint):
    assert complaint in complaint_about(tmp_path, changed(old, new))


@pytest.mark.parametrize(
    "own",
    ["", "[node]\ncores = 64\n", "[node.service]\nLoginRequest = 0.5\n", "[store]\ncommit = 0.25\n"],
    ids=["nothing", "cores", "a service time", "commit"],
)
def test_what_is_not_said_is_as_in_the_defaults(tmp_path, own):
    mine, defaults = ModelCosts.read(written(tmp_path, own)), ModelCosts.read()
    assert mine.network == defaults.network
    assert mine.redis == defaults.redis
    assert mine.store.call == defaults.store.call
    assert mine.node.service["HeartbeatRequest"] == defaults.node.service["HeartbeatRequest"]
    assert (mine == defaults) == (own == "")


def test_a_latency_is_replaced_as_a_whole_and_must_be_whole(tmp_path):
    own = '[network.link]\nlatency = { kind = "lognormal", median = 0.5, sigma = 0.1 }\n'
    assert ModelCosts.read(written(tmp_path, own)).network.link.latency == Lognormal(0.5, 0.1)
    said = complaint_about(tmp_path, own.replace(", sigma = 0.1", ""))
    assert "missing required field `sigma` - at `$.network.link.latency`" in said


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("cores = 2", "cores = 0", "cores is 0; it must be at least 1 - at `$.node`"),
        ("cores = 2", "cores = 1.5", "Expected `int`, got `float` - at `$.node.cores`"),
        ("= 0.5", "= -0.5", "LoginRequest takes -0.5 s; it must be at least 0 - at `$.node`"),
        ("= 0.5", '= "fast"', "got `str` - at `$.node.service"),
        ("bandwidth = 1e6", "bandwidth = 0", "bandwidth is 0.0; it must be above 0 - at `$.network.link`"),
        ("seconds = 0.25", "seconds = -0.25", "it must have no number below 0, and one at least - at `$.network.link`"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path, old, new, complaint):
    assert complaint in complaint_about(tmp_path, changed(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("call = 0.125", "call = -1"),
        ("commit = 0.25", "commit = -1"),
        ("commit = 0.25", "commit = nan"),
        ("LoginRequest = 0.5", "LoginRequest = nan"),
    ],
)
def test_a_time_is_a_number_that_is_not_below_0(tmp_path, old, new):
    complaint_about(tmp_path, changed(old, new))


@pytest.mark.parametrize("name", ["LoginReply", "login_request", "1005"])
def test_what_is_no_request_is_named_and_so_is_what_would_be(tmp_path, name):
    complaint = complaint_about(tmp_path, changed("LoginRequest", name))
    assert f"{name!r} is no request; there are: " in complaint
    assert "at `$.node`" in complaint
    for message in FROM_CLIENT.values():
        assert message.__name__ in complaint


def test_what_is_not_toml_is_named_with_its_line(tmp_path):
    assert "line 3" in complaint_about(tmp_path, changed("cores = 2", "cores: 2"))


def test_what_is_not_even_utf_8_is_named(tmp_path):
    complaint_about(tmp_path, b"\xff\xfe" + GOOD.encode("utf-16-le"))


def test_a_file_may_be_named_by_text(tmp_path):
    path = written(tmp_path, "[node]\ncores = 64\n")
    assert ModelCosts.read(str(path)) == ModelCosts.read(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WorldError, match="can't be read") as error:
        ModelCosts.read(tmp_path / "none.toml")
    assert str(tmp_path / "none.toml") in str(error.value)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(WorldError, match="can't be read") as error:
        ModelCosts.read(tmp_path)
    assert str(tmp_path) in str(error.value)
