"""Groups: creating them, and changing their names, members, roles and mutes. Each change is pushed to the members."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from chatsim.chat.protocol import (
    AddMembersReply,
    AddMembersRequest,
    CreateGroupReply,
    CreateGroupRequest,
    ErrorCode,
    MembersRequest,
    Message,
    MuteReply,
    MuteRequest,
    RemoveMemberReply,
    RemoveMemberRequest,
    RenameGroupReply,
    RenameGroupRequest,
    SetRoleReply,
    SetRoleRequest,
    ThreadNotice,
)
from chatsim.chat.server.handlers.context import HandlerContext
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store.groups import Change, GroupStore, Role
from chatsim.db.session import Session

__all__ = ["add", "create", "members", "mute", "remove", "rename", "set_role"]

_LONGEST_NAME = 255
_LONGEST_UNIQUE_ID = 64
_LONGEST_MUTE = 31_536_000
"""The seconds of a year."""


async def create(context: HandlerContext, session: ClientSession, request: CreateGroupRequest) -> Message:
    """Create a group, or find the one that the same request has created before."""
    _check_name(request.name)
    if not 0 < len(request.unique_id) <= _LONGEST_UNIQUE_ID:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a unique id has 1 to {_LONGEST_UNIQUE_ID} characters")
    _check_users(request.members)
    if session.uid in request.members:
        raise RefusalError(ErrorCode.BAD_CONTENT, "the creator is not one of the other members")
    made = await _change(
        context,
        session,
        lambda tx: _store(context).create(tx, session.uid, request.name, request.unique_id, request.members),
    )
    return CreateGroupReply(ErrorCode.SUCCESS, made.thread)


async def add(context: HandlerContext, session: ClientSession, request: AddMembersRequest) -> Message:
    """Add users to a group."""
    _check_users(request.members)
    if not request.members:
        raise RefusalError(ErrorCode.BAD_CONTENT, "no members")
    await _change(context, session, lambda tx: _store(context).add(tx, session.uid, request.thread_id, request.members))
    return AddMembersReply(ErrorCode.SUCCESS)


async def remove(context: HandlerContext, session: ClientSession, request: RemoveMemberRequest) -> Message:
    """Remove a member from a group, or leave it."""
    await _change(
        context, session, lambda tx: _store(context).remove(tx, session.uid, request.thread_id, request.user_id)
    )
    return RemoveMemberReply(ErrorCode.SUCCESS)


async def rename(context: HandlerContext, session: ClientSession, request: RenameGroupRequest) -> Message:
    """Give a group another name."""
    _check_name(request.name)
    await _change(context, session, lambda tx: _store(context).rename(tx, session.uid, request.thread_id, request.name))
    return RenameGroupReply(ErrorCode.SUCCESS)


async def set_role(context: HandlerContext, session: ClientSession, request: SetRoleRequest) -> Message:
    """Give a member a role, or hand the group over."""
    if request.role not in list(Role):
        raise RefusalError(ErrorCode.BAD_CONTENT, f"there is no role {request.role}")
    role = Role(request.role)
    await _change(
        context,
        session,
        lambda tx: _store(context).set_role(tx, session.uid, request.thread_id, request.user_id, role),
    )
    return SetRoleReply(ErrorCode.SUCCESS)


async def mute(context: HandlerContext, session: ClientSession, request: MuteRequest) -> Message:
    """Mute a member for a while, or no longer."""
    if request.seconds > _LONGEST_MUTE:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"{request.seconds} seconds, more than {_LONGEST_MUTE}")
    await _change(
        context,
        session,
        lambda tx: _store(context).mute(tx, session.uid, request.thread_id, request.user_id, request.seconds),
    )
    return MuteReply(ErrorCode.SUCCESS)


async def members(context: HandlerContext, session: ClientSession, request: MembersRequest) -> Message:
    """A page of a group's members."""
    async with context.lease(session.uid) as tx:
        return await _store(context).members(tx, session.uid, request.thread_id, request.after)


def _store(context: HandlerContext) -> GroupStore:
    limits = context.limits
    return GroupStore(numbered=context.texts.numbered, most=limits.group_members, friends=not limits.strangers)


async def _change(
    context: HandlerContext, session: ClientSession, change: Callable[[Session], Awaitable[Change]]
) -> Change:
    """Change a group, and push that to all whom it concerns; in the source's tables they have nothing to ask for."""
    changed, unsure = await context.store(session.uid, change)
    if context.texts.numbered and (changed.fresh or unsure):
        notice = ThreadNotice(changed.thread)
        context.fan_out.push_to_group(changed.thread, changed.concerned, notice, but=session)
    return changed


def _check_name(name: str) -> None:
    if not 0 < len(name) <= _LONGEST_NAME:
        raise RefusalError(ErrorCode.BAD_CONTENT, f"a name has 1 to {_LONGEST_NAME} characters")


def _check_users(users: Sequence[int]) -> None:
    if len({*users}) < len(users):
        raise RefusalError(ErrorCode.BAD_CONTENT, "a user is named twice")
