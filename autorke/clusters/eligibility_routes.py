"""What may be done to chosen machines, over the API."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from autorke.clusters import eligibility
from autorke.clusters.eligibility import Action, Blocked
from autorke.core.schemas import Out, Words
from autorke.machines.set_schemas import ChoiceIn
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import SessionDep
from autorke.web.fields import Id

router = APIRouter(prefix="/machines", tags=["machines"])

Reader = Annotated[Actor, allowed("machine:read")]


class EligibilityIn(ChoiceIn):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "add_workers", "filter": ["rack:eq:B12", "state:eq:free"]}]}
    )

    action: Action
    cluster_id: Id | None = Field(None, description="The cluster that the ticket would be about")


class BlockedOut(Out):
    """`hostname` is empty when the id names no machine that the caller may see."""

    machine_id: UUID
    hostname: str
    code: str
    reason: Words


class EligibilityOut(Out):
    """`available` speaks of the action as a whole; `blocked` are the first 1,000 machines that stand in its way."""

    available: bool
    unavailable_code: str | None
    unavailable_reason: Words | None
    allowed: int
    limit: int | None = Field(description="How many machines one ticket takes")
    blocked_total: int
    blocked_by_code: dict[str, int]
    blocked: list[BlockedOut]


@router.post("/eligibility", response_model=EligibilityOut)
def check_eligibility(body: EligibilityIn, actor: Reader, session: SessionDep) -> EligibilityOut:
    """On which of these machines the action is allowed now, and why not on the others. Decides nothing."""
    found = eligibility.of_choice(session, body.choice(), action=body.action, actor=actor, cluster_id=body.cluster_id)
    refusal = found.unavailable
    return EligibilityOut(
        available=refusal is None,
        unavailable_code=refusal.code if refusal else None,
        unavailable_reason=Words(**refusal.reason.as_json()) if refusal else None,
        allowed=found.allowed,
        limit=found.limit,
        blocked_total=sum(found.codes.values()),
        blocked_by_code=found.codes,
        blocked=[_shown(one) for one in found.blocked],
    )


def _shown(one: Blocked) -> BlockedOut:
    reason = Words(**one.why.reason.as_json())
    return BlockedOut(machine_id=one.machine_id, hostname=one.hostname, code=one.why.code, reason=reason)
