"""`up` with one small child in the product's place: what is tested is the supervisor, not a second of imports."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from autorke.core.settings import Settings
from autorke.embedded import supervisor
from autorke.embedded.datadir import DataDirectory
from autorke.embedded.service import Service

LOOKS_EVERY = "SMALL_UP_LOOKS_EVERY"
"""Seconds after which the pool notices that its parent has died; where that is long, somebody else must end it."""
POOL = f"""import os, time; parent = os.getppid()
while os.getppid() == parent: time.sleep(float(os.environ.get('{LOOKS_EVERY}', '2')))"""
CHILD = f"""
import os, subprocess, sys, time
pool = subprocess.Popen([sys.executable, '-c', {POOL!r}])  # like a worker's pool: notices an orphan's life in a while
print('working for', os.environ['AUTORKE_DATABASE_URL'].split('@')[1], flush=True)
time.sleep(3600)
"""


def small_product(_settings: Settings, data: DataDirectory, environ: Mapping[str, str]) -> list[Service]:
    log = data.log("child")
    argv = (sys.executable, "-c", CHILD)
    return [Service("child", argv, log, ready=lambda _pid: b"working" in log.read_bytes(), environ=environ)]


if __name__ == "__main__":
    supervisor.product_services = small_product
    raise SystemExit(supervisor.run(Settings()))
