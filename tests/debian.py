"""Debian 12's own PostgreSQL 15 and Redis: what customers run. Their packages' services are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from autorke.embedded.binaries import PG_VARIABLE, PostgresBinaries, find_postgres

POSTGRES = Path("/usr/lib/postgresql/15/bin")
REDIS = Path("/usr/bin/redis-server")


def postgres_binaries() -> PostgresBinaries:
    if not (POSTGRES / "postgres").exists():
        pytest.skip(f"SKIPPED: no PostgreSQL 15 in {POSTGRES} (apt-get install postgresql)")
    return find_postgres({PG_VARIABLE: str(POSTGRES)})


def redis_server() -> Path:
    if not REDIS.exists():
        pytest.skip(f"SKIPPED: no {REDIS} (apt-get install redis-server)")
    return REDIS
