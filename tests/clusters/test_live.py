from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api import V1, Api
from tests.clusters.make import text
from tests.drivers.kube.api_server import ApiServer, serving
from tests.drivers.kube.pki import Authority, kubeconfig

URL = f"{V1}/clusters"
NODES = {"cp1": "127.0.0.11", "w1": "127.0.0.21", "w2": "127.0.0.22"}


def _state(ca: Authority) -> str:
    """The fixtures' state with the CA of the test's API server."""
    document = json.loads(text("cluster.rkestate"))
    for name in ("desiredState", "currentState"):
        document[name]["certificatesBundle"]["kube-ca"]["certificatePEM"] = ca.pem
    return json.dumps(document)


def _add_node(server: ApiServer, name: str, address: str, *, ready: bool = True) -> None:
    body = server.add_node(name, ready=ready)
    body["status"]["addresses"][0]["address"] = address


def _put_copy(server: ApiServer, state: str) -> None:
    data = {"full-cluster-state": base64.b64encode(state.encode()).decode()}
    server.put("/api/v1/namespaces/kube-system/secrets/full-cluster-state", {"data": data})


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[ApiServer]:
    with serving(ApiServer(), tmp_path) as found:
        for name, address in NODES.items():
            _add_node(found, name, address)
        found.answers["/version"] = (200, {"gitVersion": "v1.20.15"})  # type: ignore[assignment]
        _put_copy(found, _state(found.ca))
        yield found


def _import(api: Api, server: ApiServer) -> str:
    files = {
        "cluster_yml": text("cluster.yml"),
        "rkestate": _state(server.ca),
        "kubeconfig": kubeconfig(server.port, server.ca.pem, server.ca.issue("kube-admin")),
    }
    made = api.caller("admin").post(URL, json={"name": "prod-a", **files})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def _verify(api: Api, cluster: str) -> list[tuple[str, str]]:
    answer = api.caller("admin").post(f"{URL}/{cluster}/verify")
    assert answer.status_code == 200, answer.text
    assert answer.json()["verified_at"]
    return [(item["code"], item["field"]) for item in answer.json()["drift"]]


def test_a_cluster_as_recorded_has_no_drift(api: Api, kubernetes: ApiServer) -> None:
    cluster = _import(api, kubernetes)
    kubernetes.requests.clear()
    assert _verify(api, cluster) == []
    assert {method for method, *_ in kubernetes.requests} == {"GET"}, "it only reads"


def test_what_differs_is_named(api: Api, kubernetes: ApiServer) -> None:
    cluster = _import(api, kubernetes)
    del kubernetes.objects["/api/v1/nodes/w1"]
    _add_node(kubernetes, "w2", "10.9.9.9", ready=False)
    _add_node(kubernetes, "stranger", "10.9.9.10")
    kubernetes.answers["/version"] = (200, {"gitVersion": "v1.21.14"})  # type: ignore[assignment]
    document = json.loads(_state(kubernetes.ca))
    document["currentState"]["rkeConfig"]["nodes"].pop()
    _put_copy(kubernetes, json.dumps(document))
    assert _verify(api, cluster) == [
        ("drift-version", "kubernetes_version"),
        ("drift-node-missing", "nodes.w1"),
        ("drift-node-address", "nodes.w2"),
        ("drift-node-not-ready", "nodes.w2"),
        ("drift-node-unknown", "nodes.stranger"),
        ("rkestate-other-cluster", "full-cluster-state"),
    ]


def test_a_cluster_that_does_not_answer_changes_no_record(api: Api, kubernetes: ApiServer) -> None:
    cluster = _import(api, kubernetes)
    kubernetes.answers["/api/v1/nodes"] = (503, b"")
    answer = api.caller("admin").post(f"{URL}/{cluster}/verify")
    assert answer.status_code == 502, answer.text
    assert answer.json()["remedy"] is not None
    assert api.caller("viewer").get(f"{URL}/{cluster}").json()["verified_at"] is None
