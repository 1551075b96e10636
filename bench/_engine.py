"""Launcher, Celery worker and databases of their own, for benches of the engine; this process is the api's part."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import migrations.models  # noqa: F401  fills Base.metadata
from autorke.core import db, events, queue
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from autorke.workflow import gates, outbox
from bench import _engine_host

PATIENCE = 60
OURS = "bench._engine_host"
Found = TypeVar("Found")


@contextmanager
def host() -> Iterator[str]:
    """Databases, launcher and a Celery worker of two; yields the file in which executions note their time."""
    with (
        tempfile.TemporaryDirectory(prefix="arke-") as folder,
        throwaway.postgres() as url,
        throwaway.valkey() as redis,
    ):
        place = Path(folder)
        socket = place / "launcher.sock"
        environ = {
            "AUTORKE_DATABASE_URL": url.render_as_string(hide_password=False),
            "AUTORKE_REDIS_URL": redis,
            "AUTORKE_LAUNCHER_SOCKET": str(socket),
            "AUTORKE_RUN_DIR": str(place),
        }
        before = dict(os.environ)
        os.environ.update(environ)
        get_settings.cache_clear()
        try:
            _configure(environ["AUTORKE_DATABASE_URL"])
            with process(OURS, "launcher", "--socket", str(socket)), _celery():
                wait(socket.exists)
                yield str(place / "journal")
        finally:
            os.environ.clear()
            os.environ.update(before)
            get_settings.cache_clear()
            outbox.configure_transport(lambda _topic, _key: True)
            events.forget()


def _configure(url: str) -> None:
    engine = db.make_engine(url)
    db.configure(engine)
    db.Base.metadata.create_all(engine)
    events.forget()
    queue.app.conf.broker_url = queue._broker_url()
    gates.configure_directory(_engine_host.everybody)
    outbox.configure_transport(lambda _topic, key: queue.hint(queue.LAUNCH, key))


@contextmanager
def process(module: str, *arguments: str) -> Iterator[None]:
    """A child with a session of its own, which ends with the `with` block."""
    command = [sys.executable, "-m", module, *arguments]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as child:
        try:
            yield
        finally:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)


def _celery() -> AbstractContextManager[None]:
    return process(OURS, "celery", "worker", "-c", "2", "--without-gossip", "--without-mingle", "-l", "WARNING")


def wait(condition: Callable[[], Found | None], seconds: float = PATIENCE) -> Found:
    """The first true answer. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise TimeoutError(f"not within {seconds:g} s")
