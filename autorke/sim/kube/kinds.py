"""The resources that a simulated Kubernetes API serves."""

from __future__ import annotations

from collections.abc import Iterable

from autorke.sim.kube.store import ApiError, Kind

RBAC = "rbac.authorization.k8s.io"
CALICO = "crd.projectcalico.org"
NODES = Kind("nodes", "Node", namespaced=False)
NAMESPACES = Kind("namespaces", "Namespace", namespaced=False)
PODS = Kind("pods", "Pod")
CONFIG_MAPS = Kind("configmaps", "ConfigMap")
SECRETS = Kind("secrets", "Secret")
LEASES = Kind("leases", "Lease", "coordination.k8s.io")
DAEMON_SETS = Kind("daemonsets", "DaemonSet", "apps")
CRDS = Kind(
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "apiextensions.k8s.io",
    ("v1", "v1beta1"),
    namespaced=False,
)
CALICO_KINDS = {
    plural: Kind(plural, name, CALICO, namespaced=False)
    for plural, name in {
        "ippools": "IPPool",
        "bgppeers": "BGPPeer",
        "bgpconfigurations": "BGPConfiguration",
        "bgpfilters": "BGPFilter",
        "felixconfigurations": "FelixConfiguration",
        "clusterinformations": "ClusterInformation",
        "ipamblocks": "IPAMBlock",
        "blockaffinities": "BlockAffinity",
        "ipamhandles": "IPAMHandle",
        "ipamconfigs": "IPAMConfig",
        "ipreservations": "IPReservation",
        "caliconodestatuses": "CalicoNodeStatus",
    }.items()
}

BUILT_IN = (
    NODES,
    NAMESPACES,
    PODS,
    CONFIG_MAPS,
    SECRETS,
    Kind("serviceaccounts", "ServiceAccount"),
    Kind("services", "Service"),
    Kind("endpoints", "Endpoints"),
    Kind("events", "Event"),
    Kind("persistentvolumes", "PersistentVolume", namespaced=False),
    Kind("persistentvolumeclaims", "PersistentVolumeClaim"),
    Kind("componentstatuses", "ComponentStatus", namespaced=False),
    LEASES,
    DAEMON_SETS,
    Kind("deployments", "Deployment", "apps"),
    Kind("replicasets", "ReplicaSet", "apps"),
    Kind("statefulsets", "StatefulSet", "apps"),
    Kind("jobs", "Job", "batch"),
    Kind("poddisruptionbudgets", "PodDisruptionBudget", "policy", ("v1", "v1beta1")),
    Kind("volumeattachments", "VolumeAttachment", "storage.k8s.io", namespaced=False),
    Kind("roles", "Role", RBAC),
    Kind("rolebindings", "RoleBinding", RBAC),
    Kind("clusterroles", "ClusterRole", RBAC, namespaced=False),
    Kind("clusterrolebindings", "ClusterRoleBinding", RBAC, namespaced=False),
    CRDS,
)


class Catalogue:
    """What one cluster serves: the built-in resources and the Calico kinds its version has."""

    def __init__(self, calico: Iterable[str]) -> None:
        self.kinds = (*BUILT_IN, *(CALICO_KINDS[plural] for plural in calico))
        self._by_place = {
            (kind.group, version, kind.resource): kind for kind in self.kinds for version in kind.versions
        }

    def find(self, group: str, version: str, resource: str) -> Kind:
        found = self._by_place.get((group, version, resource))
        if found is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return found

    def groups(self) -> dict[str, list[str]]:
        """Group to its versions, the core group left out."""
        out: dict[str, list[str]] = {}
        for kind in self.kinds:
            if kind.group:
                known = out.setdefault(kind.group, [])
                known.extend(version for version in kind.versions if version not in known)
        return out
