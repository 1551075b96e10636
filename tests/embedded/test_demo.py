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


def logins(tree: Tree) -> dict[str, str]:
    return dict(re.findall(r"^  (\w+) +(\S{16,})  ", tree.output, re.MULTILINE))


@pytest.mark.timeout(400)
def test_the_demo_is_filled_once_and_again_only_when_asked(place: Path) -> None:
    with up(place / "data", place / "first", DEMO) as tree:
        tree.wait_for("Ready", START)
        first = logins(tree)
        assert {"admin", "requester", "approver", "network", "auditor"} <= set(first)
        with sign_in(tree, "requester", first["requester"]) as client:
            machines = client.get("/machines", params={"total": "true"}).json()
            clusters = client.get("/clusters").json()["items"]
            nodes = client.get(f"/clusters/{clusters[0]['id']}/nodes").json()["items"]
        assert machines["total"] == 7
        assert {machine["state"] for machine in machines["items"]} == {"free", "in_cluster"}
        assert [cluster["name"] for cluster in clusters] == ["alpha"]
        assert len(nodes) == 3
        assert all(node["machine_id"] for node in nodes)
        assert tree.stop() < 8
    with up(place / "data", place / "again", DEMO) as tree:
        tree.wait_for("Ready", START)
        assert "Filling" not in tree.output
        assert logins(tree) == first
        with sign_in(tree, "requester", first["requester"]) as client:
            assert client.get("/machines", params={"total": "true"}).json()["total"] == 7
        tree.stop()
    with up(place / "data", place / "fresh", (*DEMO, "--fresh")) as tree:
        tree.wait_for("Ready", START)
        assert logins(tree)["admin"] != first["admin"]


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
