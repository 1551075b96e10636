"""The api walked through as each role, for longer than the tests do: what was asked, what was covered, what failed.

`AUTORKE_BENCH_SECURITY_REQUESTS` requests of each role (default 1,500), `AUTORKE_BENCH_SECURITY_SEED` repeats a run.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.testclient import TestClient

from autorke.app import create_app
from autorke.core import crypto, db
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from tests.api import Api
from tests.databases import Template, text
from tests.security import twoclusters
from tests.security.walk import WHO, walk
from tests.test_roles import ACCESS
from tests.workflow.conftest import Desk

REQUESTS = int(os.environ.get("AUTORKE_BENCH_SECURITY_REQUESTS", "1500"))
STEPS = 20


def run() -> dict[str, Any]:
    """Counts for each role; `failures` are texts, empty when all is well."""
    seed = int(os.environ.get("AUTORKE_BENCH_SECURITY_SEED") or random.SystemRandom().randrange(2**32))
    roles: dict[str, Any] = {}
    covered: set[str] = set()
    began = time.monotonic()
    for who in WHO:
        with _api() as api:  # each on a platform of its own: what one deletes is there for the next
            twoclusters.build(api, Desk())
            found = walk(api, who, seed=seed, requests=REQUESTS, steps=STEPS)
        covered |= found.operations
        roles[who] = {
            "requests": found.requests,
            "operations": len(found.operations),
            "succeeded_operations": len(found.succeeded),
            "statuses": dict(sorted(found.statuses.items())),
            "failures": sorted(found.failures),
        }
    return {
        "seed": seed,
        "requests": sum(role["requests"] for role in roles.values()),
        "operations_of_the_api": len(ACCESS),
        "operations_covered": len(covered),
        "not_covered": sorted(set(ACCESS) - covered),
        "failures": sum(len(role["failures"]) for role in roles.values()),
        "seconds_s": round(time.monotonic() - began, 1),
        "roles": roles,
    }


@contextmanager
def _api() -> Iterator[Api]:
    """The api in this process, on a throw-away database."""
    before = dict(os.environ)
    with throwaway.postgres() as server, Template(server) as template, template.clone() as url:
        os.environ |= {"AUTORKE_DATABASE_URL": text(url), "AUTORKE_SECRET_KEY": crypto.new_key()}
        get_settings.cache_clear()
        engine = db.make_engine(text(url))
        db.configure(engine)
        try:
            app = create_app()
            with TestClient(app) as client:
                yield Api(app, client)
        finally:
            engine.dispose()
            os.environ.clear()
            os.environ.update(before)
            get_settings.cache_clear()
