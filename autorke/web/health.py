"""Is this process fit to serve? For load balancers and the launcher: no sign-in, no secrets, no versions of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from autorke.core import db, events
from autorke.core.schemas import Out

router = APIRouter(tags=["health"])

State = Literal["ok", "down", "off"]
_stuck: dict[str, Callable[[Session], int]] = {}


def configure_stuck(count: Callable[[Session], int]) -> None:
    """Say who counts what is stuck; called once by the api."""
    _stuck["count"] = count


class Health(Out):
    """`database` decides the status code; a broker that is down costs latency only, so the api still serves."""

    status: Literal["ok", "down"]
    database: State
    broker: State
    stuck: int | None = Field(
        description="Causes for which the whole installation is stuck (GET /stuck); null: unknown"
    )


def _database() -> tuple[State, int | None]:
    try:
        with db.transaction() as session:
            session.execute(text("SELECT 1"))
            return "ok", _stuck["count"](session) if _stuck else None
    except SQLAlchemyError:
        return "down", None


def _broker() -> State:
    client = events.client()
    if client is None:
        return "off"
    try:
        client.ping()
    except RedisError:
        return "down"
    return "ok"


@router.get("/health", response_model=Health)
def get_health(response: Response) -> Health:
    """200 when requests can be served, 503 when not."""
    database, stuck = _database()
    if database != "ok":
        response.status_code = 503
    return Health(status="ok" if database == "ok" else "down", database=database, broker=_broker(), stuck=stuck)
