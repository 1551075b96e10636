"""What this person may do to a ticket now, why not, and what it would do: the engine's own rules, asked beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.errors import AutoRkeError, Forbidden
from autorke.tickets import effects
from autorke.tickets.effects import Facts
from autorke.users.access import Actor, Permission
from autorke.workflow import attempts as engine_attempts
from autorke.workflow import engine, options, results
from autorke.workflow.definition import Effect
from autorke.workflow.models import Attempt, NodeResult, StepRow, Ticket, TicketNode
from autorke.workflow.states import AttemptState, NodeState

Name = Literal["retry", "pause", "resume", "cancel", "close", "exclude", "resolve"]
OPERATE: Permission = "ticket:operate"
RESOLVE: Permission = "ticket:resolve"
PERMISSIONS: dict[Name, Permission] = dict.fromkeys(get_args(Name), OPERATE) | {"resolve": RESOLVE}
"""What each action takes on the ticket's cluster; the routes ask for the same."""
EFFECTS: dict[Name, Callable[[Facts], Any]] = {
    "retry": effects.retry,
    "pause": effects.pause,
    "resume": effects.resume,
    "cancel": effects.cancel,
    "close": effects.close,
    "exclude": effects.exclude,
}


def gather(
    session: Session,
    ticket: Ticket,
    steps: Sequence[StepRow],
    attempts: Mapping[UUID, Sequence[Attempt]],
    counts: Mapping[UUID, Mapping[str, int]],
) -> Facts:
    """The facts of an open ticket, in a fixed number of statements on top of what its page reads anyway."""
    everything = [attempt for found in attempts.values() for attempt in found]
    stuck, blocker = options.stuck_step(steps), options.hold_up(everything)
    nodes = select(TicketNode.node_id, TicketNode.name, TicketNode.excluded_at).order_by(TicketNode.ord)
    targets = session.execute(nodes.where(TicketNode.ticket_id == ticket.id)).all()
    last: Mapping[str, NodeState] = {}
    left: Sequence[str] = ()
    if stuck is not None:
        last, left = results.last_states(session, stuck), results.open_nodes(session, ticket.id, stuck)
    elif blocker is not None:
        last = _said_so_far(session, blocker)
        left = [node for node in blocker.node_ids if node not in last]
    changing = [step for step in steps if step.effect != Effect.READ_ONLY]
    return Facts(
        ticket=ticket,
        steps=steps,
        attempts=attempts,
        names={row.node_id: row.name for row in targets},
        wanted=sum(row.excluded_at is None for row in targets),
        focus=stuck,
        last=last,
        left=left,
        done={step.id: counts.get(step.id, {}).get(NodeState.SUCCEEDED.value, 0) for step in changing},
        halted=engine_attempts.halted(session),
        upcoming=engine.upcoming(session, steps) if ticket.pause_requested_at is not None else None,
    )


def _said_so_far(session: Session, run: Attempt) -> dict[str, NodeState]:
    query = select(NodeResult.node_id, NodeResult.state).where(NodeResult.attempt_id == run.id)
    return {node: NodeState(state) for node, state in session.execute(query.order_by(NodeResult.started_at))}


def _unknown(attempts: Mapping[UUID, Sequence[Attempt]]) -> list[Attempt]:
    return [attempt for found in attempts.values() for attempt in found if attempt.state == AttemptState.UNKNOWN]


def offered(actor: Actor, ticket: Ticket, facts: Facts | None) -> dict[Name, dict[str, Any]]:
    """Every action with `{allowed, reason, effect, step, nodes, attempt_id}`; `facts` is None when the ticket ended."""
    return {name: _offer(actor, ticket, facts, name) for name in PERMISSIONS}


def _offer(actor: Actor, ticket: Ticket, facts: Facts | None, name: Name) -> dict[str, Any]:
    refusal: AutoRkeError | None = None
    if not actor.may(PERMISSIONS[name], ticket.scope_id):
        refusal = Forbidden(permission=PERMISSIONS[name])
    if facts is None:
        text, about = effects.nothing(ticket), {}
        refusal = refusal or options.ended(ticket)
    else:
        unknown = next(iter(_unknown(facts.attempts)), None)
        text = effects.resolve(facts, unknown) if name == "resolve" else EFFECTS[name](facts)
        refusal = refusal or _refusal(actor, facts, name, unknown)
        about = _about(facts, name, unknown)
    reason = refusal.message.as_json() if refusal is not None else None
    shown = {"allowed": refusal is None, "reason": reason, "effect": text.as_json()}
    return {**shown, "step": None, "nodes": [], "attempt_id": None, **about}


def _refusal(actor: Actor, facts: Facts, name: Name, unknown: Attempt | None) -> AutoRkeError | None:
    """What the command would raise for this person now."""
    ticket = facts.ticket
    match name:
        case "pause":
            return options.pause(ticket)
        case "resume":
            return options.resume(ticket)
        case "cancel":
            return options.cancel(ticket)
        case "exclude":
            return options.exclude(ticket, facts.steps, left=facts.wanted - 1)
        case "resolve":
            unproven = unknown is not None and unknown.death_proof is None
            twice = options.override(unknown, actor.user_id) if unknown is not None and unproven else None
            return options.resolve(ticket, unknown) or twice
        case "retry":
            stuck = facts.focus
            return options.needs_stuck(ticket, facts.steps) or (options.retry(ticket, stuck) if stuck else None)
        case _:
            return options.needs_stuck(ticket, facts.steps)


def _about(facts: Facts, name: Name, unknown: Attempt | None) -> dict[str, Any]:
    """Which step, nodes and attempt the action is about: what its request names."""
    if name == "resolve" and unknown is not None:
        nodes = [node for node, state in facts.last.items() if state is NodeState.UNKNOWN]
        return {"step": facts.of(unknown).key, "nodes": nodes, "attempt_id": unknown.id}
    if name in ("retry", "exclude") and facts.focus is not None:
        return {"step": facts.focus.key, "nodes": [node for node in facts.left if node != results.WHOLE]}
    return {}
