"""The role table says what the design says (§1: who does what)."""

from __future__ import annotations

from typing import get_args

from autorke.core.ids import new_id
from autorke.users.access import ROLES, Actor, Permission, Role


def _actor(*bindings: tuple[str, object], scopes: frozenset[str] | None = None) -> Actor:
    return Actor(new_id(), "wei", frozenset(bindings), "password", new_id(), None, scopes)  # type: ignore[arg-type]


def test_only_the_roles_meant_to_can_change_anything() -> None:
    writing = {name for name in get_args(Permission) if not name.endswith(":read")}
    assert {role: set(held) & writing for role, held in ROLES.items() if role != "admin"} == {
        "viewer": set(),
        "requester": {"ticket:create", "ticket:operate"},
        "approver": {"ticket:operate", "ticket:approve", "ticket:resolve"},
        "network-admin": {"network:approve"},
        "auditor": set(),
    }
    assert ROLES["admin"] == set(get_args(Permission))
    assert set(ROLES) == set(get_args(Role))


def test_no_role_but_admin_both_creates_and_approves() -> None:
    assert [role for role, held in ROLES.items() if {"ticket:create", "ticket:approve"} <= held] == ["admin"]


def test_bindings_add_up_per_cluster() -> None:
    north, south = new_id(), new_id()
    actor = _actor(("requester", north), ("approver", south))
    assert actor.clusters("ticket:create") == {north}
    assert actor.clusters("ticket:read") == {north, south}
    assert actor.clusters("user:read") == frozenset()
    assert actor.may("ticket:create", north)
    assert not actor.may("ticket:create", south)
    assert not actor.may("ticket:create")
    assert actor.anywhere("ticket:create")
    assert _actor(("requester", None), ("approver", south)).clusters("ticket:create") is None


def test_scopes_only_take_away() -> None:
    actor = _actor(("viewer", None), scopes=frozenset({"machine:read", "user:write"}))
    assert actor.may("machine:read", new_id())
    assert not actor.may("cluster:read")
    assert not actor.may("user:write"), "a scope gives nothing that the owner lacks"
    assert not actor.has_role("viewer")
