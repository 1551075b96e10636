"""Which of the chosen machines an action is allowed on, and why not on the others: for pages, before a ticket exists.

Set by set in SQL, since a choice may mean 100,000 machines. The submit decides again, machine by machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Text, any_, case, cast, func, or_, select
from sqlalchemy.orm import Session, load_only

from autorke.clusters import service
from autorke.clusters.models import ClusterState, Node
from autorke.core import errors
from autorke.core.errors import NotFound
from autorke.machines.availability import UNKNOWN, VANISHED, Hindrance, hindrance
from autorke.machines.models import Machine, MachineState
from autorke.machines.search import WITH_TICKET
from autorke.machines.selection import Choice, as_array
from autorke.users.access import Actor, scope
from autorke.workflow.definition import find_flow
from autorke.workflow.models import ResourceLock

Action = Literal["add_workers", "remove_workers", "update_workers"]
"""Each is the name of the flow that does it."""
MAX_BLOCKED = 1_000


@dataclass(frozen=True)
class Blocked:
    """A machine that the action is not allowed on."""

    machine_id: UUID
    hostname: str
    why: Hindrance


@dataclass(frozen=True)
class Eligibility:
    """`unavailable` speaks of the action as a whole. `blocked` holds the first by host name, `codes` counts all."""

    unavailable: Hindrance | None
    allowed: int
    codes: dict[str, int]
    blocked: list[Blocked]
    limit: int | None


def of_choice(
    session: Session, choice: Choice, *, action: Action, actor: Actor, cluster_id: UUID | None
) -> Eligibility:
    """What the page needs to enable a button or to say why not. Raises NotFound, BadFilter."""
    refusal = _refusal(session, action, actor, cluster_id)
    code = _code(action, actor, cluster_id)
    conditions = choice.conditions(scope(actor, "machine:read", Machine.cluster_id, unowned=True))
    counted = session.execute(select(code, func.count()).where(*conditions).group_by(code)).all()
    codes = {name: count for name, count in counted if name is not None}
    blocked = _blocked(session, code, conditions) if codes else []
    unknown = _unknown(session, choice, actor)
    if unknown:
        codes[UNKNOWN.code] = len(unknown)
        blocked = [*blocked, *(Blocked(key, "", UNKNOWN) for key in unknown)][:MAX_BLOCKED]
    allowed = sum(count for name, count in counted if name is None)
    limit = _limit(action)
    if refusal is None and limit is not None and allowed > limit:
        refusal = _too_many(limit, allowed)
    return Eligibility(refusal, allowed, dict(sorted(codes.items())), blocked, limit)


def _refusal(session: Session, action: Action, actor: Actor, cluster_id: UUID | None) -> Hindrance | None:
    """Why the action as a whole is not to be had; None when it is."""
    cluster = None
    if cluster_id is not None:
        if not actor.may("cluster:read", cluster_id):
            raise NotFound(field="cluster_id", what="cluster", key=cluster_id)
        cluster = service.get(session, cluster_id)
    if find_flow(action) is None:
        return _because("no-such-flow", f"本版本还没有流程 {action}", f"this release has no flow {action} yet")
    permitted = actor.anywhere("ticket:create") if cluster_id is None else actor.may("ticket:create", cluster_id)
    if not permitted:
        return _because("not-permitted", "您不能提交工单（ticket:create）", "you may not open tickets (ticket:create)")
    if cluster is not None and cluster.state != ClusterState.ACTIVE:
        return _because("cluster-archived", f"集群 {cluster.name} 已停止管理", f"cluster {cluster.name} is archived")
    return None


def _limit(action: Action) -> int | None:
    """How many machines one ticket takes, by the flow's own form."""
    flow = find_flow(action)
    fields = flow.request.model_json_schema().get("properties", {}) if flow else {}
    limit: int | None = fields.get("machines", {}).get("maxItems")
    return limit


def _too_many(limit: int, allowed: int) -> Hindrance:
    return _because(
        "too-many",
        f"一个工单最多 {limit} 台，已选 {allowed} 台",
        f"a ticket takes {limit} machines, {allowed} are chosen",
    )


def _code(action: Action, actor: Actor, cluster_id: UUID | None) -> ColumnElement[str]:
    """SQL: the first reason that stands against each machine, null for none."""
    locked = cast(Machine.id, Text).in_(select(ResourceLock.key).where(ResourceLock.kind == "machine"))
    if action == "add_workers":
        return case(
            (Machine.state == MachineState.IN_CLUSTER.value, "in-cluster"),
            (Machine.state != MachineState.FREE.value, Machine.state),
            (Machine.cmdb_vanished_at.is_not(None), VANISHED.code),
            (locked, "locked"),
            (Machine.credential_id.is_(None), "no-credential"),
            (_name_taken(), "node-taken"),
        )
    elsewhere = [(Machine.cluster_id != cluster_id, "other-cluster")] if cluster_id is not None else []
    return case(
        (Machine.state != MachineState.IN_CLUSTER.value, "not-in-cluster"),
        *elsewhere,
        (~scope(actor, "ticket:create", Machine.cluster_id), "not-permitted"),
        (Machine.node_roles != "worker", "not-a-worker"),
        (locked, "locked"),
    )


def _name_taken() -> ColumnElement[bool]:
    """SQL: the host name or an address already serves a cluster under another machine (design §1)."""
    live = Node.left_at.is_(None)
    addresses = select(Node.address).where(live).union(select(Node.internal_address).where(live))
    return or_(
        Machine.hostname.in_(select(Node.hostname).where(live)),
        func.host(Machine.address).in_(addresses),
        func.host(Machine.internal_address).in_(addresses),
    )


def _blocked(session: Session, code: ColumnElement[str], conditions: Sequence[ColumnElement[bool]]) -> list[Blocked]:
    query = select(Machine, code).where(*conditions, code.is_not(None)).order_by(Machine.hostname, Machine.id)
    rows = session.execute(query.limit(MAX_BLOCKED).options(load_only(*_TOLD), WITH_TICKET))
    return [Blocked(machine.id, machine.hostname, _why(machine, name)) for machine, name in rows]


_TOLD = (
    *(Machine.hostname, Machine.state, Machine.state_reason, Machine.cluster_name),
    *(Machine.node_roles, Machine.ticket_id, Machine.cmdb_vanished_at),
)
"""What the reasons speak of: a thousand whole rows would cost more than finding them."""


def _why(machine: Machine, code: str) -> Hindrance:
    ticket = None if machine.ticket_number is None else f"#{machine.ticket_number}"
    if code in _REASONS:
        return _because(code, *_REASONS[code](machine))
    return hindrance(machine, ticket=ticket) or UNKNOWN


_REASONS: Mapping[str, Callable[[Machine], tuple[str, str]]] = {
    "locked": lambda m: (f"被工单 #{m.ticket_number} 锁定", f"locked by ticket #{m.ticket_number}"),
    "no-credential": lambda _: ("没有登录凭据", "has no credential to log in with"),
    "node-taken": lambda _: ("主机名或地址已被其他节点使用", "its name or address already serves a cluster"),
    "not-in-cluster": lambda m: (f"不在集群中（{m.state}）", f"serves no cluster ({m.state})"),
    "other-cluster": lambda m: (f"属于集群 {m.cluster_name}", f"serves cluster {m.cluster_name}"),
    "not-permitted": lambda m: (
        f"您不能为集群 {m.cluster_name} 提交工单",
        f"you may not open tickets for {m.cluster_name}",
    ),
    "not-a-worker": lambda m: (f"角色是 {m.node_roles}，不是 worker", f"its roles are {m.node_roles}, not worker"),
}


def _unknown(session: Session, choice: Choice, actor: Actor) -> list[UUID]:
    """Ids that name no machine the actor may see."""
    if not choice.ids:
        return []
    visible = scope(actor, "machine:read", Machine.cluster_id, unowned=True)
    found = set(session.scalars(select(Machine.id).where(Machine.id == any_(as_array(choice.ids)), visible)))
    return [key for key in dict.fromkeys(choice.ids) if key not in found and key not in set(choice.exclude_ids)]


def _because(code: str, zh: str, en: str) -> Hindrance:
    return Hindrance(code, errors.Text(zh=zh, en=en))
