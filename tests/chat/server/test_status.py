"""The status server spreads logins by what the nodes have reported, and by what it has sent them since."""

import asyncio
import functools
from collections import Counter

import pytest

from chatsim.chat.ports import Address, NodeStatus
from chatsim.chat.server.status import NoNodeError, StatusServer, Ticket
from chatsim.simulation.loop import run
from chatsim.worlds.common.presence import MemoryDirectory

EXPIRY = 3.0


def in_virtual_time(test):
    @functools.wraps(test)
    def play(*args, **kwargs):
        run(test(*args, **kwargs))

    return play


class Tokens:
    """Tokens that can be read."""

    async def issue(self, uid):
        return f"token of {uid}"


class SlowDirectory(MemoryDirectory):
    """A directory that lets others go on before it answers."""

    async def nodes(self):
        await asyncio.sleep(0)
        return await super().nodes()


class Nodes:
    """The nodes of a cluster, each at the host of its own name, and a status server that has their reports."""

    def __init__(self, **sessions):
        self.directory = SlowDirectory(EXPIRY)
        self.status = StatusServer(self.directory, Tokens())
        self._reports = Counter()
        self._first = sessions

    async def __aenter__(self):
        await self.report(**self._first)
        return self

    async def __aexit__(self, *_):
        pass

    async def report(self, **sessions):
        for name, count in sessions.items():
            self._reports[name] += 1
            await self.directory.announce(NodeStatus(name, Address(name, 9000), count, self._reports[name]))

    async def sent(self, crowd):
        """How many of a crowd that comes at once are sent to each node."""
        tickets = await asyncio.gather(*map(self.status.send, range(crowd)))
        return dict(Counter(ticket.address.host for ticket in tickets))

    async def unreachable(self, name):
        await self.status.unreachable(Address(name, 9000))


@in_virtual_time
async def test_a_login_is_sent_to_the_least_loaded_node_with_a_token_of_the_user():
    async with Nodes(a=3, b=1, c=2) as nodes:
        assert await nodes.status.send(1019) == Ticket(Address("b", 9000), "token of 1019")


@in_virtual_time
async def test_a_client_that_knows_where_to_go_gets_a_token_and_counts_nowhere():
    async with Nodes(a=0, b=0) as nodes:
        for _ in range(10):
            assert await nodes.status.token(1019) == "token of 1019"
        assert await nodes.sent(2) == {"a": 1, "b": 1}


@in_virtual_time
async def test_of_nodes_with_the_same_load_the_first_by_name_is_taken():
    async with Nodes(c=1, b=1, a=2) as nodes:
        assert [(await nodes.status.send(1)).address.host for _ in range(5)] == ["b", "c", "a", "b", "c"]


@pytest.mark.parametrize(
    ("sessions", "crowd", "sent"),
    [
        ({"a": 0, "b": 0, "c": 0}, 90, {"a": 30, "b": 30, "c": 30}),
        ({"a": 5, "b": 5, "c": 5}, 91, {"a": 31, "b": 30, "c": 30}),
        ({"a": 10, "b": 20, "c": 30}, 60, {"a": 30, "b": 20, "c": 10}),
        ({"a": 100, "b": 0, "c": 0}, 50, {"b": 25, "c": 25}),
    ],
)
@in_virtual_time
async def test_a_crowd_that_comes_between_two_reports_evens_out_the_load(sessions, crowd, sent):
    async with Nodes(**sessions) as nodes:
        assert await nodes.sent(crowd) == sent


@in_virtual_time
async def test_a_report_takes_the_place_of_what_was_sent_before_it():
    async with Nodes(a=0, b=0) as nodes:
        await nodes.sent(20)
        await nodes.report(a=10, b=0)
        assert await nodes.sent(1) == {"b": 1}, "b's logins have gone elsewhere; a's are in its report"
        assert await nodes.sent(9) == {"b": 9}


@in_virtual_time
async def test_a_report_of_one_node_does_not_forget_what_was_sent_to_another():
    async with Nodes(a=0, b=0) as nodes:
        await nodes.sent(20)
        await nodes.report(a=10)
        assert await nodes.sent(10) == {"a": 5, "b": 5}


@in_virtual_time
async def test_a_report_that_says_the_same_is_a_report():
    async with Nodes(a=0, b=0) as nodes:
        for _ in range(3):
            assert await nodes.sent(3) == {"a": 2, "b": 1}
            await nodes.report(a=0, b=0)


@in_virtual_time
async def test_nobody_is_sent_to_a_node_whose_report_has_lapsed():
    async with Nodes(a=0, b=9) as nodes:
        await asyncio.sleep(EXPIRY - 1)
        await nodes.report(b=9)
        assert await nodes.sent(1) == {"a": 1}
        await asyncio.sleep(1)
        assert await nodes.sent(5) == {"b": 5}


@in_virtual_time
async def test_a_node_that_is_back_from_the_dead_is_what_it_says_it_is():
    async with Nodes(a=0, b=9) as nodes:
        await nodes.sent(8)
        await asyncio.sleep(EXPIRY)
        await nodes.report(b=9)
        assert await nodes.sent(1) == {"b": 1}
        await nodes.report(a=0)
        assert await nodes.sent(5) == {"a": 5}


@in_virtual_time
async def test_nobody_is_sent_to_a_node_that_could_not_be_reached_until_it_reports_again():
    async with Nodes(a=0, b=9) as nodes:
        await nodes.unreachable("a")
        assert await nodes.sent(3) == {"b": 3}
        await nodes.report(b=12)
        assert await nodes.sent(1) == {"b": 1}
        await nodes.report(a=0)
        assert await nodes.sent(3) == {"a": 3}


@in_virtual_time
async def test_a_node_that_can_not_be_reached_may_be_so_again():
    async with Nodes(a=0, b=9) as nodes:
        for _ in range(3):
            await nodes.unreachable("a")
            await nodes.unreachable("a")
            assert await nodes.sent(1) == {"b": 1}
            await nodes.report(a=0, b=9)


@in_virtual_time
async def test_an_address_where_no_node_is_may_be_called_unreachable():
    async with Nodes(a=0) as nodes:
        await nodes.unreachable("nowhere")
        assert await nodes.sent(1) == {"a": 1}


@in_virtual_time
async def test_without_a_node_there_is_nowhere_to_go():
    async with Nodes() as nodes:
        with pytest.raises(NoNodeError, match=r"^no chat server is live$"):
            await nodes.status.send(1)


@in_virtual_time
async def test_nor_is_there_when_all_have_lapsed_or_been_withdrawn_or_can_not_be_reached():
    async with Nodes(lapsed=0) as nodes:
        await asyncio.sleep(EXPIRY)
        await nodes.report(withdrawn=0, unreachable=0)
        await nodes.directory.withdraw("withdrawn")
        await nodes.unreachable("unreachable")
        with pytest.raises(NoNodeError):
            await nodes.status.send(1)


@in_virtual_time
async def test_the_live_nodes_are_those_that_report_and_as_loaded_as_they_say():
    async with Nodes(b=2, a=1, c=3) as nodes:
        await nodes.sent(10)
        await nodes.unreachable("b")
        assert await nodes.status.live() == {"a": 1, "b": 2, "c": 3}
        await nodes.directory.withdraw("c")
        await asyncio.sleep(EXPIRY - 1)
        await nodes.report(a=7)
        await asyncio.sleep(1)
        assert await nodes.status.live() == {"a": 7}
