"""The files of a cluster for tests: those that stock rke wrote (tests/fixtures/rke), and a kubeconfig of that CA."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from uuid import uuid4

from autorke.clusters.importing import Files
from autorke.core.ids import new_id
from autorke.users.access import Actor

FIXTURES = Path(__file__).parents[1] / "fixtures/rke/rkestate"
ADDRESSES = ("127.0.0.11", "127.0.0.21", "127.0.0.22")


def text(name: str) -> str:
    return (FIXTURES / name).read_text()


def kubeconfig(state: str = "cluster.rkestate", server: str = "https://127.0.0.11:6443") -> str:
    """A kubeconfig as rke writes it, with the CA of this state file; its client key is made up."""
    bundle = json.loads(text(state))["currentState"]["certificatesBundle"]

    def coded(data: str) -> str:
        return base64.b64encode(data.encode()).decode()

    return f"""apiVersion: v1
kind: Config
clusters:
- cluster:
    api-version: v1
    certificate-authority-data: {coded(bundle["kube-ca"]["certificatePEM"])}
    server: "{server}"
  name: "local"
contexts:
- context: {{cluster: "local", user: "kube-admin-local"}}
  name: "local"
current-context: "local"
users:
- name: "kube-admin-local"
  user:
    client-certificate-data: {coded(bundle["kube-admin"]["certificatePEM"])}
    client-key-data: {coded("made up for a test")}
"""


def files(**changes: str) -> Files:
    values = {"cluster_yml": text("cluster.yml"), "rkestate": text("cluster.rkestate"), "kubeconfig": kubeconfig()}
    return Files(**{**values, **changes})


def actor(name: str = "wei") -> Actor:
    """Somebody who may do everything; not in the database."""
    return Actor(new_id(), name, frozenset({("admin", None)}), "token", uuid4(), None)
