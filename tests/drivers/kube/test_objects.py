"""Custom objects, the control plane's health, and rke's copy of its state."""

from __future__ import annotations

import base64
import datetime

import pytest

from autorke.drivers.base import KubeError
from autorke.drivers.kube import Kube, KubeConflict
from autorke.drivers.rkefiles.errors import StateMoved
from autorke.drivers.rkefiles.fullstate import StateStore
from tests.drivers.kube.api_server import ApiServer

POOLS = "/apis/crd.projectcalico.org/v1/ippools"
COPY = "/api/v1/namespaces/kube-system/{}/full-cluster-state"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


def test_a_custom_object_lives_from_create_to_delete(kube: Kube, api: ApiServer) -> None:
    pools = kube.resource("crd.projectcalico.org", "v1", "ippools")
    body = {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "IPPool",
        "metadata": {"name": "p1"},
        "spec": {"cidr": "10.0.0.0/24"},
    }

    created = pools.create(body)
    with pytest.raises(KubeConflict):
        pools.create(body)
    replaced = pools.replace({**created, "spec": {"cidr": "10.0.0.0/24", "disabled": True}})
    with pytest.raises(KubeConflict):
        pools.replace({**created, "metadata": {**created["metadata"], "resourceVersion": "1"}})
    pools.patch("p1", {"spec": {"disabled": None}})

    assert replaced["spec"]["disabled"] is True
    assert [pool["spec"] for pool in pools.list()] == [{"cidr": "10.0.0.0/24"}]
    pools.delete("p1")
    pools.delete("p1")
    assert pools.get("p1") is None
    assert f"{POOLS}/p1" not in api.objects


def test_namespaced_objects_have_their_namespace(kube: Kube, api: ApiServer) -> None:
    api.put("/apis/apps/v1/namespaces/kube-system/daemonsets/calico-node", {"metadata": {"labels": {"k8s-app": "c"}}})
    sets = kube.resource("apps", "v1", "daemonsets", "kube-system")

    assert sets.get("calico-node") is not None
    assert len(sets.list(label_selector="k8s-app=c")) == 1
    assert sets.list(label_selector="k8s-app=other") == []


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_the_state_copy_is_created_read_and_replaced(kube: Kube, api: ApiServer, kind: str) -> None:
    store: StateStore = kube.state_store()
    assert store.read() is None

    first = store.write(kind, '{"状态": 1}', None)  # type: ignore[arg-type]
    assert store.read() == (kind, '{"状态": 1}', first)
    path = COPY.format(f"{kind.lower()}s")
    api.objects[path]["metadata"]["annotations"] = {"by-hand": "kept"}
    second = store.write(kind, "{}", first)  # type: ignore[arg-type]

    assert store.read() == (kind, "{}", second)
    assert api.objects[path]["metadata"]["annotations"] == {"by-hand": "kept"}
    stored = api.objects[path]["data"]["full-cluster-state"]
    assert stored == (base64.b64encode(b"{}").decode() if kind == "Secret" else "{}")


def test_where_both_copies_exist_the_secret_counts(kube: Kube) -> None:
    store = kube.state_store()
    store.write("ConfigMap", "old", None)
    store.write("Secret", "new", None)

    assert (store.read() or ("", "", ""))[:2] == ("Secret", "new")


def test_a_copy_that_somebody_else_wrote_is_not_overwritten(kube: Kube, api: ApiServer) -> None:
    store = kube.state_store()
    first = store.write("Secret", "{}", None)
    store.write("Secret", "theirs", first)

    for version in (first, None):
        with pytest.raises(StateMoved):
            store.write("Secret", "ours", version)
    with pytest.raises(StateMoved):
        store.write("ConfigMap", "ours", "7")
    assert (store.read() or ("", "", ""))[1] == "theirs"


def test_a_copy_that_is_not_text_is_an_error(kube: Kube, api: ApiServer) -> None:
    api.put(COPY.format("secrets"), {"data": {"full-cluster-state": "%%%"}})

    with pytest.raises(KubeError, match="base64"):
        kube.state_store().read()


def lease(seconds: float) -> dict[str, object]:
    renewed = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
    return {"spec": {"renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}


def test_a_healthy_control_plane(kube: Kube, api: ApiServer) -> None:
    api.answers["/readyz"] = (200, b"[+]ping ok\n[+]etcd ok\nreadyz check passed\n")
    api.put(f"{LEASES}/kube-scheduler", lease(2))
    api.put(f"{LEASES}/kube-controller-manager", lease(2))

    assert {it.name: it.healthy for it in kube.component_health()} == {
        "kube-apiserver": True,
        "etcd": True,
        "kube-scheduler": True,
        "kube-controller-manager": True,
    }


def test_a_sick_control_plane_says_where_it_hurts(kube: Kube, api: ApiServer) -> None:
    api.answers["/readyz"] = (500, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
    api.put(f"{LEASES}/kube-scheduler", lease(300))

    found = {it.name: it for it in kube.component_health()}

    assert not any(it.healthy for it in found.values())
    assert "etcd failed" in found["kube-apiserver"].message
    assert "silent for" in found["kube-scheduler"].message
    assert found["kube-controller-manager"].message == "it never took its lease"
