"""`python -m autorke up`: starts everything one machine needs, keeps it running, stops it in order.

What has an outside URL is not started here. `kill -9` of this process ends every child (the kernel signals them); only
the runners of live changes, which are sessions of their own on purpose, finish or lose their lease by themselves.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import TextIO

from autorke.core.errors import AutoRkeError
from autorke.core.settings import Settings
from autorke.embedded.account import database_account
from autorke.embedded.apart import apart
from autorke.embedded.binaries import find_postgres, find_valkey, postgres_for, valkey_for
from autorke.embedded.datadir import DataDirectory, locked
from autorke.embedded.errors import PortTaken
from autorke.embedded.postgres import Postgres, create_database, initialise, wait_for_predecessor
from autorke.embedded.product import base_url, launcher_socket, port_free, product_services
from autorke.embedded.service import Process, Service, StopRequest, end_group, last_line, spawn, stop_all, wait_ready
from autorke.embedded.valkey import Valkey

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY = 60.0
"""Seconds: a crashed child is started again after a pause that doubles, and is forgiven after a steady minute."""
FIRST_ADMIN = "admin"
PORT_PATIENCE = 5.0
ARENAS = "2"
"""Memory pools of the C library in each of the product's processes: one for each of their many threads adds up."""
WATCH_EVERY = 0.2


@dataclass
class Child:
    """One running service and its history of crashes."""

    service: Service
    process: Process
    started: float
    pause: float = FIRST_PAUSE
    due: float | None = None
    """When to start it again (monotonic), while it is down."""

    def put_off(self, now: float) -> float:
        """Plan the next start; returns the seconds until then."""
        pause, self.pause = self.pause, min(self.pause * 2, LONGEST_PAUSE)
        self.due = now + pause
        return pause


@dataclass
class Supervisor:
    """Runs until a stop is requested. Single-threaded: the kernel ties children to the thread that started them."""

    stop_request: StopRequest = field(default_factory=StopRequest)
    children: list[Child] = field(default_factory=list)

    def start(self, *services: Service) -> None:
        """Start these side by side and wait for each. Raises StartFailed; the caller then stops what runs."""
        for service in services:
            self.children.append(Child(service, spawn(service), time.monotonic()))
        for child in self.children[-len(services) :]:
            wait_ready(child.service, child.process, self.stop_request)
            if not self.stop_request.made:
                say(f"  {child.service.name:<9} ready after {time.monotonic() - child.started:.1f} s")

    def watch(self) -> None:
        """Start crashed children again, with growing pauses, until a stop is requested."""
        while not self.stop_request.made:
            time.sleep(WATCH_EVERY)
            for child in list(self.children):
                if child.service.once:
                    self._see_off(child)
                else:
                    self._look_after(child, time.monotonic())

    def _see_off(self, child: Child) -> None:
        """Work that has ended, well or not, is over."""
        code = child.process.poll()
        if code is not None:
            end_group(child.process)
            self.children.remove(child)
            say(f"  {child.service.name:<9} {'done' if code == 0 else 'failed: ' + last_line(child.service.log)}")

    def _look_after(self, child: Child, now: float) -> None:
        name = f"  {child.service.name:<9}"
        if child.due is not None and now >= child.due:
            try:
                child.process, child.started, child.due = spawn(child.service), now, None
                say(f"{name} started again")
            except OSError as error:  # no memory, no process, no disk: perhaps later
                say(f"{name} could not be started, again in {child.put_off(now):g} s: {error}")
        elif child.due is None and child.process.poll() is not None:
            end_group(child.process)
            child.pause = FIRST_PAUSE if now - child.started > STEADY else child.pause
            code, words = child.process.returncode, last_line(child.service.log)
            say(f"{name} ended ({code}), again in {child.put_off(now):g} s: {words}")

    def stop(self) -> None:
        """The product first, at once; then the databases under it."""
        product = [child for child in self.children if not child.service.database]
        databases = [child for child in self.children if child.service.database]
        for tier in (product, databases):
            stop_all([(child.service, child.process) for child in tier])
        self.children.clear()


@dataclass(frozen=True)
class Show:
    """What `demo` adds to `up`: services of its own, and work that fills the product over its API when it is ready.

    `kept` says whether an earlier start has filled this data directory; if not, it is begun anew. `tasks` get the first
    admin's password (None when he is known already); `lines` are printed when they are ready.
    """

    services: Callable[[DataDirectory], list[Service]]
    kept: Callable[[DataDirectory], bool]
    tasks: Callable[[DataDirectory, str | None], list[Service]]
    lines: Callable[[DataDirectory], list[str]]


def run(settings: Settings, show: Show | None = None) -> int:
    """The whole life of `up`; returns the exit code. Problems are one sentence each, on stderr."""
    supervisor = Supervisor()
    _stop_on_signals(supervisor.stop_request)
    try:
        with locked(settings.data_dir, database_account()) as data:
            _live(supervisor, settings, data, show)
    except AutoRkeError as error:
        say(f"{error.message.en}\n{error.message.zh}\n{error.hint.en} / {error.hint.zh}", sys.stderr)
        return 1
    return 0


def _stop_on_signals(stop: StopRequest) -> None:
    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.made = True

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, ask)


def _live(supervisor: Supervisor, settings: Settings, data: DataDirectory, show: Show | None) -> None:
    wait_for_predecessor(data.postgres, data.log("postgres"))
    if show and not show.kept(data):
        data.clear()
    data.prepare()
    say(f"AutoRke starts, data in {data.path}")
    if os.geteuid() == 0:
        say(f"  running as root; what is embedded runs as {data.account.name}")
    try:
        environ = _start_databases(supervisor, settings, data, show.services(data) if show else [])
        password = None if supervisor.stop_request.made else _start_product(supervisor, settings, data, environ)
        if show and not supervisor.stop_request.made:
            supervisor.start(*show.tasks(data, password))
        if not supervisor.stop_request.made:
            _greet(settings, data, show.lines(data) if show else None, password)
        supervisor.watch()
    finally:
        say("Stopping")
        supervisor.stop()


def _greet(settings: Settings, data: DataDirectory, lines: list[str] | None, password: str | None) -> None:
    if lines is None and password:
        path = data.path / "first-admin.password"
        data.make_secret(path.name, lambda: password)
        lines = [f"The first admin is `{FIRST_ADMIN}`, with the password in {path}; change it and remove the file"]
    for line in lines or ():
        say(line)
    say(f"Ready: {base_url(settings)}  (logs in {data.log('api').parent}, Ctrl-C stops all)")


def _start_databases(
    supervisor: Supervisor, settings: Settings, data: DataDirectory, others: list[Service]
) -> dict[str, str]:
    """Start what has no outside URL, and `others` beside it; returns the environment of the product's processes."""
    environ = dict(os.environ)
    environ |= {"AUTORKE_DATA_DIR": str(data.path), "AUTORKE_ENVIRONMENT": settings.environment}
    environ.setdefault("AUTORKE_PUBLIC_URL", base_url(settings))
    wanted = list(others)
    if settings.database_url is None or settings.redis_url is None:
        data.prepare_databases()
        say(f"  embedded databases in {data.databases}: for demos and development, not for production")
    postgres = _postgres(data) if settings.database_url is None else None
    if postgres:
        initialise(postgres)
        wanted.append(postgres.service())
        environ["AUTORKE_DATABASE_URL"] = postgres.url()
    if settings.redis_url is None:
        valkey = _valkey(data)
        wanted.append(valkey.service())
        environ["AUTORKE_REDIS_URL"] = valkey.url()
    supervisor.start(*wanted)
    if postgres and not supervisor.stop_request.made:
        create_database(postgres)
    if settings.secret_key is None and settings.secret_key_file is None:
        environ["AUTORKE_SECRET_KEY_FILE"] = str(data.key_file)
    return environ


def _postgres(data: DataDirectory) -> Postgres:
    return Postgres(
        binaries=postgres_for(data.account, find_postgres(), data.databases),
        account=data.account,
        home=data.postgres,
        sockets=data.database_sockets(),
        log=data.log("postgres"),
        password=data.make_secret("postgres.password"),
    )


def _valkey(data: DataDirectory) -> Valkey:
    return Valkey(
        binary=valkey_for(data.account, find_valkey(), data.databases),
        account=data.account,
        sockets=data.database_sockets(),
        log=data.log("valkey"),
        password=data.make_secret("valkey.password"),
    )


def _start_product(
    supervisor: Supervisor, settings: Settings, data: DataDirectory, environ: Mapping[str, str]
) -> str | None:
    """Bring the schema up, start the product; returns the first admin's password when there was nobody yet."""
    started = time.monotonic()
    password = apart(lambda: _bring_up_schema(environ["AUTORKE_DATABASE_URL"]))
    say(f"  schema    up to date after {time.monotonic() - started:.1f} s")
    _wait_for_port(settings)
    children = {"MALLOC_ARENA_MAX": ARENAS, **environ, "AUTORKE_LAUNCHER_SOCKET": str(launcher_socket(data))}
    supervisor.start(*product_services(settings, data, children))
    return password


def _bring_up_schema(url: str) -> str | None:
    """In a child process: what it imports takes as much memory as the supervisor has, and is needed only once."""
    from autorke.embedded.schema import first_admin, upgrade

    upgrade(url)
    return first_admin(url)


def _wait_for_port(settings: Settings) -> None:
    """A predecessor that was killed may still be closing its streams."""
    deadline = time.monotonic() + PORT_PATIENCE
    while not port_free(settings.host, settings.port):
        if time.monotonic() > deadline:
            raise PortTaken(host=settings.host, port=settings.port)
        time.sleep(0.1)


def say(line: str, stream: TextIO = sys.stdout) -> None:
    """One line for the person at the terminal, at once."""
    stream.write(line + "\n")
    stream.flush()
