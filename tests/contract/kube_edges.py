"""The Kubernetes APIs that the contract tests run against."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from autorke.sim import process
from tests.contract.edges import edge_names, lab_document
from tests.drivers.kube.api_server import ApiServer, serving
from tests.drivers.kube.pki import kubeconfig


@dataclasses.dataclass(frozen=True)
class KubeEdge:
    """One cluster: an administrator's kubeconfig and the hostname of a node that is Ready."""

    kubeconfig: str
    node: str


@contextmanager
def _https_edge() -> Iterator[KubeEdge]:
    """A few lines of Python over TLS."""
    api = ApiServer()
    api.add_node("m1")
    api.answers["/version"] = (200, b'{"gitVersion": "v1.20.15"}')
    with tempfile.TemporaryDirectory(prefix="autorke-api-") as directory, serving(api, Path(directory)):
        yield KubeEdge(kubeconfig(api.port, api.ca.pem, api.ca.issue("kube-admin")), "m1")


@contextmanager
def _sim_edge() -> Iterator[KubeEdge]:
    with tempfile.TemporaryDirectory(prefix="autorke-sim-") as state, process.start("small", Path(state)) as sim:
        yield KubeEdge(Path(sim.cluster("alpha")["kubeconfig"]).read_text(), "alpha-w001")


@contextmanager
def _lab_edge() -> Iterator[KubeEdge]:
    """A real kube-apiserver."""
    document = lab_document()
    worker = next(entry["name"] for entry in document["machines"] if entry["roles"] == ["worker"])
    yield KubeEdge(Path(document["kubeconfig"]).read_text(), worker)


KUBE_EDGES: dict[str, Callable[[], AbstractContextManager[KubeEdge]]] = {
    "https": _https_edge,
    "sim": _sim_edge,
    "lab": _lab_edge,
}


@pytest.fixture(scope="session", params=edge_names(KUBE_EDGES))
def kube_edge(request: pytest.FixtureRequest) -> Iterator[KubeEdge]:
    with KUBE_EDGES[request.param]() as one:
        yield one
