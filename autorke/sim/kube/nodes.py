"""Node, Lease and Pod objects as a kubelet of the simulated fleet would make them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autorke.sim.machine.facts import Facts

READY = "Ready"


def stamp(moment: float | None = None) -> str:
    return datetime.fromtimestamp(time.time() if moment is None else moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node(name: str, address: str, facts: Facts, kubelet: str, image: str) -> dict[str, Any]:
    """A Node as it is first registered: not ready, because the network plugin has not come yet."""
    capacity = {
        "cpu": str(facts.cpus),
        "memory": f"{facts.memory_mb * 1024}Ki",
        "pods": "110",
        "ephemeral-storage": f"{facts.disks[0].size_kb if facts.disks else 0}Ki",
    } | ({"nvidia.com/gpu": str(len(facts.gpus))} if facts.gpus else {})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
            },
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": dict(capacity),
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "conditions": conditions(ready=False, why="KubeletNotReady", said=NO_NETWORK),
            "nodeInfo": _info(facts, kubelet),
            "images": [{"names": [image], "sizeBytes": 2_000_000_000}],
        },
    }


def _info(facts: Facts, kubelet: str) -> dict[str, str]:
    return {
        "machineID": facts.machine_id,
        "systemUUID": facts.product_uuid,
        "bootID": facts.machine_id[::-1],
        "kernelVersion": facts.kernel,
        "osImage": facts.os.pretty_name,
        "containerRuntimeVersion": f"docker://{facts.docker.version}",
        "kubeletVersion": kubelet,
        "kubeProxyVersion": kubelet,
        "operatingSystem": "linux",
        "architecture": "amd64",
    }


NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: network "
    "plugin is not ready: cni config uninitialized"
)


def conditions(*, ready: bool | None, why: str, said: str) -> list[dict[str, str]]:
    """The node conditions; `ready` None is Unknown (the node went silent)."""
    moment = stamp()
    base = [
        ("NetworkUnavailable", "False", "CalicoIsUp", "Calico is running on this node"),
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ]
    if ready is None:
        base = [base[0]] + [(kind, "Unknown", why, said) for kind, *_ in base[1:]]
    if ready is False:
        base = base[1:]
    value = {True: "True", False: "False", None: "Unknown"}[ready]
    return [
        {
            "type": kind,
            "status": status,
            "lastHeartbeatTime": moment,
            "lastTransitionTime": moment,
            "reason": reason,
            "message": message,
        }
        for kind, status, reason, message in [*base, (READY, value, why, said)]
    ]


def lease(name: str, holder: str, renewed: float, seconds: int) -> dict[str, Any]:
    """A Lease last renewed at `renewed` (Unix time)."""
    moment = datetime.fromtimestamp(renewed, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "metadata": {"name": name},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": moment},
    }


def pod(name: str, node_name: str, address: str, app: str, image: str, owner: str) -> dict[str, Any]:
    """A running pod of a DaemonSet or ReplicaSet (`owner` is the kind)."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"k8s-app": app},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": owner, "name": app, "uid": app, "controller": True}],
        },
        "spec": {
            "nodeName": node_name,
            "hostNetwork": owner == "DaemonSet",
            "containers": [{"name": app, "image": image}],
            "tolerations": [{"operator": "Exists"}] if owner == "DaemonSet" else [],
        },
        "status": {
            "phase": "Running",
            "hostIP": address,
            "podIP": address,
            "conditions": [{"type": READY, "status": "True"}],
            "containerStatuses": [
                {"name": app, "ready": True, "restartCount": 0, "image": image, "imageID": f"docker-pullable://{image}"}
            ],
        },
    }
