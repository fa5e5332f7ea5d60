"""A writer who is held back at the last moment, so that others overtake it."""


class HeldBack:
    """A session whose commit waits; everything before it is done, and said to be.

    Args:
        session: the session.
        there: set when it has come to its commit.
        go: what it waits for.
    """

    def __init__(self, session, there, go):
        self._session = session
        self.there, self.go = there, go

    def __getattr__(self, name):
        return getattr(self._session, name)

    async def commit(self):
        self.there.set()
        await self.go.wait()
        await self._session.commit()

    async def script(self, sql, args=()):
        head, commit, _ = sql.rpartition("; COMMIT")
        if not commit:
            return await self._session.script(sql, args)
        done = await self._session.script(head, args)
        await self.commit()
        return [*done, None]
