"""The database sessions of a node wait no longer than its limits say, wherever and however it runs."""

import secrets

import numpy as np
import pytest
from harness import ANN, BOB, in_both_worlds

from chatsim.chat.creation import STRATEGIES
from chatsim.chat.ports import Address
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.store.texts import TEXTS
from chatsim.db.errors import LockWaitTimeoutError
from chatsim.db.session import Isolation
from chatsim.worlds.common.presence import MemoryDirectory
from chatsim.worlds.common.tokens import LIFETIME
from chatsim.worlds.mysql.nodes import NodeSettings, run_node
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import Sharing

LIMITS = {"idle_transaction": 9, "lock_wait": 1}


@in_both_worlds(**LIMITS)
async def test_a_request_does_not_wait_for_a_lock_any_longer(harness):
    thread = await harness.talking(ANN, BOB)
    node = harness.cluster.nodes[0]
    async with node.database.lease(ANN) as tx:
        if harness.world.name == "mysql":
            assert (await tx.execute("SELECT @@wait_timeout")).scalar() == 9
        await harness.world.admin.script(f"BEGIN; SELECT * FROM chat_thread WHERE id = {thread} FOR UPDATE")
        with pytest.raises(LockWaitTimeoutError):
            await tx.execute("SELECT * FROM chat_thread WHERE id = ? FOR UPDATE", (thread,))
        await harness.world.admin.rollback()


async def test_a_node_in_a_process_of_its_own_has_them_as_well(mysql_url):
    async with MySQLWorld() as world:
        config = NodeConfig(
            strategy=STRATEGIES["look_first"],
            retry=POLICIES["retry"],
            isolation=Isolation.REPEATABLE_READ,
            texts=TEXTS["hardened"],
            limits=Limits(**LIMITS),
            rng=np.random.default_rng(1),
        )
        settings = NodeSettings(
            name="node1",
            address=Address("127.0.0.1", 0),
            mysql_url=world.url,
            schema=world.schema,
            pool=1,
            token_key=secrets.token_bytes(32),
            token_lifetime=LIFETIME,
            config=config,
            redis_url=None,
            sharing=Sharing(),
        )
        async with run_node(settings, MemoryDirectory(3)) as node, node.database.lease(ANN) as tx:
            answer = await tx.execute("SELECT @@wait_timeout, @@innodb_lock_wait_timeout")
            assert answer.rows == ((9, 1),)
