"""The baseline of T3: the tool inside a Celery task, acknowledged late, redelivered when its worker is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery

from tests.faults.live import kill_group
from tests.faults.servers import Server, children
from tests.orphans import ours

TOOL = Path(__file__).with_name("tool.py")
ACT = "naive.act"
VISIBILITY = 4


def make_app(url: str) -> Celery:
    app = Celery("naive", broker=url.replace("unix://", "redis+socket://", 1))
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": VISIBILITY,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "global_keyprefix": "naive:",
        },
    )
    return app


app = make_app(os.environ.get("NAIVE_BROKER", "memory://"))


@app.task(name=ACT)  # type: ignore[untyped-decorator]
def act(journal: str, task: str, node: str, milliseconds: int) -> None:
    words = [sys.executable, "-I", "-S", str(TOOL), journal, task, node, task, str(milliseconds)]
    subprocess.run(words, start_new_session=True)


def run(dice: random.Random, broker: Server, rounds: int) -> dict[str, Any]:
    """As many faults of the two kinds that such a worker knows: its pool process is killed, or all of it."""
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as folder:
        journal, sender = Path(folder) / "journal", make_app(broker.url)
        environ = {**os.environ, "NAIVE_BROKER": broker.url, "NAIVE_PLACE": folder}
        workers: dict[str, subprocess.Popen[bytes]] = {}
        sent = struck = 0
        try:
            while struck < rounds:
                _keep(workers, environ)
                while sent < 14 + 2 * struck:
                    sender.send_task(ACT, args=[str(journal), f"t{sent}", f"n{sent}", dice.randint(100, 1200)])
                    sent += 1
                struck += _strike(workers, dice)
                time.sleep(dice.uniform(0.1, 0.5))
            _calm(journal, lambda: _keep(workers, environ))
        finally:
            for child in workers.values():
                kill_group(child.pid)
                child.wait(10)
            for pid in ours(folder):
                kill_group(pid)
        return {"faults": struck, "tasks": sent, "lost_tasks": sent - _ended(journal), **_counted(journal)}


def _keep(workers: dict[str, subprocess.Popen[bytes]], environ: dict[str, str]) -> None:
    for name in ("1", "2"):
        child = workers.get(name)
        if child is None or child.poll() is not None:
            if child is not None:
                kill_group(child.pid)
            words = ["worker", "-c", "2", "-n", name, "--without-gossip", "--without-mingle", "-l", "ERROR"]
            workers[name] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tests.faults.naive", *words],
                env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip


def _strike(workers: dict[str, subprocess.Popen[bytes]], dice: random.Random) -> int:
    victim = workers[dice.choice(list(workers))]
    pool = children(victim.pid)
    if not pool:
        return 0
    os.kill(dice.choice(pool) if dice.random() < 0.75 else victim.pid, signal.SIGKILL)
    return 1


def _calm(journal: Path, keep: Callable[[], None]) -> None:
    """Until nothing has been said for three visibility timeouts: what has not run by then never will."""
    lines, at = -1, time.monotonic()
    while time.monotonic() - at < 3 * VISIBILITY:
        keep()
        if len(_said(journal)) != lines:
            lines, at = len(_said(journal)), time.monotonic()
        time.sleep(0.2)


def _said(journal: Path) -> list[list[str]]:
    return [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []


def _ended(journal: Path) -> int:
    return len({line[1] for line in _said(journal) if line[0] == "END"})


def _counted(journal: Path) -> dict[str, int]:
    said = _said(journal)
    starts = Counter(line[1] for line in said if line[0] == "START")
    return {
        "doubled_runs": sum(count > 1 for count in starts.values()),
        "extra_executions": sum(count - 1 for count in starts.values()),
        "overlapping_tools": sum(line[0] == "OVERLAP" for line in said),
    }
