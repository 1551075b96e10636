"""An API server with a CA of its own, and a client for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autorke.drivers.kube import Kube
from tests.drivers.kube.api_server import ApiServer, serving
from tests.drivers.kube.pki import kubeconfig
from tests.sshd import make_sshd, sshd

__all__ = ["make_sshd", "sshd"]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with serving(ApiServer(), tmp_path) as server:
        yield server


@pytest.fixture
def config(api: ApiServer) -> str:
    return kubeconfig(api.port, api.ca.pem, api.ca.issue("kube-admin"))


@pytest.fixture
def kube(config: str) -> Iterator[Kube]:
    with Kube(config, timeout=30) as client:
        yield client
