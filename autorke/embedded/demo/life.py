"""`python -m autorke demo`: the product with a simulated fleet around it, filled through its own API.

The simulated machines and the database outlive a stop together; `--fresh` begins anew, and so does a start whose
predecessor was stopped before everything was filled. Filling is a process of its own (`fill`): it is ready when people
may sign in and machines and clusters are there, and goes on to make history.
"""

from __future__ import annotations

import os
import sys

from autorke.core.settings import Settings
from autorke.embedded.datadir import DataDirectory
from autorke.embedded.demo.logbook import Logbook
from autorke.embedded.product import base_url
from autorke.embedded.service import Service
from autorke.embedded.supervisor import Show, run

FILLED = b"filled: "
FILL_PATIENCE = 300.0
"""Seconds until machines and clusters must be there; a busy machine's first CMDB sync takes a while."""


def run_demo(settings: Settings, preset: str, *, fresh: bool) -> int:
    """The whole life of `demo`; returns the exit code. Each preset has a data directory apart from that of `up`."""
    directory = settings.data_dir / f"sim-{preset}"
    apart = settings.model_copy(update={"data_dir": directory, "environment": "demo"})
    show = Show(
        services=lambda data: [simulator(apart, data, preset)],
        kept=lambda data: not fresh and Logbook(data.path).filled,
        tasks=lambda data, password: [filler(apart, data, password)],
        lines=lambda data: welcome(apart, data),
    )
    return run(apart, show)


def simulator(settings: Settings, data: DataDirectory, preset: str) -> Service:
    """The simulated outside: SSH hosts, Docker, Kubernetes, CMDB. Started by name; nothing here imports it.

    Its own services take the four ports after the api's, and the same again at each later start, whatever the api's
    port is then: the CMDB's address is in the database.
    """
    log = data.log("sim")
    book = Logbook(data.path)
    options = ["--preset", preset, "--state-dir", str(book.simulation)]
    if not book.filled:
        options += ["--port", str(settings.port + 1)]
    return Service(
        name="sim",
        argv=(sys.executable, "-m", "autorke.sim", *options),
        log=log,
        ready=lambda _pid: b"sim ready" in log.read_bytes(),
        environ=os.environ,
    )


def filler(settings: Settings, data: DataDirectory, password: str | None) -> Service:
    """Fills what is not filled yet, then makes the history that is still missing. `password` is the first admin's."""
    options = ("--data", str(data.path), "--url", base_url(settings))
    log = data.log("fill")
    return Service(
        name="fill",
        argv=(sys.executable, "-m", "autorke.embedded.demo.fill", *options),
        log=log,
        ready=lambda _pid: FILLED in log.read_bytes(),
        environ=os.environ,
        stdin=(password or "").encode(),
        start_timeout=FILL_PATIENCE,
        once=True,
    )


def welcome(settings: Settings, data: DataDirectory) -> list[str]:
    """What the person at the terminal needs: the address, who may sign in with what, and how to break something."""
    book = Logbook(data.path)
    logins = book.logins()
    width = max(len(login.name) for login in logins)
    return [
        f"Open {base_url(settings)}  (API description: {base_url(settings)}/api/v1/openapi.json)",
        "Logins of this demo:",
        *(f"  {login.name:<{width}}  {login.password:<24}  {login.role}" for login in logins),
        *_about_history(book),
        *_about_breaking(book),
    ]


def _about_history(book: Logbook) -> list[str]:
    if book.history_done:
        return []
    return [
        "Past tickets are being made now, by running them: some minutes until every outcome is there (log/fill.log)"
    ]


def _about_breaking(book: Logbook) -> list[str]:
    """The simulated outside has a page of its own; it takes requests only with this header (see there)."""
    index = book.index()
    control = index["control"]
    free = [entry["name"] for entry in index["machines"] if not entry["cluster"] and entry["name"].endswith("-001")]
    if not free:
        return []
    address = f"{control}/break/{free[-1]}/create-fails"
    return [
        f"Break a machine, see its ticket fail, mend it, retry: {control}/break",
        f"  break:  curl -X POST -H 'X-Sim: 1' {address}",
        f"  mend:   curl -X DELETE -H 'X-Sim: 1' {address}",
    ]
