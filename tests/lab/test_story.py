"""The story of the main job on real machines: sshd, Docker, Kubernetes, Ansible; two people, one failure, one retry.

The evidence is printed: what was untouched is counted in Docker events, by the machines themselves.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import RunningLab
from tests.story.desk import first_admin, hire
from tests.story.people import Person, explain, states, until, walk
from tests.story.stack import Stack, running

HEALTH_PORT = 10256  # kube-proxy's
LONG_LIVED = (
    "etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy nginx-proxy service-sidekick"
)


@pytest.fixture
def stack(db_url: str, redis_url: str, tmp_path: Path, lab: RunningLab) -> Iterator[Stack]:
    (tmp_path / "cmdb").mkdir()
    shutil.copy(lab.cmdb, tmp_path / "cmdb" / "machines.json")
    with running(db_url, redis_url, tmp_path) as stack:
        yield stack


@pytest.fixture
def fresh_lab(fresh_lab: RunningLab) -> Iterator[RunningLab]:
    """Free machines as new, the cluster without them (for whoever comes next too), events of every machine recorded."""
    lab = fresh_lab
    lab.command("events", "start")
    yield lab
    lab.command("events", "stop")


def connect(admin: Person, lab: RunningLab) -> dict[str, Any]:
    """SSH key, the machines' CMDB (a JSON export), the running cluster's three files."""
    secret = {"kind": "ssh_key", "user": "ops", "private_key": lab.ssh_key.read_text()}
    key = admin.post("/credentials", {"name": "fleet", "note": "", "secret": secret})
    paths = {
        "sn": "serial", "hostname": "host_name", "address": "manage_ip", "room": "room", "rack": "rack",
        "os_version": "os", "cmdb_status": "status", "ssh_port": "ssh.port", "ssh_user": "ssh.user",
        "host_key": "ssh.host_key", "cmdb_id": "serial",
    }  # fmt: skip
    config = {
        "source": {"kind": "json", "path": "machines.json", "items": "hosts"},
        "mapping": {"fields": {field: {"path": path} for field, path in paths.items()}},
    }
    admin.post("/cmdb/sources", {"name": "lab", "config": config, "machine_credential_id": key["id"]})
    until(lambda: admin.get("/machines?total=true")["total"] == len(lab.machines), 180, "the sync of the CMDB")
    texts = {"cluster_yml": lab.cluster_yml, "rkestate": lab.rkestate, "kubeconfig": lab.kubeconfig}
    body = {"name": "lab", **{name: path.read_text() for name, path in texts.items()}}
    cluster: dict[str, Any] = admin.post("/clusters", body)
    return cluster


@contextmanager
def kube_proxy_cannot_be_healthy(lab: RunningLab, name: str) -> Iterator[None]:
    """As soon as the join has begun (no check looks at ports any more), long before kube-proxy itself is there,
    somebody else listens on the port of its health."""
    over = threading.Event()

    def spoil() -> None:
        while not over.wait(0.3):
            if "nginx-proxy" in lab.ssh(name, "docker ps --format '{{.Names}}'").stdout.split():
                lab.ssh(name, f"nohup socat TCP-LISTEN:{HEALTH_PORT},fork,reuseaddr /dev/null >/dev/null 2>&1 &")
                return

    thread = threading.Thread(target=spoil, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(300)
        lab.ssh(name, "pkill -x socat")


def containers(lab: RunningLab) -> dict[str, list[str]]:
    """Ids of rke's long-lived containers on every machine."""
    names = "|".join(LONG_LIVED.split())
    listing = "docker ps -a --no-trunc --format '{{.Names}} {{.ID}}'"
    return {
        name: sorted(lab.ssh(name, f"{listing} | grep -E '^({names}) '").stdout.splitlines()) for name in lab.machines
    }


def events(lab: RunningLab) -> dict[str, int]:
    """Container events of each machine since the recording began."""
    counted: dict[str, dict[str, int]] = json.loads(lab.command("events", "show"))
    return {machine: sum(found.values()) for machine, found in counted.items()}


@pytest.mark.timeout(1500)
def test_the_main_job_on_real_machines(fresh_lab: RunningLab, stack: Stack, tmp_path: Path) -> None:
    lab = fresh_lab
    admin = first_admin(stack)
    requester, approver = hire(admin, stack, "rita", "requester"), hire(admin, stack, "aaron", "approver")
    cluster = connect(admin, lab)
    before = containers(lab)
    found = requester.post("/machines/find", {"keys": ["m3", "m4"]})["matches"]
    request = {
        "cluster_id": cluster["id"],
        "machines": [{"machine_id": match["machine"]["id"]} for match in found],
        "labels": {"pool": "blue"},
        "taints": [{"key": "dedicated", "value": "blue", "effect": "NoSchedule"}],
    }
    ticket = requester.post("/tickets", {"flow": "add_workers", "request": request})
    assert [step["key"] for step in ticket["steps"]][3] == "join"
    at_join = walk(
        approver, ticket["id"], stop_at=lambda t: states(t)["join"] == "READY" or states(t)["join"] == "RUNNING"
    )
    assert states(at_join)["join"] in ("READY", "RUNNING"), explain(requester, at_join)
    with kube_proxy_cannot_be_healthy(lab, "m4"):
        stopped = walk(approver, ticket["id"], seconds=600)
    assert states(stopped)["join"] == "PARTIAL", explain(requester, stopped)
    requester.post(f"/tickets/{ticket['id']}/retry", {"step": "join"})
    ended = walk(approver, ticket["id"], seconds=600)
    assert ended["state"] == "SUCCEEDED", explain(requester, ended)
    joins = {
        row["name"]: [r["state"] for r in row["results"] if r["step"] == "join"]
        for row in requester.get(f"/tickets/{ticket['id']}/nodes")
    }
    assert joins["m3"] == ["SUCCEEDED"]
    assert joins["m4"] == ["FAILED", "SUCCEEDED"]
    nodes = {
        node["metadata"]["name"]: node for node in json.loads(lab.kubernetes("get", "nodes", "-o", "json"))["items"]
    }
    for name in ("m3", "m4"):
        assert nodes[name]["metadata"]["labels"]["pool"] == "blue"
        assert {"key": "dedicated", "value": "blue", "effect": "NoSchedule"} in nodes[name]["spec"]["taints"]
        assert [c["status"] for c in nodes[name]["status"]["conditions"] if c["type"] == "Ready"] == ["True"]
    counted = events(lab)
    print(f"\nDocker events by machine: {counted}; joins: {joins}")  # noqa: T201
    assert (counted["m1"], counted["m2"]) == (0, 0)
    after = containers(lab)
    assert (after["m1"], after["m2"]) == (before["m1"], before["m2"])
    stock_rke_changes_nothing(admin, cluster["id"], lab, tmp_path, after)


def stock_rke_changes_nothing(
    admin: Person, cluster_id: str, lab: RunningLab, tmp_path: Path, before: dict[str, list[str]]
) -> None:
    """The parity proof: a stock `rke up` with the new files replaces no container."""
    if lab.rke_binary is None or lab.created_by != "rke":
        print("PARITY PROOF SKIPPED: no stock rke was found when the lab was made")  # noqa: T201
        return
    folder = tmp_path / "parity"
    folder.mkdir(mode=0o700)
    for kind, name in (("config", "cluster.yml"), ("state", "cluster.rkestate")):
        number = admin.get(f"/clusters/{cluster_id}/revisions/{kind}")["items"][0]["number"]
        (folder / name).write_bytes(admin.get(f"/clusters/{cluster_id}/revisions/{kind}/{number}/file"))
    shutil.copy(lab.kubeconfig, folder / "kube_config_cluster.yml")
    started = time.monotonic()
    done = subprocess.run(
        [lab.rke_binary, "up", "--config", str(folder / "cluster.yml")], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    print(f"stock rke up: {time.monotonic() - started:.1f} s, {done.stdout.count('Upgrade not required')} not required")  # noqa: T201
    assert containers(lab) == before
