"""Which connections a node keeps: nobody who logs in is locked out by those who don't."""

import asyncio
import math
from dataclasses import dataclass, field

import pytest

from chatsim.chat.ports import Address
from chatsim.chat.server.admission import BREACH, PER_ADDRESS, Admission, Welcome
from chatsim.chat.server.limits import Limits

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def clock(monkeypatch):
    class Loop:
        now = 0.0

        def time(self):
            return self.now

    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    return loop


@dataclass(eq=False)
class Connection:
    peer: Address
    reasons: list = field(default_factory=list)

    def drop(self, reason):
        self.reasons.append(reason)

    @property
    def dropped(self):
        return bool(self.reasons)


def connection(host):
    return Connection(Address(host, 1))


def admission(capacity=math.inf, **limits):
    return Admission("node1", Limits(**limits), lambda: capacity)


def admitted(there, host, count=1, *, logged_in=False):
    """So many new connections from a host, all of which are let in."""
    made = [connection(host) for _ in range(count)]
    for each in made:
        assert there.admit(each)
        if logged_in:
            there.logged_in(each)
    return made


def test_the_connection_that_has_waited_longest_makes_room():
    there = admission(connections=3)
    first, second, third = admitted(there, "10.0.0.1", 3)
    admitted(there, "10.0.0.1", 2)
    assert (first.dropped, second.dropped, third.dropped) == (True, True, False)


def test_a_user_who_has_logged_in_never_makes_room():
    there = admission(connections=2)
    (user,) = admitted(there, "10.0.0.1", logged_in=True)
    strangers = admitted(there, "10.0.0.2", 10)
    assert not user.dropped
    assert [each.dropped for each in strangers] == [True] * 9 + [False]


def test_the_address_with_the_most_waiting_connections_makes_room_for_others():
    there = admission(connections=5)
    (one,) = admitted(there, "10.0.0.1")
    many = admitted(there, "10.0.0.2", 4)
    admitted(there, "10.0.0.3", 2)
    assert not one.dropped
    assert [each.dropped for each in many] == [True, True, False, False]


def test_where_all_have_logged_in_a_new_connection_is_refused_until_one_leaves():
    there = admission(connections=2)
    user, _ = admitted(there, "10.0.0.1", 2, logged_in=True)
    assert not there.admit(connection("10.0.0.2"))
    there.leave(user)
    admitted(there, "10.0.0.2")


def test_an_address_with_too_many_makes_room_for_itself_only():
    there = admission(per_address=2)
    other = admitted(there, "10.0.0.1", 2)
    mine = admitted(there, "10.0.0.2", 3)
    assert [each.dropped for each in other] == [False, False]
    assert [each.dropped for each in mine] == [True, False, False]


def test_an_address_with_too_many_users_is_refused_and_others_are_not():
    there = admission(per_address=2)
    admitted(there, "10.0.0.1", 2, logged_in=True)
    assert not there.admit(connection("10.0.0.1"))
    admitted(there, "10.0.0.2", 2, logged_in=True)


def test_by_default_other_machines_are_limited_and_this_one_is_not():
    there = admission()
    for host in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "client"):
        admitted(there, host, PER_ADDRESS + 1, logged_in=True)
    for host in ("10.0.0.1", "2001:db8::1", "::ffff:10.0.0.2"):
        admitted(there, host, PER_ADDRESS, logged_in=True)
        assert not there.admit(connection(host))


def test_the_limit_of_an_address_holds_on_loopback_if_it_is_asked_for():
    there = admission(per_address=1)
    admitted(there, "127.0.0.1", logged_in=True)
    assert not there.admit(connection("127.0.0.1"))
    admitted(there, "127.0.0.2", logged_in=True)


def test_the_addresses_of_one_ipv6_network_count_as_one():
    there = admission(per_address=1)
    admitted(there, "2001:db8::1", logged_in=True)
    assert not there.admit(connection("2001:db8::ffff:2"))
    admitted(there, "2001:db8:0:1::1", logged_in=True)


def test_an_ipv4_address_that_is_written_as_ipv6_is_the_same():
    there = admission(per_address=1)
    admitted(there, "10.0.0.1", logged_in=True)
    assert not there.admit(connection("::ffff:10.0.0.1"))


def test_what_the_network_can_hold_is_a_limit_too():
    there = admission(capacity=2)
    first, _ = admitted(there, "10.0.0.1", 2)
    admitted(there, "10.0.0.1")
    assert first.dropped


def test_a_thousand_refusals_are_one_line_of_log(caplog):
    there = admission(connections=1)
    admitted(there, "10.0.0.1", logged_in=True)
    for _ in range(1000):
        assert not there.admit(connection("10.0.0.2"))
    assert caplog.messages == [
        "node1: there are 1 connections, as many as it may have; a new one is refused (1 so far)"
    ]


def test_who_leaves_after_having_made_room_is_not_counted_twice():
    there = admission(connections=1)
    (first,) = admitted(there, "10.0.0.1")
    (second,) = admitted(there, "10.0.0.2", logged_in=True)
    there.leave(first)
    there.logged_in(first)
    assert not there.admit(connection("10.0.0.1"))
    there.leave(second)
    admitted(there, "10.0.0.1")


def welcomed(there, host, count):
    """How many of so many new connections from a host are welcome."""
    return sum(there.welcomes(Address(host, 1)) is not Welcome.REFUSED for _ in range(count))


def test_an_address_opens_only_so_many_connections_at_once_and_per_second(clock):
    there = admission(arrivals=8, arrivals_at_once=3)
    assert welcomed(there, "10.0.0.1", 100) == 3
    clock.now = 1.0
    assert welcomed(there, "10.0.0.1", 100) == 3
    assert [welcomed(there, "10.0.0.1", 1) for clock.now in (1.0625, 1.125, 1.1875, 1.25)] == [0, 1, 0, 1]


def test_addresses_do_not_take_each_others_new_connections():
    there = admission(arrivals=10, arrivals_at_once=3)
    hosts = ("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2")  # the last two are of one network
    assert [welcomed(there, host, 100) for host in hosts] == [3, 3, 3, 0]


def test_new_connections_of_this_machine_and_of_the_models_are_limited_only_if_it_is_asked_for():
    for host in ("127.0.0.1", "::1", "client"):
        assert welcomed(admission(arrivals_at_once=3), host, 100) == 100
        assert welcomed(admission(arrivals_at_once=3, per_address=256), host, 100) == 3


def test_a_thousand_hasty_connections_are_one_line_of_log(caplog):
    welcomed(admission(arrivals_at_once=3), "10.0.0.1", 1_000)
    assert caplog.messages == ["node1: 10.0.0.1 opens connections too fast; a new one is refused (1 so far)"]


def test_addresses_that_connect_seldom_are_forgotten_and_hasty_ones_are_not(clock):
    there = admission(arrivals=10, arrivals_at_once=3)
    for number in range(50_000):
        clock.now = number / 100
        assert there.welcomes(Address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1))
        welcomed(there, "192.0.2.1", 1)
    assert len(there._buckets) < 4_096
    assert welcomed(there, "192.0.2.1", 100) < 3


def test_an_address_whose_connections_break_the_protocol_opens_fewer_of_them(clock):
    there = admission(arrivals=8, arrivals_at_once=64)
    for _ in range(64 // (BREACH + 1)):
        assert welcomed(there, "10.0.0.1", 1) == 1
        there.broken(Address("10.0.0.1", 1))
    assert welcomed(there, "10.0.0.1", 100) == 64 % (BREACH + 1)
    there.broken(Address("10.0.0.1", 1))
    clock.now = BREACH / 8
    assert [welcomed(there, host, 100) for host in ("10.0.0.1", "10.0.0.2")] == [0, 64]
    clock.now += 1 / 8
    assert welcomed(there, "10.0.0.1", 100) == 1


def test_addresses_with_users_come_first_and_those_that_have_broken_the_protocol_last(clock):
    there = admission()
    hosts = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "127.0.0.1")

    def welcome():
        return [there.welcomes(Address(host, 1)) for host in hosts]

    assert welcome() == [Welcome.UNKNOWN] * 4
    (user,) = admitted(there, "10.0.0.1", logged_in=True)
    admitted(there, "10.0.0.2", 5)
    there.broken(Address("10.0.0.3", 1))
    assert welcome() == [Welcome.FIRST, Welcome.UNKNOWN, Welcome.LAST, Welcome.UNKNOWN]
    there.broken(Address("10.0.0.1", 1))
    assert welcome()[0] is Welcome.LAST
    there.leave(user)
    clock.now = 60.0
    assert welcome() == [Welcome.UNKNOWN] * 4


def test_of_the_addresses_that_have_broken_the_protocol_the_oldest_are_forgotten():
    there = admission()
    for number in range(20_000):
        there.broken(Address(f"10.0.{number >> 8}.{number & 255}", 1))
    assert len(there._grudges) == 16_384
    ends = [there.welcomes(Address(host, 1)) for host in ("10.0.0.1", "10.0.78.31")]
    assert ends == [Welcome.UNKNOWN, Welcome.LAST]


def test_whoever_breaks_the_protocol_from_this_machine_is_not_limited():
    there = admission()
    for _ in range(100):
        assert there.welcomes(Address("127.0.0.1", 1))
        there.broken(Address("127.0.0.1", 1))
