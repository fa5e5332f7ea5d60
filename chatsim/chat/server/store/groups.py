"""Groups: creating them, and changing their names, members, roles and mutes.

A change locks the row of the thread first, and asks for the members behind that lock. So two changes of a group, and a
change and a text, come one after the other. Each change that has an effect gives every member a new version of the
thread; no statement's text grows with the number of members. In the source's tables there are no versions, no numbers
of messages, and no names of creations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from chatsim.chat.protocol import ErrorCode, Member, MembersReply
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.members import MembersOnly, no_member, thread_of
from chatsim.chat.server.store.rows import fitting
from chatsim.chat.server.store.threads import changed_in_group
from chatsim.db.session import Rows, Session

__all__ = ["Change", "GroupStore", "Role"]

_Step = tuple[str, Sequence[object]]
"""Statements, with their arguments."""

_NOTHING: _Step = ("", ())
_PAGE = 100

_MADE = "SELECT thread_id FROM group_chat WHERE creator_id = ? AND unique_id = ?"
_MEMBERS_OF = "SELECT user_id FROM group_chat_member WHERE thread_id = ?"
_ROSTER = "UPDATE chat_thread SET roster = roster + 1 WHERE id = ?"
_OLDEST = """
    SELECT user_id FROM group_chat_member WHERE thread_id = ? AND user_id <> ?
     ORDER BY role DESC, joined_at, user_id LIMIT 1"""
_SET_ROLE = "UPDATE group_chat_member SET role = ? WHERE thread_id = ? AND user_id = ?"
_WAS_MEMBER = """
    SELECT 1 FROM user_thread t JOIN group_chat g ON g.thread_id = t.thread_id
     WHERE t.user_id = ? AND t.thread_id = ?"""
_MEMBERS = """
    SELECT m.user_id, COALESCE(IF(u.nick = '', u.name, u.nick), ''), m.role,
           IF(m.muted_until > NOW(), CAST(m.muted_until AS CHAR), ''), {}
      FROM group_chat_member m {}
      LEFT JOIN chat_thread t ON t.id = m.thread_id
      LEFT JOIN user u ON u.uid = m.user_id
     WHERE m.thread_id = ? AND m.user_id > ? ORDER BY m.user_id LIMIT ?"""
_MARKS = {
    True: (
        "COALESCE(r.delivered_seq, CAST(0 AS UNSIGNED)), COALESCE(r.read_seq, CAST(0 AS UNSIGNED)), t.roster",
        "LEFT JOIN user_thread r ON r.user_id = m.user_id AND r.thread_id = m.thread_id",
    ),
    False: ("0, 0, CAST(0 AS UNSIGNED)", ""),
}
"""What each schema has besides: columns, and where they are from."""


class Role(IntEnum):
    """What a member may do in a group, beside reading, writing and leaving.

    Attributes:
        MEMBER: nothing more.
        ADMIN: add users, rename the group, remove and mute members.
        CREATOR: the same, also to admins; give roles, and hand the group over.
    """

    MEMBER = 0
    ADMIN = 1
    CREATOR = 2


@dataclass(frozen=True)
class Change:
    """A change of a group.

    Attributes:
        thread: the group's thread.
        concerned: the members, and the user who was removed.
        fresh: whether this call has changed something. Otherwise everything was like that before.
    """

    thread: int
    concerned: tuple[int, ...]
    fresh: bool


@dataclass(frozen=True)
class _Group:
    """A group, whose thread is locked.

    Attributes:
        thread: its thread.
        last: the number of its last message; 0 if messages have no numbers.
        roles: the roles of those users who were asked for and are members.
        muted: those of them who are muted.
    """

    thread: int
    last: int
    roles: Mapping[int, int]
    muted: frozenset[int]

    def role(self, uid: int) -> int:
        """The role of a user. Raises `RefusalError` if they are no member."""
        if uid not in self.roles:
            raise no_member(uid, self.thread)
        return self.roles[uid]

    def require(self, uid: int, least: Role) -> None:
        """Raise `RefusalError` unless ``uid`` has at least this role."""
        if (role := self.role(uid)) < least:
            raise RefusalError(
                ErrorCode.NOT_ALLOWED, f"user {uid} has role {role} in thread {self.thread}, which needs {int(least)}"
            )

    def require_above(self, uid: int, other: int) -> None:
        """Raise `RefusalError` unless ``uid`` is an admin at least, and ranks above ``other``."""
        self.require(uid, Role.ADMIN)
        if self.role(uid) <= self.role(other):
            raise RefusalError(ErrorCode.NOT_ALLOWED, f"user {uid} does not rank above user {other}")


class GroupStore:
    """The changes of groups in one schema. All of them are transactions, and all may be repeated.

    Args:
        numbered: whether messages have numbers, and threads have versions, in the schema.
        most: the largest number of members.
        friends: whether only friends of the user who adds can be added.
    """

    def __init__(self, *, numbered: bool, most: int, friends: bool) -> None:
        self._numbered = numbered
        self._most = most
        self._friends = friends

    async def create(self, tx: Session, uid: int, name: str, unique_id: str, others: Sequence[int]) -> Change:
        """Create a group of ``uid``, its creator, and ``others``.

        A creation that is sent again finds the group that was created first.

        Raises:
            DuplicateKeyError: it was created meanwhile. Another try finds it.
            RefusalError: ``others`` can't be added, or are too many.
        """
        if self._numbered and (made := (await tx.execute(_MADE, (uid, unique_id))).scalar()) is not None:
            return Change(made, await _members(tx, made), fresh=False)
        self._check_size(1 + len(others))
        if others:
            self._check_added(uid, others, await tx.execute(*self._may_add(uid, others)))
        rows = [(uid, int(Role.CREATOR)), *((other, int(Role.MEMBER)) for other in sorted(others))]
        places = ", ".join(["(LAST_INSERT_ID(), ?, ?)"] * len(rows))
        of_creation: list[object] = [name, uid, unique_id]
        into = "(thread_id, name, creator_id, unique_id) VALUES (LAST_INSERT_ID(), ?, ?, ?)"
        if not self._numbered:
            into, of_creation = "(thread_id, name) VALUES (LAST_INSERT_ID(), ?)", [name]
        found = await tx.script(
            f"""BEGIN; INSERT INTO chat_thread (type, created_at) VALUES ('group', NOW());
            INSERT INTO group_chat {into};
            INSERT INTO group_chat_member (thread_id, user_id, role) VALUES {places}""",
            [*of_creation, *(value for row in rows for value in row)],
        )
        return await self._finish(tx, found[1].last_id, counts=False)

    async def add(self, tx: Session, uid: int, thread: int, users: Sequence[int]) -> Change:
        """Add users. Those who are members already stay as they are.

        Raises:
            RefusalError: ``uid`` may not add, or the users can't be added, or they are too many.
        """
        may_add, who = self._may_add(uid, users)
        count = "SELECT COUNT(*) FROM group_chat_member WHERE thread_id = @thread"
        group, (size, found) = await self._look(tx, thread, uid, users, (f"{count}; {may_add}", who))
        group.require(uid, Role.ADMIN)
        new = sorted({*users} - group.roles.keys())
        if not new:
            return await self._unchanged(tx, thread)
        self._check_added(uid, new, found)
        self._check_size((size.scalar() or 0) + len(new))
        if not self._numbered:
            rows = ", ".join(["(?, ?)"] * len(new))
            added = f"INSERT INTO group_chat_member (thread_id, user_id) VALUES {rows}"
            return await self._finish(tx, thread, (added, [value for user in new for value in (thread, user)]))
        rows, places = ", ".join(["(?, ?, ?)"] * len(new)), ", ".join("?" * len(new))
        added = f"INSERT INTO group_chat_member (thread_id, user_id, first_seq) VALUES {rows}"
        read = f"""
            UPDATE user_thread SET read_seq = ?, delivered_seq = read_seq, unread = 0
             WHERE thread_id = ? AND user_id IN ({places})"""
        values = [value for user in new for value in (thread, user, group.last + 1)]
        return await self._finish(tx, thread, (added, values), (read, [group.last, thread, *new]))

    async def remove(self, tx: Session, uid: int, thread: int, user: int) -> Change:
        """Remove a member, or leave. If the creator leaves, somebody else becomes the creator.

        That is the admin who has been a member for the longest time, or else the member.

        Raises:
            RefusalError: ``uid`` is no member, and has not been one, or may not remove this member.
        """
        group, _ = await self._look(tx, thread, uid, [user])
        if uid == user and uid not in group.roles:
            if not self._numbered or not (await tx.execute(_WAS_MEMBER, (uid, thread))).rows:
                raise no_member(uid, thread)
            return await self._unchanged(tx, thread, uid)  # they have left before
        if uid != user:
            group.require(uid, Role.ADMIN)
            if user not in group.roles:
                return await self._unchanged(tx, thread, user)
            group.require_above(uid, user)
        gone = "DELETE FROM group_chat_member WHERE thread_id = ? AND user_id = ?"
        args: list[object] = [thread, user]
        if group.role(user) == Role.CREATOR:
            heir = (await tx.execute(_OLDEST, (thread, user))).scalar()
            gone, args = f"{gone}; {_SET_ROLE}", [*args, int(Role.CREATOR), thread, heir]
        return await self._finish(tx, thread, then=(gone, args), gone=user)

    async def rename(self, tx: Session, uid: int, thread: int, name: str) -> Change:
        """Give a group a name. Raises `RefusalError` if ``uid`` may not."""
        named = "SELECT COALESCE(name, '') FROM group_chat WHERE thread_id = @thread"
        group, (before,) = await self._look(tx, thread, uid, [], (named, ()))
        group.require(uid, Role.ADMIN)
        if [*map(tuple, before.rows)] == [(name,)]:
            return await self._unchanged(tx, thread)
        rename = "UPDATE group_chat SET name = ? WHERE thread_id = ?"
        return await self._finish(tx, thread, (rename, [name, thread]), counts=False)

    async def set_role(self, tx: Session, uid: int, thread: int, user: int, role: Role) -> Change:
        """Give a member a role. The creator who makes another member the creator becomes an admin.

        Raises:
            RefusalError: ``uid`` may not, or ``user`` is no member.
        """
        group, _ = await self._look(tx, thread, uid, [user])
        if role == Role.CREATOR and group.role(uid) == Role.ADMIN and group.role(user) == Role.CREATOR:
            return await self._unchanged(tx, thread)  # it was handed over before
        group.require(uid, Role.CREATOR)
        if group.role(user) == role:
            return await self._unchanged(tx, thread)
        if user == uid:
            raise RefusalError(ErrorCode.NOT_ALLOWED, "the creator hands the group over, or leaves")
        args: list[object] = [int(role), thread, user]
        if role != Role.CREATOR:
            return await self._finish(tx, thread, (_SET_ROLE, args))
        return await self._finish(tx, thread, (f"{_SET_ROLE}; {_SET_ROLE}", [*args, int(Role.ADMIN), thread, uid]))

    async def mute(self, tx: Session, uid: int, thread: int, user: int, seconds: int) -> Change:
        """Let a member write nothing for so many seconds from now on; with 0, let them write again.

        Raises:
            RefusalError: ``uid`` may not, or ``user`` is no member.
        """
        group, _ = await self._look(tx, thread, uid, [user])
        group.require_above(uid, user)
        if not seconds and user not in group.muted:
            return await self._unchanged(tx, thread)
        until, args = ("NOW() + INTERVAL ? SECOND", [seconds]) if seconds else ("NULL", [])
        mute = f"UPDATE group_chat_member SET muted_until = {until} WHERE thread_id = ? AND user_id = ?"
        return await self._finish(tx, thread, (mute, [*args, thread, user]))

    async def members(self, tx: Session, uid: int, thread: int, after: int) -> MembersReply:
        """At most 100 members with an id above ``after``, ordered by id. Raises `RefusalError` if ``uid`` is none."""
        readable = MembersOnly(tx, thread, uid, numbered=self._numbered, by=None)
        found = await readable.execute(_MEMBERS.format(*_MARKS[self._numbered]), (thread, after, _PAGE + 1))
        whole = [Member(*row[:-1]) for row in found.rows]  # type: ignore[arg-type]
        number = int(str(found.rows[0][-1])) if found.rows else 0
        page = fitting(MembersReply(0, thread, load_more=True, roster=number), whole[:_PAGE])
        return MembersReply(0, thread, len(page) < len(whole), number, page)

    def _check_size(self, members: int) -> None:
        if members > self._most:
            raise RefusalError(ErrorCode.BAD_CONTENT, f"{members} members, more than {self._most}")

    def _may_add(self, uid: int, users: Sequence[int]) -> _Step:
        """The statement that finds those of ``users`` whom ``uid`` may add."""
        places = ", ".join("?" * len(users))
        if self._friends:
            return f"SELECT friend_id FROM friend WHERE self_id = ? AND friend_id IN ({places})", [uid, *users]
        return f"SELECT uid FROM user WHERE uid IN ({places})", [*users]

    def _check_added(self, uid: int, users: Iterable[int], found: Rows) -> None:
        if strange := {*users} - {int(str(user)) for (user,) in found.rows}:
            if self._friends:
                raise RefusalError(ErrorCode.NOT_FRIENDS, f"user {min(strange)} is no friend of user {uid}")
            raise RefusalError(ErrorCode.UID_INVALID, f"there is no user {min(strange)}")

    async def _look(
        self, tx: Session, thread: int, uid: int, others: Sequence[int], more: _Step = _NOTHING
    ) -> tuple[_Group, Sequence[Rows]]:
        """Begin a transaction, lock a thread that is one of ``uid``'s, and find the roles of ``uid`` and ``others``.

        Also returns the rows of the statements ``more``.
        """
        check, who = thread_of(uid, thread, numbered=self._numbered)
        lock = f"SELECT {'last_seq' if self._numbered else '0'} FROM chat_thread WHERE id = @thread FOR UPDATE"
        asked = [*dict.fromkeys((uid, *others))]
        roles = f"""SELECT user_id, role, COALESCE(muted_until > NOW(), 0) FROM group_chat_member
             WHERE thread_id = @thread AND user_id IN ({", ".join("?" * len(asked))})"""
        _, _, locked, found, *rest = await tx.script(
            f"{check}; BEGIN; {lock}; {roles}{f'; {more[0]}' if more[0] else ''}", [*who, *asked, *more[1]]
        )
        known = [tuple(int(str(value)) for value in row) for row in found.rows]
        muted = frozenset(user for user, _, is_muted in known if is_muted)
        return _Group(thread, locked.scalar() or 0, {user: role for user, role, _ in known}, muted), rest

    @staticmethod
    async def _unchanged(tx: Session, thread: int, *gone: int) -> Change:
        await tx.rollback()
        return Change(thread, (*await _members(tx, thread), *gone), fresh=False)

    async def _finish(
        self,
        tx: Session,
        thread: int,
        change: _Step = _NOTHING,
        then: _Step = _NOTHING,
        *,
        gone: int | None = None,
        counts: bool = True,
    ) -> Change:
        """Change a group, and commit.

        Args:
            tx: the session, in a transaction that has locked the thread.
            thread: the thread.
            change: the change. The members after it get a new version of the thread.
            then: a change after that.
            gone: the user whom this last change removes.
            counts: whether it is a change of members, roles or mutes.
        """
        steps = [change]
        if self._numbered:
            steps += [(_ROSTER, [thread]), changed_in_group(thread)] if counts else [changed_in_group(thread)]
        steps += [then, (_MEMBERS_OF, [thread]), ("COMMIT", ())]
        steps = [step for step in steps if step[0]]
        done = await tx.script("; ".join(text for text, _ in steps), [value for _, own in steps for value in own])
        members = tuple(int(str(user)) for (user,) in done[-2].rows)
        return Change(thread, members if gone is None else (*members, gone), fresh=True)


async def _members(tx: Session, thread: int) -> tuple[int, ...]:
    return tuple(int(str(user)) for (user,) in (await tx.execute(_MEMBERS_OF, (thread,))).rows)
