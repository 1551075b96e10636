"""The api: every slice's routes, one error shape, health, and what starts and stops with the process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from autorke.core import crypto
from autorke.core.settings import get_settings
from autorke.credentials import routes as credentials_routes
from autorke.flows.wiring import wire
from autorke.tickets import admin_routes as ticket_admin_routes
from autorke.tickets import routes as tickets_routes
from autorke.tickets import stream_routes
from autorke.users import admin_routes
from autorke.users import routes as users_routes
from autorke.web import health, openapi, problems, sse
from autorke.web.body import BodyGuard
from autorke.web.middleware import RequestContext

# One line per slice; the order is the order of the API description.
ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    users_routes.router,
    admin_routes.router,
    credentials_routes.router,
    tickets_routes.router,
    stream_routes.router,
    ticket_admin_routes.router,
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    crypto.load_ring()  # refuse to start without a key, not at the first secret
    app.state.wakeups.start()
    yield
    await app.state.wakeups.stop()


def create_app() -> FastAPI:
    """The ASGI application: `uvicorn --factory autorke.app:create_app`."""
    wire()
    settings = get_settings()
    app = FastAPI(
        title="AutoRke",
        version=version("autorke"),
        description=openapi.DESCRIPTION,
        lifespan=_lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.wakeups = sse.Wakeups()
    app.add_middleware(BodyGuard, limit=settings.body_limit)
    app.add_middleware(RequestContext, https=settings.cookie_secure)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix="/api/v1")
    openapi.install(app)
    return app
