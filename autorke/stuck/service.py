"""What is stuck as one person sees it, and as lists of tickets say it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text as SqlText
from sqlalchemy import any_, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from autorke.core.errors import Forbidden, Text
from autorke.stuck import repair
from autorke.stuck.models import Look, Stuck
from autorke.stuck.words import CAUSES
from autorke.users.access import Actor, scope
from autorke.workflow.models import Ticket

MOST = 500


def listing(session: Session, actor: Actor) -> dict[str, Any]:
    """Everything stuck now that the caller may see: first what concerns all, then the oldest. Three statements."""
    query = select(Stuck).where(Stuck.gone_at.is_(None), scope(actor, "ticket:read", Stuck.scope_id, unowned=True))
    rows = list(session.execute(query.order_by(Stuck.since).limit(MOST)).scalars())
    return {"looked_at": _looked_at(session), "items": _shown(session, actor, rows)}


def count(session: Session) -> int:
    """Causes for which the whole installation is stuck: for monitoring, which signs in nowhere."""
    all_of_it = [name for name, cause in CAUSES.items() if cause.everybody]
    query = select(func.count()).where(Stuck.gone_at.is_(None), Stuck.cause.in_(all_of_it))
    return session.execute(query).scalar_one()


def shown(session: Session, actor: Actor, row: Stuck) -> dict[str, Any]:
    return _shown(session, actor, [row])[0]


def _looked_at(session: Session) -> datetime | None:
    return session.execute(select(Look.at).where(Look.id == Look.LOOK)).scalar_one_or_none()


def _shown(session: Session, actor: Actor, rows: list[Stuck]) -> list[dict[str, Any]]:
    tickets = _tickets(session, actor, {UUID(one) for row in rows for one in row.ticket_ids})
    items = [_item(actor, row, [tickets[it] for it in map(UUID, row.ticket_ids) if it in tickets]) for row in rows]
    return sorted(items, key=lambda item: not item["everybody"])


def _tickets(session: Session, actor: Actor, ids: Collection[UUID]) -> Mapping[UUID, Any]:
    if not ids:
        return {}
    visible = scope(actor, "ticket:read", Ticket.scope_id, unowned=True)
    query = select(Ticket.id, Ticket.number, Ticket.requester_id).where(Ticket.id.in_(ids), visible)
    return {row.id: row for row in session.execute(query)}


def _item(actor: Actor, row: Stuck, tickets: list[Any]) -> dict[str, Any]:
    cause, offer = CAUSES[row.cause], repair.offered(row)
    allowed = offer is not None and actor.may(offer.permission, row.scope_id)
    refusal = Forbidden(permission=offer.permission).message.as_json() if offer and not allowed else None
    about = {"zh": "", "en": "", **row.evidence}
    return {
        "id": row.id,
        "cause": row.cause,
        "title": cause.title.format(**about).as_json(),
        "remedy": cause.remedy.format(**about).as_json(),
        "since": row.since,
        "seen_at": row.seen_at,
        "everybody": cause.everybody,
        "mine": cause.everybody or _concerns(actor, row, tickets, allowed),
        "tickets": [{"id": it.id, "number": it.number} for it in tickets],
        "more_tickets": max(len(row.ticket_ids), int(row.evidence.get("count", 0))) - len(tickets)
        if cause.everybody
        else 0,
        "repair": offer
        and {
            "label": offer.label.as_json(),
            "effect": offer.effect.format(**about).as_json(),
            "lasting": offer.lasting,
            "allowed": allowed,
            "reason": refusal,
        },
        "go": None if offer else cause.go,
        "repair_by": row.repair_by,
        "repair_at": row.repair_at,
    }


def _concerns(actor: Actor, row: Stuck, tickets: list[Any], allowed: bool) -> bool:
    """Who can repair it, who can decide it, and whose ticket it is."""
    place = CAUSES[row.cause].go
    decides = (place == "users" and actor.may("user:write")) or (
        place == "ticket" and actor.may("ticket:operate", row.scope_id)
    )
    return allowed or decides or any(it.requester_id == actor.user_id for it in tickets)


def of_tickets(session: Session, ticket_ids: Iterable[UUID]) -> dict[UUID, Text]:
    """Why each of these tickets is stuck, the oldest reason; those that are not are left out. One statement."""
    wanted = [str(ticket_id) for ticket_id in ticket_ids]
    one = func.jsonb_array_elements_text(Stuck.ticket_ids).table_valued("value").render_derived()
    query = (
        select(one.c.value, Stuck)
        .join(one, cast(one.c.value, SqlText) == any_(cast(wanted, ARRAY(SqlText))))
        .where(Stuck.gone_at.is_(None))
        .order_by(Stuck.since.desc())
    )
    found = session.execute(query).all() if wanted else []
    return {UUID(ticket): _title(row) for ticket, row in found}


def _title(row: Stuck) -> Text:
    return CAUSES[row.cause].title.format(**{"zh": "", "en": "", **row.evidence})
