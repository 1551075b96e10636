"""The node matrix of a ticket, and one node of it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter

from autorke.tickets import matrix, schemas, service
from autorke.tickets.matrix_schemas import MatrixOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import SessionDep

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["tickets"])
Reader = Annotated[Actor, allowed("ticket:read")]


@router.get("/matrix", response_model=MatrixOut)
def get_matrix(ticket_id: UUID, actor: Reader, session: SessionDep) -> dict[str, Any]:
    """Every node with its results of every step, without their evidence."""
    return matrix.matrix(session, service.get(session, actor, ticket_id))


@router.get("/nodes/{node_id}", response_model=schemas.TicketNodeOut)
def get_ticket_node(ticket_id: UUID, node_id: str, actor: Reader, session: SessionDep) -> dict[str, Any]:
    """One target with every result and its evidence."""
    return matrix.node(session, service.get(session, actor, ticket_id), node_id)
