"""One look at the database: a fixed number of statements, each by index and bounded, however many tickets there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import TextClause, select, text
from sqlalchemy.orm import Session

from autorke.core.db import db_now
from autorke.stuck import facts
from autorke.stuck.facts import Limits, Observed, People
from autorke.stuck.models import Look
from autorke.users.access import Rights
from autorke.users.models import RoleBinding, User
from autorke.workflow import signing

T = TypeVar("T")
_TITLE = "t.flow_snapshot -> 'steps' -> s.ord -> 'title' as title"
_HOSTS = text(
    """
select r.id, r.last_seen, r.drain, r.handlers, h.stopped_at is not null as stopped, h.last_pass, h.skew_ms,
       h.run_dir_free, coalesce(h.alive, '[]') as alive, h.broker_down_since
  from runner r left join host_report h on h.id = r.id order by r.id limit 1000
"""
)
CLAIMABLE = """
  from step_attempt a join step s on s.id = a.step_id join ticket t on t.id = s.ticket_id
 where a.state = 'READY' and a.n = s.current_n and a.ready_at < :before
   and (t.state = 'ACTIVE' or (a.purpose = 'PROBE' and t.state in ('ATTENTION', 'PAUSED')))
   and t.cancel_requested_at is null and (t.pause_requested_at is null or a.purpose = 'PROBE')
   and not exists (select 1 from engine_switch e where e.halted)
   and not exists (select 1 from lock_queue q left join resource_lock l on l.kind = q.kind and l.key = q.key
                    where q.ticket_id = t.id and l.ticket_id is distinct from t.id)
"""
"""Attempts that `attempts.claim` would take, ready since before a moment."""
_READY = text(
    f"""
select t.id as ticket_id, s.handler,
       greatest(a.ready_at, t.updated_at, (select max(e.at) from engine_switch e)) as since
{CLAIMABLE} order by a.ready_at limit 1000
"""  # noqa: S608  no input
)
_HELD = text(
    f"""
select a.id as attempt_id, t.id as ticket_id, t.scope_id, {_TITLE}, a.n, a.state, a.runner_id, a.lease_until,
       a.ended_at, a.death_proof is not null as proven
  from step_attempt a join step s on s.id = a.step_id join ticket t on t.id = s.ticket_id
 where a.id in (
       select id from step_attempt where state = 'RUNNING' and lease_until < clock_timestamp() - interval '5 seconds'
       union select id from step_attempt where state = 'UNKNOWN'
       union select x::uuid from unnest(cast(:alive as text[])) x)
 order by a.id limit 1000
"""  # noqa: S608  no input
)
_GATES = text(
    f"""
select g.id as gate_id, t.id as ticket_id, t.scope_id, t.requester_id, g.permission, g.quorum, g.opened_at,
       g.expires_at, {_TITLE},
       coalesce((select jsonb_object_agg(p.approver_id::text, p.decision) from approval p
                  where p.gate_id = g.id and p.revoked_at is null), '{{}}') as decided
  from gate g join step s on s.id = g.step_id join ticket t on t.id = s.ticket_id
 where g.state = 'OPEN' and t.ended_at is null order by g.opened_at limit 2000
"""  # noqa: S608  no input
)
_AWAITED = text(
    f"""
select s.id as step_id, t.id as ticket_id, t.scope_id, {_TITLE},
       coalesce((select max(a.ended_at) from step_attempt a where a.step_id = s.id and a.purpose = 'RUN'),
                t.updated_at) as since,
       (select max(c.expires_at) from callback_token c where c.step_id = s.id) as deadline
  from ticket t join step s on s.ticket_id = t.id
 where t.ended_at is null and t.state <> 'QUEUED' and s.state = 'WAIT_CALLBACK' order by s.id limit 1000
"""  # noqa: S608  no input
)
_UNMOVED = text(
    """
select t.id as ticket_id, t.scope_id, t.updated_at as since, t.state = 'QUEUED' as queued from ticket t
 where t.updated_at < :before and (
   t.state = 'QUEUED' and not exists (
     select 1 from lock_queue q where q.ticket_id = t.id and (
       exists (select 1 from resource_lock l where l.kind = q.kind and l.key = q.key)
       or exists (select 1 from lock_queue e join ticket w on w.id = e.ticket_id
                   where e.kind = q.kind and e.key = q.key and e.id < q.id and w.state = 'QUEUED')))
   or t.state in ('ACTIVE', 'ATTENTION')
   and not exists (select 1 from step s join step_attempt a on a.step_id = s.id where s.ticket_id = t.id
                      and a.state in ('READY', 'CLAIMED', 'RUNNING', 'UNKNOWN'))
   and not exists (select 1 from step s join gate g on g.step_id = s.id where s.ticket_id = t.id and g.state = 'OPEN')
   and not exists (select 1 from step s where s.ticket_id = t.id and s.state in
                   ('PLAN_FAILED', 'GATE_CLOSED', 'PARTIAL', 'FAILED', 'UNKNOWN', 'WAIT_CALLBACK')))
 order by t.created_at limit 500
"""
)
_FAILING = text(
    """
select f.what, f.item, f.ticket_id, t.scope_id, f.error, f.times, f.since
  from pass_failure f left join ticket t on t.id = f.ticket_id
 where f.times >= 3 and f.last_at > :before order by f.since limit 500
"""
)
_OUTLIVED = text(
    """
select l.kind, l.key, t.id as ticket_id, t.scope_id, t.number, t.ended_at as since
  from resource_lock l join ticket t on t.id = l.ticket_id where t.ended_at is not null
 order by l.kind, l.key limit 500
"""
)
_BEHIND = text(
    """
select distinct on (w.id) w.id as ticket_id, h.id as holder_id, h.scope_id, h.number, h.state,
       greatest(h.updated_at, w.created_at) as since
  from ticket w join lock_queue q on q.ticket_id = w.id
  join resource_lock l on l.kind = q.kind and l.key = q.key join ticket h on h.id = l.ticket_id
 where w.state = 'QUEUED' and h.state in ('PAUSED', 'ATTENTION') order by w.id, h.number limit 1000
"""
)
_MUTE = text(
    f"""
select a.id as attempt_id, t.id as ticket_id, t.scope_id, {_TITLE},
       greatest(a.started_at, (select c.at from log_chunk c where c.ticket_id = t.id
                                order by c.batch desc limit 1)) as since
  from step_attempt a join step s on s.id = a.step_id join ticket t on t.id = s.ticket_id
 where a.state = 'RUNNING' and a.purpose = 'RUN' and a.started_at < :before
   and a.lease_until > clock_timestamp() order by a.id limit 1000
"""  # noqa: S608  no input
)
_OVERDUE = text(
    """
select s.id as source_id, s.name, coalesce(r.queued_at, s.next_due_at) as since
  from cmdb_source s left join cmdb_run r on r.source_id = s.id and r.outcome = 'queued'
 where not exists (select 1 from cmdb_run n where n.outcome = 'running'
                      and n.started_at > clock_timestamp() - interval '1 hour')
   and (s.enabled and s.interval_seconds > 0 and s.next_due_at < :before
        or r.queued_at < :before and (r.claimed_at is null or r.claimed_at < :before)) order by s.name limit 100
"""
)
_CANARY = text(
    """
select s.at from stuck_look s left join stuck_look t on t.id = :taken
 where s.id = :sent and (t.at is null or t.at < s.at)
"""
)


def _rows(session: Session, kind: type[T], query: TextClause, **values: Any) -> list[T]:
    return [kind(**row._mapping) for row in session.execute(query, values)]


def observe(session: Session, limits: Limits, broker_down_since: datetime | None = None) -> Observed:
    """Everything `detect` wants to know. Only what could be stuck is read, so an idle installation reads nothing."""
    now = db_now(session)
    before = {"before": now - limits.after}
    hosts = _rows(session, facts.HostFacts, _HOSTS)
    alive = [attempt for host in hosts if host.last_seen >= now - limits.after for attempt in host.alive]
    gates = _rows(session, facts.OpenGate, _GATES)
    return Observed(
        now=now,
        hosts=hosts,
        ready=_rows(session, facts.Ready, _READY, **before),
        held=_rows(session, facts.Held, _HELD, alive=alive),
        gates=gates,
        people=_people(session) if gates else People(Rights({}), {}),
        awaited=_rows(session, facts.Awaited, _AWAITED),
        unmoved=_rows(session, facts.Unmoved, _UNMOVED, **before),
        failing=_rows(session, facts.Failing, _FAILING, **before),
        outlived=_rows(session, facts.Outlived, _OUTLIVED),
        behind=_rows(session, facts.Behind, _BEHIND),
        mute=_rows(session, facts.Mute, _MUTE, before=now - limits.silence),
        overdue=_rows(session, facts.Overdue, _OVERDUE, **before),
        canary_since=session.execute(_CANARY, {"sent": Look.SENT, "taken": Look.CANARY}).scalar_one_or_none(),
        broker_down_since=broker_down_since,
    )


def _people(session: Session) -> People:
    rows = session.execute(
        select(RoleBinding.user_id, RoleBinding.role, RoleBinding.cluster_id)
        .join(User, User.id == RoleBinding.user_id)
        .where(~User.disabled)
    )
    found: dict[Any, set[tuple[str, Any]]] = {}
    for user_id, role, cluster_id in rows:
        found.setdefault(user_id, set()).add((role, cluster_id))
    rights = Rights({user_id: frozenset(bindings) for user_id, bindings in found.items()})
    return People(rights, signing.stand_ins(session))
