"""Setting the scene of the story through the API: people, credentials, a CMDB, a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from autorke.sim.process import SimHandle
from tests.story.people import PASSWORD, Person, until
from tests.story.stack import Stack


def first_admin(stack: Stack) -> Person:
    """The installation's first admin, made as the command line makes him."""
    command = [sys.executable, "-m", "tests.story.first_admin"]
    made = subprocess.run(command, env=stack.environ, capture_output=True, text=True, check=True)
    return Person(stack.url, "admin", made.stdout.strip())


def hire(admin: Person, stack: Stack, name: str, role: str) -> Person:
    user = admin.post("/users", {"name": name, "display_name": name, "password": PASSWORD})
    admin.post(f"/users/{user['id']}/bindings", {"role": role})
    return Person(stack.url, name, PASSWORD)


def connect(admin: Person, sim: SimHandle) -> dict[str, Any]:
    """Credential, CMDB source, sync, cluster import; returns the cluster."""
    secret = {"kind": "ssh_key", "user": "ops", "private_key": sim.private_key}
    key = admin.post("/credentials", {"name": "fleet", "note": "", "secret": secret})
    token = admin.post(
        "/credentials", {"name": "cmdb", "note": "", "secret": {"kind": "token", "token": "sim-cmdb-token"}}
    )
    config = {"source": sim.index["cmdb"]["source"], "mapping": sim.index["cmdb"]["mapping"]}
    source = admin.post(
        "/cmdb/sources",
        {"name": "main", "config": config, "credential_id": token["id"], "machine_credential_id": key["id"]},
    )
    until(lambda: admin.get("/machines?total=true")["total"] == len(sim.index["machines"]), 180, "the first sync")
    assert admin.get(f"/cmdb/sources/{source['id']}/runs")["items"][0]["outcome"] == "ok"
    return attach(admin, sim, "alpha")


def attach(admin: Person, sim: SimHandle, name: str) -> dict[str, Any]:
    """Import one of the simulated clusters by its three files."""
    files = {"cluster_yml": "config", "rkestate": "state", "kubeconfig": "kubeconfig"}
    texts = {field: Path(sim.cluster(name)[key]).read_text() for field, key in files.items()}
    cluster: dict[str, Any] = admin.post("/clusters", {"name": name, **texts})
    return cluster
