"""`demo` and `up` as a newcomer meets them: the real product, its databases, and (for demo) the simulated fleet."""

import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.embedded.tree import FULL, Tree, survivors, up

DEMO = (*FULL[:-1], "demo", "--preset", "small")
START = 120.0


@pytest.fixture
def place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="arke-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextmanager
def sign_in(tree: Tree, name: str, password: str) -> Iterator[httpx.Client]:
    found = re.search(r"http://127\.0\.0\.1:\d+", tree.output.split("Ready")[1])
    assert found
    with httpx.Client(base_url=f"{found[0]}/api/v1", timeout=30) as client:
        assert client.post("/session", json={"name": name, "password": password}).status_code == 200
        yield client


@pytest.mark.timeout(300)
def test_the_demo_is_filled_and_begins_anew_each_time(place: Path) -> None:
    passwords = []
    for turn in ("first", "second"):
        with up(place / "data", place / turn, DEMO) as tree:
            tree.wait_for("Ready", START)
            logins = dict(re.findall(r"^  (\w+) +(\S{16,})  ", tree.output, re.MULTILINE))
            assert {"admin", "requester", "approver", "network", "auditor"} <= set(logins)
            with sign_in(tree, "requester", logins["requester"]) as client:
                machines = client.get("/machines", params={"total": "true"}).json()
                clusters = client.get("/clusters").json()["items"]
                nodes = client.get(f"/clusters/{clusters[0]['id']}/nodes").json()["items"]
            assert machines["total"] == 7
            assert {machine["state"] for machine in machines["items"]} == {"free", "in_cluster"}
            assert [cluster["name"] for cluster in clusters] == ["alpha"]
            assert len(nodes) == 3
            assert all(node["machine_id"] for node in nodes)
            assert tree.stop() < 8
            passwords.append(logins["admin"])
    assert passwords[0] != passwords[1]


@pytest.mark.timeout(300)
@pytest.mark.faults
def test_up_makes_a_first_admin_and_kill_9_leaves_nothing_of_the_product(place: Path) -> None:
    with up(place / "data", place / "out", FULL) as tree:
        tree.wait_for("Ready", START)
        password = place / "data" / "first-admin.password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        assert password.read_text().strip() not in tree.output
        with sign_in(tree, "admin", password.read_text().strip()) as client:
            assert client.get("/me").json()["bindings"][0]["role"] == "admin"
        everything = tree.descendants()
        assert len([name for name in everything if "celery" in name]) >= 2
        tree.process.send_signal(signal.SIGKILL)
        tree.process.wait()
        assert survivors(everything, 20) == []
