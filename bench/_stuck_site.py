"""One installation as an operator runs it, with a flow whose steps are lines of a file: api, launcher, Celery worker,
broker and database, each of which can be killed, frozen and started again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

import migrations.models  # noqa: F401  fills Base.metadata
from autorke.core import crypto, db, events, queue
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from autorke.workflow import commands, gates, outbox
from autorke.workflow.gates import Decision
from tests.ports import free_port
from tests.story.desk import first_admin
from tests.story.people import Person
from tests.story.stack import Stack
from tests.stuck.broker import Broker, stoppable
from tests.worker.ground import GroundIn, everybody

PATIENCE = 120.0
RELEASES = {
    "ours": {
        "launcher": ["-m", "tests.worker.ground", "launcher"],
        "worker": ["-m", "tests.worker.ground", "celery", "worker"],
    },
    "older": {
        "launcher": ["-m", "autorke.worker.launcher"],
        "worker": ["-m", "celery", "-A", "autorke.worker.app", "worker"],
    },
}


def wait(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """The first true answer. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"not within {seconds} s")


@dataclass
class Site:
    """`told` are the moments at which a page's stream has heard that something of the engine changed."""

    url: str
    place: Path
    broker: Broker
    environ: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    told: list[float] = field(default_factory=list)
    admin: Person = field(init=False)

    def start(
        self,
        what: str,
        name: str = "",
        *,
        older: bool = False,
        under: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`launcher` under another `name` is a second worker host. `older`: a release that does not know our flow.
        `under` is a command that runs the one it is given."""
        socket = self.place / f"{name or 'launcher'}.sock"
        release = RELEASES["older" if older else "ours"]
        arguments = {
            "api": ["-m", "uvicorn", "autorke.app:create_app", "--factory", "--port", self.url.rsplit(":", 1)[1]],
            "launcher": [*release["launcher"], "--socket", str(socket)],
            "worker": [*release["worker"], "-c", "2", "--without-gossip", "--without-mingle", "-l", "WARNING"],
        }[what]
        more = {"AUTORKE_RUNNER_ID": name} if name else {}
        with (self.place / f"{name or what}.log").open("ab") as log:
            self.processes[name or what] = subprocess.Popen(
                [*under, sys.executable, *arguments],
                env={**self.environ, **more, **(environ or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if what == "launcher":
            wait(socket.exists)

    def again(self, what: str, **how: Any) -> None:
        """Killed and started, as another one perhaps."""
        self.kill(what)
        self.start(what, **how)

    def kill(self, what: str, number: int = signal.SIGKILL) -> None:
        child = self.processes.pop(what)
        os.killpg(child.pid, number)
        child.wait(20)

    def schedules(self) -> int:
        """The process of the launcher that runs the schedules: its second child."""
        pid = self.processes["launcher"].pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[1])

    def stuck(self) -> dict[str, dict[str, Any]]:
        return {item["cause"]: item for item in self.admin.get("/stuck")["items"]}

    def repair(self, cause: str) -> None:
        self.admin.post(f"/stuck/{self.stuck()[cause]['id']}/repair", {"reason": "bench"})

    def listen(self) -> None:
        """As a page does; ends with the api."""
        http = httpx.Client(base_url=self.admin.http.base_url, cookies=self.admin.http.cookies, trust_env=False)

        def hear() -> None:
            try:
                with http.stream("GET", "/stream", timeout=None) as answer:
                    for line in answer.iter_lines():
                        if line.startswith("data:") and json.loads(line[5:]).get("topic") == "engine":
                            self.told.append(time.monotonic())
            except httpx.HTTPError:
                return

        threading.Thread(target=hear, daemon=True).start()

    # tickets ---------------------------------------------------------------------------------------------------------
    def submit(self, node: str, **request: Any) -> UUID:
        """A ticket that waits for its gate."""
        ticket = self.queue(node, **request)
        wait(lambda: self.gate(ticket))
        return ticket

    def queue(self, node: str, flow: str = "ground", **request: Any) -> UUID:
        """A ticket that waits for what another one on the same node may hold."""
        with transaction() as session:
            form = GroundIn(journal=str(self.place / "journal"), nodes=[node], **request)
            return commands.submit(session, flow, form, new_id())[0].id

    def gate(self, ticket: UUID) -> Any:
        return row(
            "select g.id, g.subject_hash from gate g join step s on s.id = g.step_id"
            " where s.ticket_id = :t and g.state = 'OPEN'",
            t=ticket,
        )

    def sign(self, ticket: UUID) -> None:
        gate, subject = wait(lambda: self.gate(ticket))
        with transaction() as session:
            commands.decide(session, ticket, {gate: subject}, new_id(), Decision(True, subject))

    def finish(self, ticket: UUID) -> None:
        """Sign its gate and wait for its good end."""
        self.sign(ticket)
        self.end(ticket)

    def end(self, ticket: UUID) -> None:
        wait(lambda: self.state(ticket) == "SUCCEEDED")

    def state(self, ticket: UUID) -> str:
        return str(row("select state from ticket where id = :t", t=ticket)[0])

    def runner(self, ticket: UUID) -> tuple[UUID, int]:
        """Attempt and process of the run that is under way."""
        query = (
            "select a.id, a.pid from step_attempt a join step s on s.id = a.step_id"
            " where s.ticket_id = :t and a.purpose = 'RUN' and a.state = 'RUNNING'"
        )
        found = wait(lambda: row(query, t=ticket))
        return found[0], found[1]


def row(query: str, **values: Any) -> Any:
    with transaction() as session:
        return session.execute(text(query), values).first()


def must(holds: bool, what: str) -> None:
    """Raises RuntimeError: a repair has not done what it says, so the figure would be of something else."""
    if not holds:
        raise RuntimeError(f"not so: {what}")


def change(query: str, **values: Any) -> None:
    """What a restored backup, a bug or time could have done."""
    with transaction() as session:
        session.execute(text(query), values)


Case = Callable[[Site], Iterator[None]]
"""Prepares, yields with the cause brought about, and is resumed once it is visible: to repair it and end it."""


@contextmanager
def site() -> Iterator[Site]:
    """Default settings but for the place of files; everything is gone afterwards."""
    before = dict(os.environ)
    with throwaway.scratch_directory() as place, throwaway.postgres() as url, stoppable() as broker:
        key = place / "secret.key"
        key.write_text(crypto.new_key())
        key.chmod(0o600)
        os.environ.update(
            AUTORKE_DATABASE_URL=url.render_as_string(hide_password=False),
            AUTORKE_REDIS_URL=broker.url,
            AUTORKE_SECRET_KEY_FILE=str(key),
            AUTORKE_DATA_DIR=str(place),
            AUTORKE_LAUNCHER_SOCKET=str(place / "launcher.sock"),
            AUTORKE_RUN_DIR=str(place),
        )
        get_settings.cache_clear()
        made = Site(f"http://127.0.0.1:{free_port()}", place, broker, dict(os.environ))
        try:
            _begin(made)
            yield made
        finally:
            for what in list(made.processes):
                made.kill(what)
            outbox._transport.clear()
            os.environ.clear()
            os.environ.update(before)
            get_settings.cache_clear()
            events.forget()
            db.get_engine().dispose()


def _begin(made: Site) -> None:
    engine = db.make_engine(made.environ["AUTORKE_DATABASE_URL"])
    db.configure(engine)
    db.Base.metadata.create_all(engine)
    events.forget()
    queue.app = queue.make_app()
    gates.configure_directory(everybody)
    outbox.configure_transport(lambda _topic, attempt: queue.hint(queue.LAUNCH, attempt))
    for what in ("launcher", "api", "worker"):
        made.start(what)
    wait(lambda: _healthy(made.url))
    made.admin = first_admin(Stack(made.url, made.place, made.environ))
    made.listen()
    time.sleep(get_settings().stuck_after.total_seconds())  # who has just begun does not judge
    wait(lambda: not made.stuck())


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/health", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
