"""Procrastinate (jobs in Postgres, woken by LISTEN/NOTIFY) as it comes, to stand beside the engine: one empty job.

`python -m bench._procrastinate URL` is its worker, of two, started by `bench.engine`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import procrastinate

from bench import _engine_host
from bench._engine import process

QUEUE = "bench"


def _tasks(app: procrastinate.App) -> procrastinate.App:
    @app.task(name="note", queue=QUEUE)
    def note(journal: str, name: str) -> None:
        _engine_host.note(journal, name, time.time())

    return app


@contextmanager
def running(journal: str) -> Iterator[Callable[[str], None]]:
    """Its tables in the bench's database and its worker; yields what defers a job of that name."""
    url = os.environ["AUTORKE_DATABASE_URL"].replace("+psycopg", "", 1)
    app = _tasks(procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=url)))
    with app.open():
        app.schema_manager.apply_schema()
        with process("bench._procrastinate", url):
            yield lambda name: (app.configure_task("note", queue=QUEUE).defer(journal=journal, name=name), None)[1]


async def _work(url: str) -> None:
    app = _tasks(procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url)))
    async with app.open_async():
        await app.run_worker_async(queues=[QUEUE], concurrency=2)


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1]))
