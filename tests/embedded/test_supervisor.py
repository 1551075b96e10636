"""The supervisor with real databases and one small child: start, stop, kill -9, crash, a second owner, odd places."""

import os
import shutil
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from autorke.embedded.account import database_account
from autorke.embedded.datadir import SYSTEM_STATE, DataDirectory
from tests.embedded.small_up import CHILD as PROGRAM
from tests.embedded.small_up import LOOKS_EVERY
from tests.embedded.tree import SMALL, Tree, alive, command_line, open_directory, survivors, up

pytestmark = pytest.mark.timeout(600)

CHILD = f"-c {PROGRAM}"
BLIND = {LOOKS_EVERY: "3600"}
"""For tests of who ends the child's own child: it does not end by itself."""
NAMES = {"postgres": "postgres ", "valkey-server": "valkey   ", CHILD: "child    "}


@pytest.fixture
def place() -> Iterator[Path]:
    with open_directory() as path:
        yield path


@pytest.fixture(scope="module")
def running() -> Iterator[Tree]:
    """One supervisor for the tests that leave it running; its data lie beside its output."""
    with open_directory() as path, up(path / "data", path / "out", **BLIND) as tree:
        tree.wait_for("Ready")
        yield tree


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def database_url(child: int) -> str:
    """What the product is told: read from the environment of a running child."""
    environ = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
    value = next(entry for entry in environ if entry.startswith(b"AUTORKE_DATABASE_URL="))
    return value.split(b"=", 1)[1].decode().replace("+psycopg", "")


def test_cold_start_then_warm_start_keeps_the_data(place: Path) -> None:
    data = place / "data"
    with up(data, place / "cold", **BLIND) as tree:
        tree.wait_for("Ready")
        with psycopg.connect(database_url(tree.pid_of(CHILD))) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        everything = tree.descendants()
        tree.stop()
        assert survivors(everything) == []
    with up(data, place / "warm") as tree:
        tree.wait_for("Ready")
        with psycopg.connect(database_url(tree.pid_of(CHILD))) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        tree.stop()


def test_kill_9_of_the_supervisor_leaves_nothing_and_the_next_start_is_clean(place: Path) -> None:
    with up(place / "data", place / "first") as tree:
        tree.wait_for("Ready")
        everything = tree.descendants()
        assert len(everything) > 5
        tree.process.send_signal(signal.SIGKILL)
        tree.process.wait()
        with up(place / "data", place / "second") as again:  # at once, while the old server may still be writing
            again.wait_for("Ready")
            assert survivors(everything) == []


def test_a_second_supervisor_on_the_same_data_is_refused_and_the_first_lives_on(running: Tree, place: Path) -> None:
    before = running.children()
    assert len(before) == 3
    with up(running.data, place / "second") as second:
        assert f"in use by process {running.process.pid}" in second.refused()
    assert all(alive(pid) for pid in before.values())
    assert running.process.poll() is None


@pytest.mark.parametrize("words", list(NAMES), ids=[name.strip() for name in NAMES.values()])
def test_a_crashed_child_is_started_again_and_its_own_children_are_gone(running: Tree, words: str) -> None:
    before = running.pid_of(words)
    below = {name: pid for name, pid in running.descendants().items() if "parent = os.getppid()" in name}
    assert below
    os.kill(before, signal.SIGKILL)
    running.wait_for(f"{NAMES[words]} started again")
    assert running.pid_of(words) != before
    if words == CHILD:
        assert survivors(below) == []
    assert running.process.poll() is None


def test_keys_are_private_and_no_secret_is_in_argv_output_or_logs(running: Tree) -> None:
    data = running.data
    for name in ("secret.key", "postgres.password", "valkey.password"):
        assert mode(data / name) == 0o600
    found = {path.name: path for path in (data / "databases").rglob("*") if path.name in ("18", "run")}
    assert {name: mode(path) for name, path in found.items()} == {"18": 0o700, "run": 0o700}
    secrets = [(data / name).read_text().strip() for name in ("secret.key", "postgres.password", "valkey.password")]
    shown = [command_line(pid) for pid in running.descendants().values()] + [running.output]
    shown += [path.read_text(errors="replace") for path in (data / "log").iterdir()]
    assert not [secret for secret in secrets if any(secret in text for text in shown)]


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root can show that the databases do not run as root")
def test_databases_do_not_run_as_root(running: Tree) -> None:
    for words in ("postgres", "valkey-server"):
        assert os.stat(f"/proc/{running.pid_of(words)}").st_uid == 65534
    assert "running as root" in running.output


def test_a_data_directory_with_a_long_path_still_gets_short_sockets(place: Path) -> None:
    data = place / ("deep-" * 20) / "data"
    with up(data, place / "out") as tree:
        tree.wait_for("Ready")
        tree.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root has directories that nobody cannot reach")
def test_a_checkout_below_a_closed_directory_works_and_stays_closed(place: Path) -> None:
    closed = place / "home-of-root"
    closed.mkdir(mode=0o700)
    with up(closed / "data", place / "out") as tree:
        tree.wait_for("Ready")
        tree.stop()
    assert mode(closed) == 0o700
    elsewhere = DataDirectory(closed / "data", database_account()).databases
    assert elsewhere.parent == SYSTEM_STATE
    shutil.rmtree(elsewhere)


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: the rest of this file already runs without root")
def test_without_root_everything_runs_as_the_user_itself(place: Path) -> None:
    os.chown(place, 65534, 65534)
    with up(place / "data", place / "out", plain_python(), user=65534) as tree:
        tree.wait_for("Ready")
        owners = {os.stat(f"/proc/{pid}").st_uid for pid in tree.children().values()}
        assert owners == {65534}
        tree.stop()


def plain_python() -> tuple[str, ...]:
    """An interpreter that any user can start, with our packages on its path."""
    import sysconfig

    for python in ("/usr/bin/python3.11", sysconfig.get_config_var("BINDIR") + "/python3"):
        if os.access(python, os.X_OK) and not os.path.realpath(python).startswith("/root"):
            site = sysconfig.get_path("purelib")
            return ("/usr/bin/env", f"PYTHONPATH={site}:{Path(__file__).parents[2]}", python, *SMALL[1:])
    pytest.skip("SKIPPED: no Python that another user can start")


def test_a_taken_port_is_named(place: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with up(place / "data", place / "out", AUTORKE_PORT=str(port)) as tree:
            assert f"127.0.0.1:{port} is taken" in tree.refused()


def test_data_of_another_major_version_is_refused(place: Path) -> None:
    old = place / "data" / "databases" / "postgres" / "14"
    old.mkdir(parents=True)
    (old / "PG_VERSION").write_text("14\n")
    with up(place / "data", place / "out") as tree:
        assert "belongs to PostgreSQL 14" in tree.refused()
