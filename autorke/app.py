"""The api: every slice's routes, one error shape, health, and what starts and stops with the process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI

from autorke.clusters import eligibility_routes
from autorke.clusters import routes as clusters_routes
from autorke.cmdb import routes as cmdb_routes
from autorke.configs import routes as configs_routes
from autorke.core import crypto
from autorke.core.settings import get_settings
from autorke.credentials import routes as credentials_routes
from autorke.flows.wiring import wire
from autorke.machines import routes as machines_routes
from autorke.machines import set_routes as machine_set_routes
from autorke.overview import cluster_routes as cluster_overview_routes
from autorke.overview import fleet_routes, lock_routes
from autorke.overview import machine_routes as machine_story_routes
from autorke.stuck import routes as stuck_routes
from autorke.stuck import service as stuck
from autorke.stuck.standin import StandIn
from autorke.tickets import admin_routes as ticket_admin_routes
from autorke.tickets import inbox_routes, log_routes, matrix_routes, stream_routes, wizard_routes
from autorke.tickets import routes as tickets_routes
from autorke.users import admin_routes, live_routes, oidc_routes
from autorke.users import routes as users_routes
from autorke.views import routes as views_routes
from autorke.web import health, openapi, problems, sse, ui
from autorke.web.body import BodyGuard
from autorke.web.compression import CompressJson
from autorke.web.middleware import RequestContext
from autorke.web.parameters import PREFIX, refuse_unknown

# One line per slice; the order is the order of the API description.
ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    users_routes.router,
    oidc_routes.router,
    admin_routes.router,
    live_routes.router,
    credentials_routes.router,
    machine_set_routes.router,  # before the routes of one machine, whose path would take its words for ids
    machines_routes.router,
    eligibility_routes.router,
    machine_story_routes.router,
    views_routes.router,
    cmdb_routes.router,
    clusters_routes.router,
    cluster_overview_routes.router,
    configs_routes.router,
    tickets_routes.router,
    inbox_routes.router,
    wizard_routes.router,
    matrix_routes.router,
    log_routes.router,
    stream_routes.router,
    ticket_admin_routes.router,
    lock_routes.router,
    stuck_routes.router,
    fleet_routes.router,
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    crypto.load_ring()  # refuse to start without a key, not at the first secret
    app.state.wakeups.start()
    stand_in = StandIn(get_settings())
    stand_in.start()
    yield
    stand_in.stop()
    await app.state.wakeups.stop()


def create_app() -> FastAPI:
    """The ASGI application: `uvicorn --factory autorke.app:create_app`."""
    wire()
    health.configure_stuck(stuck.count)
    settings = get_settings()
    app = FastAPI(
        title="AutoRke",
        version=version("autorke"),
        description=openapi.DESCRIPTION,
        lifespan=_lifespan,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # names of the generated client's functions
        dependencies=[Depends(refuse_unknown)],
    )
    app.state.wakeups = sse.Wakeups()
    app.add_middleware(CompressJson)
    app.add_middleware(BodyGuard, limit=settings.body_limit)
    app.add_middleware(RequestContext, https=settings.cookie_secure)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    openapi.install(app)
    ui.install(app)
    return app
