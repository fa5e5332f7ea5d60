"""What links and topologies promise: delays by their distribution, and the right link between any two hosts."""

import itertools
import math
import tomllib

import msgspec
import numpy as np
import pytest

from chatsim.simulation.links import LOOPBACK, Constant, Empirical, Link, Lognormal, Topology

EVERY_KIND = [Constant(0.25), Lognormal(0.25, 0.5, 0.125), Empirical((0.25, 0.5, 0.75))]
FAST, SLOW, SLOWEST = (Link(Constant(seconds)) for seconds in (0.001, 0.1, 1.0))


def draws(latency, number=20_000, seed=1):
    rng = np.random.default_rng(seed)
    return np.array([latency.draw(rng) for _ in range(number)])


def decoded(toml, kind=Topology):
    return msgspec.convert(tomllib.loads(toml), kind)


class TestLatency:
    def test_a_constant_is_always_the_same(self):
        assert set(draws(Constant(0.25), 100)) == {0.25}

    def test_a_constant_leaves_the_generator_alone(self):
        rng = np.random.default_rng(1)
        Constant(0.25).draw(rng)
        assert rng.bit_generator.state == np.random.default_rng(1).bit_generator.state

    def test_half_of_the_lognormal_delays_are_below_the_median(self):
        assert np.median(draws(Lognormal(0.25, 0.5))) == pytest.approx(0.25, rel=0.02)

    def test_the_logarithm_of_a_lognormal_delay_is_normal(self):
        logarithms = np.log(draws(Lognormal(0.25, 0.5)) / 0.25) / 0.5
        for power, moment in enumerate((0, 1, 0, 3), start=1):
            assert np.mean(logarithms**power) == pytest.approx(moment, abs=0.15)

    def test_the_mean_of_a_lognormal_is_the_one_of_the_textbook(self):
        assert draws(Lognormal(0.25, 0.5)).mean() == pytest.approx(0.25 * math.exp(0.5**2 / 2), rel=0.02)

    def test_a_lognormal_is_never_below_its_least(self):
        with_least, without = draws(Lognormal(0.25, 2.0, 0.125)), draws(Lognormal(0.25, 2.0))
        assert with_least.min() > 0.125
        assert with_least == pytest.approx(without + 0.125)

    def test_a_lognormal_without_spread_is_its_median(self):
        assert set(draws(Lognormal(0.25, 0.0, 0.5), 100)) == {0.75}

    def test_an_empirical_delay_is_one_of_the_measured_each_as_often(self):
        seconds, counts = np.unique(draws(Empirical((0.75, 0.25, 0.5, 0.25))), return_counts=True)
        assert seconds.tolist() == [0.25, 0.5, 0.75]
        assert counts / 20_000 == pytest.approx([0.5, 0.25, 0.25], abs=0.02)

    def test_an_empirical_of_one_is_constant(self):
        assert set(draws(Empirical((0.25,)), 100)) == {0.25}

    @pytest.mark.parametrize("latency", EVERY_KIND)
    def test_the_same_seed_draws_the_same(self, latency):
        assert draws(latency, 100).tolist() == draws(latency, 100).tolist()

    @pytest.mark.parametrize("latency", EVERY_KIND[1:])
    def test_another_seed_draws_something_else(self, latency):
        assert draws(latency, 100).tolist() != draws(latency, 100, seed=2).tolist()

    @pytest.mark.parametrize("latency", EVERY_KIND)
    def test_a_delay_is_a_number_that_the_loop_can_add(self, latency):
        assert isinstance(latency.draw(np.random.default_rng(1)) + 0.5, float)


class TestLink:
    def test_the_default_takes_no_time(self):
        assert (Link().latency, Link().bandwidth) == (Constant(0.0), math.inf)

    @pytest.mark.parametrize("bandwidth", [0, -1, -math.inf, math.nan])
    def test_a_bandwidth_is_above_0(self, bandwidth):
        with pytest.raises(ValueError, match=f"bandwidth is {bandwidth}; it must be above 0"):
            Link(bandwidth=bandwidth)

    @pytest.mark.parametrize(
        "latency",
        [
            Constant(-0.1),
            Lognormal(-0.1, 0.5),
            Lognormal(0.1, -0.5),
            Lognormal(0.1, 0.5, -0.01),
            Empirical((0.1, -0.1, 0.2)),
            Empirical(()),
        ],
    )
    def test_a_latency_that_makes_no_sense_is_named(self, latency):
        with pytest.raises(ValueError, match="it must have no number below 0, and one at least") as error:
            Link(latency)
        assert str(latency) in str(error.value)

    @pytest.mark.parametrize("latency", [Constant(math.nan), Lognormal(0.1, math.nan), Empirical((0.1, math.nan))])
    def test_a_latency_is_a_number(self, latency):
        with pytest.raises(ValueError, match="latency is"):
            Link(latency)

    @pytest.mark.parametrize("latency", [Constant(0.0), Lognormal(0.0, 0.0), Empirical((0.0,))])
    def test_no_latency_at_all_is_fine(self, latency):
        assert Link(latency).latency == latency


class TestTopology:
    def test_without_regions_one_link_is_between_all_hosts(self):
        topology = Topology(SLOW)
        assert topology.find("a", "b") is topology.find("b", "a") is SLOW

    def test_without_anything_hosts_are_as_near_as_can_be(self):
        assert Topology().find("a", "b") == LOOPBACK

    def test_a_host_is_near_itself_whatever_is_said(self):
        topology = Topology(SLOW, {"a": "east"}, {"east east": SLOWEST, " ": SLOWEST})
        assert topology.find("a", "a") is topology.find("nobody", "nobody") is LOOPBACK

    @pytest.mark.parametrize("name", ["east west", "west east"])
    def test_what_is_between_two_regions_serves_both_directions(self, name):
        topology = Topology(FAST, {"a": "east", "b": "west"}, {name: SLOW})
        assert topology.find("a", "b") is topology.find("b", "a") is SLOW

    def test_each_direction_may_have_its_own(self):
        topology = Topology(FAST, {"a": "east", "b": "west"}, {"east west": SLOW, "west east": SLOWEST})
        assert topology.find("a", "b") is SLOW
        assert topology.find("b", "a") is SLOWEST

    def test_within_a_region_there_may_be_a_link_of_its_own(self):
        topology = Topology(SLOW, {"a": "east", "b": "east", "c": "west", "d": "west"}, {"east east": FAST})
        assert topology.find("a", "b") is topology.find("b", "a") is FAST
        assert topology.find("c", "d") is SLOW

    def test_two_regions_of_which_nothing_is_said_have_the_default(self):
        topology = Topology(SLOW, {"a": "east", "b": "west", "c": "north"}, {"east west": FAST})
        for here, there in itertools.permutations("abc", 2):
            assert topology.find(here, there) is (SLOW if "c" in (here, there) else FAST)

    def test_hosts_that_are_not_named_are_in_a_region_without_a_name(self):
        topology = Topology(SLOW, {"a": "east"}, {" ": FAST, " east": SLOWEST})
        assert topology.find("b", "c") is FAST
        assert topology.find("a", "b") is topology.find("b", "a") is SLOWEST


class TestDecoding:
    def test_all_that_can_be_said(self):
        topology = decoded("""
            link = { latency = { kind = "constant", seconds = 0.25 }, bandwidth = 1e6 }
            [regions]
            a = "east"
            b = "west"
            [between."east west"]
            latency = { kind = "lognormal", median = 0.25, sigma = 0.5, least = 0.125 }
            [between."west west"]
            latency = { kind = "empirical", seconds = [0.25, 0.5, 1] }
            bandwidth = inf
        """)
        assert topology == Topology(
            Link(Constant(0.25), 1e6),
            {"a": "east", "b": "west"},
            {"east west": Link(Lognormal(0.25, 0.5, 0.125)), "west west": Link(Empirical((0.25, 0.5, 1.0)))},
        )

    def test_nothing_need_be_said(self):
        assert decoded("") == Topology()
        assert decoded("", Link) == Link()
        assert decoded('latency = {kind = "lognormal", median = 1, sigma = 2}', Link) == Link(Lognormal(1, 2, 0))

    def test_json_says_the_same(self):
        one, two, three = (Link(latency, 1e6) for latency in EVERY_KIND)
        topology = Topology(one, {"a": "x"}, {"x x": two, "x ": three})
        assert msgspec.json.decode(msgspec.json.encode(topology), type=Topology) == topology

    @pytest.mark.parametrize(
        ("toml", "complaint"),
        [
            ('latency = {kind = "uniform", seconds = 1}', r"Invalid value 'uniform' - at `\$.latency.kind`"),
            ("latency = {seconds = 1}", r"missing required field `kind` - at `\$.latency`"),
            ('latency = {kind = "constant"}', r"missing required field `seconds` - at `\$.latency`"),
            ('latency = {kind = "lognormal", median = 1}', r"missing required field `sigma` - at `\$.latency`"),
            ('latency = {kind = "constant", seconds = 1, jitter = 1}', r"unknown field `jitter` - at `\$.latency`"),
            ('latency = {kind = "constant", seconds = "1 ms"}', r"got `str` - at `\$.latency.seconds`"),
            ('latency = {kind = "empirical", seconds = 1}', r"got `int` - at `\$.latency.seconds`"),
            ('latency = {kind = "constant", seconds = -1}', "latency is .*must have no number below 0"),
            ('latency = {kind = "empirical", seconds = []}', "latency is .*and one at least"),
            ("bandwidth = 0", "bandwidth is 0.0; it must be above 0"),
            ("loss = 0.1", "unknown field `loss`"),
        ],
    )
    def test_what_makes_no_sense_is_named_with_its_place(self, toml, complaint):
        with pytest.raises(msgspec.ValidationError, match=complaint):
            decoded(toml, Link)

    @pytest.mark.parametrize(
        ("toml", "complaint"),
        [
            ("links = {}", "unknown field `links`"),
            ("link = {bandwidth = -1}", r"bandwidth is -1.0.* - at `\$.link`"),
            ('between = {"a b" = {bandwidth = 0}}', r"bandwidth is 0.0.* - at `\$.between\[...\]`"),
            ("regions = {a = 1}", r"got `int` - at `\$.regions\[...\]`"),
        ],
    )
    def test_so_it_is_in_a_topology(self, toml, complaint):
        with pytest.raises(msgspec.ValidationError, match=complaint):
            decoded(toml)
