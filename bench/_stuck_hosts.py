"""Causes of the whole installation: processes are killed and stopped, a tmpfs is filled, a clock set wrong, a release
falls behind. An *older* worker or host is the product as it is installed, which does not know the bench's flow.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from autorke.worker import process
from bench import CannotRun
from bench._stuck_site import Case, Site, change, must, row, wait

HANDLER = "ground.act@1"
TMPFS_MB, BALLAST_MB = 64, 48
"""What is left is less than the default of `AUTORKE_STUCK_RUN_DIR`."""


def _no_worker_host(there: Site) -> Iterator[None]:
    there.kill("launcher")
    yield
    there.start("launcher")


def _host_silent(there: Site) -> Iterator[None]:
    there.start("launcher", "second")
    wait(lambda: row("select 1 from host_report where id = 'second'"))
    there.kill("second")
    yield
    there.repair("host_silent")


def _no_reconciler(there: Site) -> Iterator[None]:
    """Somebody keeps a table locked that every pass writes."""
    url = make_url(there.environ["AUTORKE_DATABASE_URL"]).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as link:
        link.execute("lock table outbox in access exclusive mode")
        yield


def _hints_not_taken(there: Site) -> Iterator[None]:
    there.kill("worker")
    yield
    there.repair("hints_not_taken")
    there.start("worker")


def _broker_down(there: Site) -> Iterator[None]:
    there.broker.stop()
    yield
    there.repair("broker_down")
    there.broker.start()


def _hosts_drained(there: Site) -> Iterator[None]:
    change("update runner set drain = true")
    yield
    there.repair("hosts_drained")


def _schedule_overdue(there: Site) -> Iterator[None]:
    schedules = there.schedules()
    os.kill(schedules, signal.SIGSTOP)
    try:
        config = '{"source": {"kind": "csv", "path": "none.csv"}, "mapping": {}}'
        change(
            "insert into cmdb_source (id, version, name, config, enabled, interval_seconds, max_vanished_percent,"
            " machine_ssh_user) values (gen_random_uuid(), 1, 'bench', cast(:c as jsonb), true, 3600, 20, 'root')",
            c=config,
        )
        yield
        there.repair("schedule_overdue")
        wait(lambda: "schedule_overdue" not in there.stuck())
    finally:
        os.kill(schedules, signal.SIGCONT)
        change("delete from cmdb_source")


def _run_dir_full(there: Site) -> Iterator[None]:
    """The only host's tmpfs, in a mount namespace that ends with its launcher, is filled up. Drained it claims nothing;
    with room again it claims by itself."""
    runs = there.place / "runs"
    runs.mkdir()
    under = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "sh", "-c"]
    under += [f'mount -t tmpfs -o size={TMPFS_MB}m tmpfs "$0" && exec "$@"', str(runs)]
    if shutil.which("unshare") is None or subprocess.run([*under, "true"], capture_output=True).returncode:
        raise CannotRun("no mount namespace for a tmpfs can be made here")
    there.again("launcher", under=under, environ={"AUTORKE_RUN_DIR": str(runs)})
    ballast = Path(f"/proc/{there.processes['launcher'].pid}/root{runs}/ballast")
    wait(lambda: row("select 1 from host_report where run_dir_free <= :all", all=TMPFS_MB * 2**20))
    ballast.write_bytes(bytes(BALLAST_MB * 2**20))
    yield
    there.repair("run_dir_full")
    ticket = there.queue("run-dir-full")
    wait(lambda: "hosts_drained" in there.stuck())
    wait(lambda: row(_HINTED_IN_VAIN, t=ticket))
    ballast.unlink()
    there.finish(ticket)
    there.again("launcher")


_HINTED_IN_VAIN = """
select 1 from step_attempt a join step s on s.id = a.step_id
 where s.ticket_id = :t and a.state = 'READY' and a.hinted_at > a.ready_at + interval '5 seconds'
"""


def _clock_skew(there: Site) -> Iterator[None]:
    """The clock of a second host jumps a minute ahead while it runs (libfaketime), and is set right as chrony would."""
    clock = there.place / "clock"
    _set(clock, 0)
    bent = {"LD_PRELOAD": _libfaketime(), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    there.start("launcher", "fast", environ=bent)
    wait(lambda: row("select 1 from host_report where id = 'fast' and abs(skew_ms) < 1000"))
    _set(clock, 60)
    yield
    must("is 60 s off" in there.stuck()["clock_skew"]["title"]["en"], "the banner says by how much")
    _set(clock, 0)
    wait(lambda: "clock_skew" not in there.stuck())
    there.kill("fast", signal.SIGTERM)


def _set(clock: Path, seconds: int) -> None:
    new = clock.with_suffix(".new")
    new.write_text(f"+{seconds}s\n")
    new.rename(clock)


def _libfaketime() -> str:
    tool = shutil.which("faketime")
    if tool is None:
        raise CannotRun("libfaketime is not installed")
    shown = subprocess.run(
        [tool, "-m", "-f", "+0s", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
    )
    return shown.stdout.strip()


def _handler_missing(there: Site) -> Iterator[None]:
    """The only host comes back with an older release; the right one is brought back."""
    there.again("worker", older=True)
    there.again("launcher", older=True)
    wait(lambda: row(_CARRIES, host=process.runner_id(), handler=HANDLER)[0] is False)
    ticket = there.queue("handler-missing")
    yield
    must(HANDLER in there.stuck()["handler_missing"]["title"]["en"], "the banner says what is missing")
    there.again("launcher")
    there.again("worker")
    there.finish(ticket)


_CARRIES = "select handlers @> jsonb_build_array(cast(:handler as text)) from runner where id = :host"


def _not_claimed(there: Site) -> Iterator[None]:
    """The Celery worker still runs an older release than its host: it takes hints, and claims none of them."""
    there.again("worker", older=True)
    ticket = there.queue("not-claimed")
    yield
    there.repair("not_claimed")
    wait(lambda: there.gate(ticket))
    there.again("worker")
    there.finish(ticket)


CASES: dict[str, Case] = {
    "hosts_drained": _hosts_drained,
    "run_dir_full": _run_dir_full,
    "clock_skew": _clock_skew,
    "handler_missing": _handler_missing,
    "not_claimed": _not_claimed,
    "schedule_overdue": _schedule_overdue,
    "broker_down": _broker_down,
    "hints_not_taken": _hints_not_taken,
    "no_reconciler": _no_reconciler,
    "host_silent": _host_silent,
    "no_worker_host": _no_worker_host,
}
