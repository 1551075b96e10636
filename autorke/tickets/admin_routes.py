"""Around tickets: delegation of approvals, the stop-all switch, and the callbacks of outside systems."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request
from sqlalchemy import or_, select
from starlette.concurrency import run_in_threadpool

from autorke.core.errors import NotFound
from autorke.tickets import schemas, service
from autorke.users import audit
from autorke.users.access import Actor
from autorke.users.deps import CurrentActor, allowed, client_of
from autorke.web.deps import SessionDep
from autorke.workflow import callbacks
from autorke.workflow.models import Delegation

router = APIRouter(tags=["tickets"])
Approver = Annotated[Actor, allowed("ticket:approve")]
Admin = Annotated[Actor, allowed("settings:write", everywhere=True)]


@router.get("/delegations", response_model=list[schemas.DelegationOut])
def list_delegations(actor: CurrentActor, session: SessionDep) -> list[Delegation]:
    """Delegations the caller has given or received."""
    mine = or_(Delegation.from_id == actor.user_id, Delegation.to_id == actor.user_id)
    return list(
        session.execute(select(Delegation).where(mine).order_by(Delegation.valid_to.desc()).limit(200)).scalars()
    )


@router.post("/delegations", response_model=schemas.DelegationOut, status_code=201)
def create_delegation(body: schemas.DelegationIn, actor: Approver, session: SessionDep) -> Delegation:
    """Let somebody approve in one's place for a time."""
    made = service.delegate(session, actor, **body.model_dump())
    audit.record(session, actor, action="delegate", object_type="user", object_id=body.to_id, reason=body.reason)
    return made


@router.delete("/delegations/{delegation_id}", status_code=204)
def delete_delegation(delegation_id: UUID, actor: CurrentActor, session: SessionDep) -> None:
    """End a delegation one has given; approvals given under it count no more."""
    row = session.get(Delegation, delegation_id)
    if row is None or row.from_id != actor.user_id:
        raise NotFound(what="delegation", key=str(delegation_id))
    audit.record(session, actor, action="undelegate", object_type="user", object_id=row.to_id)
    session.delete(row)


@router.get("/engine", response_model=schemas.SwitchOut)
def get_engine(_actor: CurrentActor, session: SessionDep) -> dict[str, Any]:
    """The stop-all switch, and safe mode after a failover of the database."""
    return service.switch(session)


@router.put("/engine", response_model=schemas.SwitchOut)
def set_engine(body: schemas.SwitchIn, actor: Admin, session: SessionDep) -> dict[str, Any]:
    """Stop every start of a step in the installation, or let them go on; the latter ends safe mode too."""
    audit.record(session, actor, action="engine.switch", object_type="engine", object_id="engine", **body.model_dump())
    service.set_switch(session, actor, halted=body.halted, reason=body.reason)
    return service.switch(session)


@router.post("/callbacks/{token}", response_model=schemas.CallbackOut)
async def receive_callback(
    token: str,
    request: Request,
    x_autorke_timestamp: Annotated[str, Header(max_length=20)] = "",
    x_autorke_signature: Annotated[str, Header(max_length=128)] = "",
) -> Any:
    """An outside system answers: one-time token, HMAC-SHA256 over `timestamp.body`, replay-safe."""
    received = callbacks.Received(
        token, x_autorke_timestamp, x_autorke_signature, await request.body(), client_of(request).ip
    )
    return await run_in_threadpool(service.accept_callback, received)
